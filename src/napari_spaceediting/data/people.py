"""What several people said of the images that a table lists."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_spaceediting.data.columns import PEOPLE, label_columns, named
from napari_spaceediting.data.dataset import Skipped, repeated
from napari_spaceediting.data.names import shortened, text_of
from napari_spaceediting.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def texts(column: pd.Series[Any]) -> list[str]:
    """Return stripped texts, empty where a value is missing."""
    known = column.astype(object).where(column.notna(), "")
    return [text_of(v) if isinstance(v, bytes) else str(v).strip() for v in known]


def said(table: pd.DataFrame) -> list[list[str]]:
    """Return the labels in each row, blank ones left out."""
    columns = [texts(table[name]) for name in label_columns(list(table.columns))]
    if not columns:
        return [[] for _ in range(len(table))]
    return [[text for text in row if text] for row in zip(*columns, strict=True)]


class OneRowEach(NamedTuple):
    """The rows of a table, put together by image.

    Parameters
    ----------
    rows : list of int
        The first row of each image.
    votes : list of lists of str
        Labels of each image, from all of its rows.
    differing : list of str
        Columns in which the rows of an image differ, so that they say nothing of it.
    again : list of Skipped
        Rows that say once more what another one says.
    """

    rows: list[int]
    votes: list[list[str]]
    differing: list[str]
    again: list[Skipped]


def one_row_each(
    table: pd.DataFrame,
    images: Sequence[Hashable],
    names: Sequence[str],
    same: Sequence[str],
    title: str,
) -> OneRowEach:
    """Put the rows of each image together.

    Parameters
    ----------
    images : sequence
        The image of each row: the same for the same one.
    names : sequence of str
        What each row calls it.
    same : sequence of str
        Columns that must say the same in all rows of an image.

    Raises
    ------
    DataError
        A person has two rows for an image, or its rows say different things.
    """
    votes = said(table)
    first: dict[Hashable, int] = {}
    groups = [first.setdefault(image, row) for row, image in enumerate(images)]
    if len(first) == len(table):
        return OneRowEach(list(first.values()), votes, [], [])
    as_text = table.astype(str)  # lists cannot be compared
    differ = as_text.groupby(groups, sort=False).nunique() > 1
    for name in same:
        if differ[name].any():
            which = names[int(differ.index[differ[name]][0])]
            raise DataError(
                f"The table {title} has more than one {name} for {shortened(which)}: "
                f"write the same one in all of its rows."
            )
    person = named(list(table.columns), PEOPLE)
    if person is None:
        return _repeated_rows(table, groups, names, votes, title)
    whose = zip(groups, texts(table[person]), strict=True)
    if again := repeated([f"{names[row]} by {who}" for row, who in whose]):
        raise DataError(
            f"The table {title} lists {shortened(again)} more than once: keep one row "
            f"for each image and person."
        )
    together: dict[int, list[str]] = {}
    for row, labels in zip(groups, votes, strict=True):
        together.setdefault(row, []).extend(labels)
    differing = [n for n in table.columns if differ[n].any()]
    return OneRowEach(list(together), list(together.values()), differing, [])


def _repeated_rows(
    table: pd.DataFrame,
    groups: Sequence[int],
    names: Sequence[str],
    votes: Sequence[list[str]],
    title: str,
) -> OneRowEach:
    """Leave out rows that repeat another one, or refuse those that contradict it."""
    again = []
    for row, first in enumerate(groups):
        if votes[row] != votes[first]:
            both = (", ".join(votes[at]) or "none" for at in (first, row))
            raise DataError(
                f"The table {title} has more than one label for "
                f"{shortened(names[first])}, {shortened(' and '.join(both))}: keep one "
                f"row for each image, or say in a column 'person' whose they are."
            )
        if row != first:
            reason = f"is the same image as in row {table.index[first]}"
            again.append(Skipped(f"row {table.index[row]}", reason))
    rows = list(dict.fromkeys(groups))
    return OneRowEach(rows, [votes[row] for row in rows], [], again)
