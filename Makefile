# Only python3 (3.11 or newer) and make are assumed; the environment is made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
AUDIT := $(VENV)/audit/bin/pip-audit
WITH_SOCKETS := tests/arrivals tests/devices tests/http tests/live tests/staging
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help setup smoke load stress soak spike breakpoint health test lint style typecheck audit format docs figures screenshots staging bench scale verdicts clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(RUNTIME) ## make the virtual environment

smoke: $(RUNTIME) ## run the smoke scenario against the embedded service (or API_BASE_URL) and judge it
	@$(BIN)/otaload run smoke

stress soak spike breakpoint health load: $(RUNTIME)
	@$(BIN)/otaload run $@

# The tests start hundreds of processes that import the same modules: each is compiled only once.
test: export PYTHONDONTWRITEBYTECODE =
test: $(DEV) ## run all tests
	@# Two halves side by side; the output of the second comes once the first has ended.
	@$(BIN)/python -m pytest $(WITH_SOCKETS) >$(VENV)/.tests 2>&1 & second=$$!; \
	$(BIN)/python -m pytest --ignore=tests/e2e $(WITH_SOCKETS:%=--ignore=%); first=$$?; \
	wait $$second; second=$$?; cat $(VENV)/.tests; exit $$((first | second))
	@# These mostly wait for processes of their own. Locust's plugin would patch pytest-xdist away.
	@$(BIN)/python -m pytest tests/e2e -p no:locust -n 4 --dist load --maxschedchunk 1

lint: style typecheck ## check style and types

style: $(DEV)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

typecheck: $(DEV)
	@$(BIN)/mypy

audit: $(AUDIT) ## look the pinned packages up among the known vulnerabilities
	@$(AUDIT) --requirement constraints.txt --no-deps --disable-pip --progress-spinner off

format: $(DEV) ## rewrite the code in the project's style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(DEV) ## write the pages that are made from the code
	@$(BIN)/python docs/build.py

figures: $(DEV) ## draw the pictures of docs/statistics.md
	@nice -n 19 $(BIN)/python -m bench.figures

screenshots: $(DEV) ## draw the reports of made-up runs in Chromium, and the README's pictures of them
	@nice -n 19 $(BIN)/python -m bench.screenshots --images

staging: $(RUNTIME) ## start the embedded service in the foreground
	@$(BIN)/otaload staging

bench: $(DEV) ## measure the HTTP client against its peers
	@$(BIN)/python -m bench

verdicts: $(DEV) ## check the verdicts against simulated runs and print the acceptance table
	@nice -n 19 $(BIN)/python -m bench.verdicts

scale: $(DEV) ## measure how a night is judged, and how a thousand workers are merged
	@$(BIN)/python -m bench.soak
	@$(BIN)/python -m bench.merge

clean: ## remove the environment and caches; reports stay
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
		echo "$(PYTHON) is missing; on Debian and Ubuntu: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "otaload needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Install one and name it: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(RUNTIME): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing otaload into $(VENV) ..."
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing otaload and its development tools into $(VENV) ..."
	@$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(RUNTIME)

# In an environment of its own: what it needs is no part of what is audited.
$(AUDIT): | $(BIN)/python
	@$(PYTHON) -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip --disable-pip-version-check --quiet install pip-audit==2.10.1
