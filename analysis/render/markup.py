"""HTML made of elements: whatever is not already markup is escaped, so nothing slips through."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

LONGEST_UNBROKEN = 34
"""Characters in a cell up to which it stays on one line."""


_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
"""What is no letter: control characters, separators of lines, and what turns the writing around."""


class Markup(str):
    """Text that is HTML already; everything else that goes into an element is escaped."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: str) -> Markup:
    """An HTML element; `class_` stands for the attribute `class`, `for_` for `for`."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"'
        for key, value in attributes.items()
        if value
    )
    return Markup(f"<{name}{written}>{joined(children)}</{name}>")


def joined(children: Iterable[str], separator: str = "") -> Markup:
    """Several pieces one after the other, each escaped unless it is markup."""
    return Markup(
        separator.join(str(c) if isinstance(c, Markup) else _escaped(c) for c in children)
    )


def _escaped(text: str) -> str:
    return escape(_CONTROL.sub("�", text))


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numeric: Iterable[int] = (),
    caption: str = "",
    heading: int = 0,
) -> Markup:
    """A table in a frame that scrolls by itself where the page is narrow.

    The cells of the column `heading` name their rows.
    """
    right = set(numeric)
    head = (
        element("th", column, scope="col", class_="number" if i in right else "")
        for i, column in enumerate(columns)
    )

    def cells(row: Sequence[str]) -> Markup:
        return joined(
            element(
                "th" if i == heading else "td",
                _whole(cell) if i in right else cell,
                scope="row" if i == heading else "",
                class_=_cell_class(cell, is_number=i in right),
                data_label=columns[i],
            )
            for i, cell in enumerate(row)
        )

    body = element("tbody", joined(element("tr", cells(row)) for row in rows))
    title = element("caption", caption) if caption else Markup("")
    shown = element("table", title, element("thead", element("tr", joined(head))), body)
    label = f"Table: {', '.join(columns[:3])}"
    return element("div", shown, class_="scroll", tabindex="0", role="group", aria_label=label)


def _whole(cell: str) -> str:
    """A number that keeps its unit beside it where lines are short."""
    return cell if isinstance(cell, Markup) else cell.replace(" ", "\u00a0")


def _cell_class(cell: str, *, is_number: bool) -> str:
    if is_number:
        return "number"
    return "short" if isinstance(cell, Markup) or len(cell) <= LONGEST_UNBROKEN else ""


def pairs(entries: Iterable[tuple[str, str]]) -> Markup:
    """A list of names and values."""
    return element(
        "dl", joined(joined((element("dt", name), element("dd", value))) for name, value in entries)
    )


def bullets(items: Iterable[str]) -> Markup:
    """A list of sentences."""
    return element("ul", joined(element("li", item) for item in items))
