"""What several people said of the images that a table lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_spaceediting.data.dataset import repeated
from napari_spaceediting.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_LABELS = "label", "class"
_PEOPLE = "annotator", "person", "rater"
"""Names under which a column is recognised, in any case, the first one preferred. Those
of labels may have a number: a column for each person."""


def texts(column: pd.Series[Any]) -> list[str]:
    """Return stripped texts, empty where a value is missing."""
    known = column.astype(object).where(column.notna(), "")
    return [str(value).strip() for value in known]


def label_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns with labels, one for each person where there are several."""
    for alias in _LABELS:
        pattern = re.compile(rf"{alias}[ _.-]?\d*", re.IGNORECASE)
        found = [n for n in map(str, table.columns) if pattern.fullmatch(n.strip())]
        if found:
            return found
    return []


def said(table: pd.DataFrame) -> list[list[str]]:
    """Return the labels in each row, blank ones left out."""
    columns = [texts(table[name]) for name in label_columns(table)]
    if not columns:
        return [[] for _ in range(len(table))]
    return [[text for text in row if text] for row in zip(*columns, strict=True)]


def one_row_each(
    table: pd.DataFrame, path: str, same: Sequence[str], name: str
) -> tuple[pd.DataFrame, list[list[str]]]:
    """Put the rows of each image together, where a column says whose they are.

    Parameters
    ----------
    table : DataFrame
        As it was read.
    path : str
        The column that names images.
    same : sequence of str
        Columns that say the same in all rows of an image. Others that do not are left
        out.
    name : str
        What the table is called.

    Returns
    -------
    DataFrame
        A row for each image; the same one if no image has several, or nothing says
        whose they are.
    list of lists of str
        Labels of each row, those that were put together in one.

    Raises
    ------
    DataError
        A person has two rows for an image, or its rows say different things.
    """
    images, votes = texts(table[path]), said(table)
    people = [n for n in map(str, table.columns) if n.strip().lower() in _PEOPLE]
    if not people or not repeated(images):
        return table, votes
    whose = zip(images, texts(table[people[0]]), strict=True)
    if again := repeated([f"{image} by {person}" for image, person in whose]):
        raise DataError(
            f"The table {name} lists {again} more than once: keep one row for each "
            f"image and person."
        )
    differ = table.groupby(np.array(images), sort=False).nunique(dropna=False) > 1
    for column in same:
        if differ[column].any():
            raise DataError(
                f"The table {name} has more than one {column} for "
                f"{differ.index[differ[column]][0]}: write the same one in all of its "
                f"rows."
            )
    labels = label_columns(table)
    kept = [n for n in table.columns if n not in labels and not differ[n].any()]
    together: dict[str, list[str]] = {}
    for image, row in zip(images, votes, strict=True):
        together.setdefault(image, []).extend(row)
    _, first = np.unique(images, return_index=True)
    return table[kept].iloc[np.sort(first)], list(together.values())
