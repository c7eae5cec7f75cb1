"""Tables that the documentation reads from the code, so that they are written once."""

from __future__ import annotations

from collections.abc import Sequence

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from napari_spaceediting.editing.arms import ARMS
from napari_spaceediting.plugin.keys import KEYS


def keys() -> list[tuple[str, ...]]:
    """Return the keys of the map, and what each does."""
    shown = ((entry.key.replace("-", "+"), entry.text) for entry in KEYS)
    return [("key", "what it does"), *shown]


def arms() -> list[tuple[str, ...]]:
    """Return what a round can be compared with, as `retrain --arms` names it."""
    table = [("window", "terminal", "what it is", "what it shows")]
    for name, arm in ARMS.items():
        if arm.shows:
            needs = f" (needs a column {arm.needs})" if arm.needs else ""
            table.append((arm.title, name, arm.meaning + needs, arm.shows))
    return table


TABLES = {"keys": keys, "arms": arms}
CODE = {"key", "terminal"}
"""Columns of what is typed."""


class Table(SphinxDirective):
    """``{table-of} NAME``: one of `TABLES`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        head, *rows = TABLES[self.arguments[0]]()
        words = [nodes.literal if name in CODE else nodes.inline for name in head]
        group = nodes.tgroup(cols=len(head))
        group += [nodes.colspec(colwidth=1) for _ in head]
        group += nodes.thead("", _row(head, [nodes.inline] * len(head)))
        group += nodes.tbody("", *(_row(row, words) for row in rows))
        return [nodes.table("", group)]


def _row(cells: Sequence[str], words: Sequence[type[nodes.TextElement]]) -> nodes.row:
    row = nodes.row()
    for text, word in zip(cells, words, strict=True):
        row += nodes.entry("", nodes.paragraph("", "", word("", text)))
    return row


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("table-of", Table)
    return {"parallel_read_safe": True}
