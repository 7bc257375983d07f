"""The web UI's side: what cannot work is refused in the form, the verdict has a tab and a page."""

from __future__ import annotations

import html
import json
from argparse import Namespace
from typing import Any

from flask import Response, jsonify, request, send_file
from locust.env import Environment
from locust.runners import MasterRunner
from locust.web import WebUI

from otaload.errors import ConfigurationError, OtaloadError
from otaload.live.console import say
from otaload.live.session import Session
from otaload.live.webui_tab import KEY, add_tab, with_rows

PAGE = "/otaload"
OK = 200


def extend(web_ui: WebUI, environment: Environment, session: Session) -> None:
    """Add the check before a start, the tab of the thresholds, and the page of the last verdict."""
    base = (environment.parsed_options.web_base_path or "") if environment.parsed_options else ""
    address = f"http://{web_ui.host or '127.0.0.1'}:{web_ui.port}{base}{PAGE}"
    say(f"otaload: verdict and report will be at {address}")

    app = web_ui.app
    assert app is not None

    @app.before_request
    def check_start() -> Response | None:
        if request.endpoint != "locust.swarm" or request.method != "POST":
            return None
        if session.running:
            problem = session.refuse_edit(request.form.get("host"))
            return _refusal(problem, environment) if problem else None
        runner = environment.runner
        if isinstance(runner, MasterRunner) and not runner.worker_count:
            return _refusal("no worker is connected; start one first", environment)
        try:
            session.prepare(_merged(environment.parsed_options, request.form))
        except OtaloadError as error:
            return _refusal(session.secrets.redact(str(error)), environment)
        return None

    add_tab(web_ui)

    @app.after_request
    def add_rows(response: Response) -> Response:
        is_statistics = request.endpoint == "locust.request_stats" and response.is_json
        if is_statistics and response.status_code == OK:
            statistics = with_rows(response.get_json(), session, page=f"{base}{PAGE}")
            response.set_data(json.dumps(statistics))
        return response

    @app.route(f"{base}{PAGE}")
    @web_ui.auth_required_if_enabled  # type: ignore[untyped-decorator]  # locust's is untyped
    def last_verdict() -> Response | str:
        run = session.last
        if run is not None and run.code is not None:
            report = run.path / "report.html"
            if report.exists():
                return send_file(report.resolve())
        state = "A run is under way" if session.running else "No run has ended yet"
        if run is not None and run.code is None and not session.running:
            state = "The last run is being judged"
        return (
            '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="2">'
            '<meta name="color-scheme" content="light dark"><title>otaload</title>'
            '<body style="font-family:system-ui;margin:4rem auto;max-width:40rem">'
            f"<h1>{html.escape(state)}</h1><p>The verdict and its report appear here.</p>"
            f'<p>How the thresholds stand so far is in <a href="{base}/?tab={KEY}">Locust’s tab '
            "Thresholds</a>.</p>"
        )


def _refusal(message: str, environment: Environment) -> Response:
    return jsonify({"success": False, "message": message, "host": environment.host})


def _merged(options: Any, form: Any) -> Namespace:
    """The options as the form would leave them, without touching the ones in force."""
    merged = Namespace(**vars(options))
    merged.run_time = form.get("run_time") or None
    try:
        merged.num_users = int(form["user_count"]) if form.get("user_count") else None
    except ValueError:
        raise ConfigurationError(f"users: {form['user_count']!r} is not a number") from None
    for key, value in form.items():
        if hasattr(merged, key) and isinstance(getattr(merged, key), str | None):
            setattr(merged, key, value)
    return merged
