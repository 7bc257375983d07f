"""Writes `docs/command-line.md` from the parsers themselves: `make docs`."""

from __future__ import annotations

import argparse
from pathlib import Path

import configargparse

from otaload.cli import EXIT_CODES, build_parser
from otaload.live.options import add_options

PAGE = Path(__file__).with_name("command-line.md")


def page() -> str:
    """The page's text."""
    parser = build_parser()
    lines = [
        "# The command line",
        "",
        "This page is written by `make docs` from the programs' own help; do not edit it.",
        "",
        "## `otaload`",
        "",
        parser.description or "",
        "",
        "```",
        EXIT_CODES.rstrip(),
        "```",
        "",
    ]
    for name, command in _commands(parser).items():
        lines += [f"### `otaload {name}`", "", f"{command.description}", ""]
        lines += _table(command)
    lines += [
        "## Options of every run",
        "",
        "`locust -f locustfiles/NAME.py` and `otaload run NAME` take these, beside locust's own.",
        "",
    ]
    options = configargparse.ArgumentParser(add_help=False)
    add_options(options)
    lines += _table(options)
    return "\n".join(lines).rstrip() + "\n"


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("the parser has no subcommands")


def _table(parser: argparse.ArgumentParser) -> list[str]:
    rows = []
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        assert action.help, f"{action.dest} has no help"
        default = str(action.default).replace(f"{PAGE.parent.parent}/", "")
        text = action.help.replace("%(default)s", default).replace("|", "\\|")
        variable = getattr(action, "env_var", None)
        rows.append(f"| `{_spelling(action)}` | {text} | {f'`{variable}`' if variable else ''} |")
    if not rows:
        return []
    return ["| Argument | Meaning | Variable |", "|---|---|---|", *rows, ""]


def _spelling(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    return ", ".join(action.option_strings) + value if action.option_strings else value.strip()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
