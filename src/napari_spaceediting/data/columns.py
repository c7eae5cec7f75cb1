"""Which column of a table is which, as this program and others name them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.splits import split_of

PATHS = (
    "path filepath fullpath imagepath imgpath file filename imagefile imagefilename "
    "imagename imgname fname image img photo picture"
)
LABELS = (
    "label class labelname classname category categoryname target groundtruth truelabel"
)
PEOPLE = "annotator person rater"
GROUPS = "group groups"
TEXTS = "text caption title name"
_SPLITS = "split subset partition set"
_TRUTHS = "truth truelabel groundtruth"
"""Names without blanks, points and the like, the first one preferred."""

REJECTED = "rejected"
"""Column that says which images are taken out."""

_MARKS = re.compile(r"[\s_.-]+")
_CELLPROFILER = re.compile(r"((?:Image_)?)FileName_(.+)", re.IGNORECASE)


def plain(name: object) -> str:
    """Return the name of a column in lower case, without blanks and the like."""
    return _MARKS.sub("", str(name).lower())


def named(columns: Sequence[str], names: str) -> str | None:
    """Return the column with the first of these names that there is."""
    own = {plain(column): column for column in reversed(columns)}
    return next((own[name] for name in names.split() if name in own), None)


def label_columns(columns: Sequence[str]) -> list[str]:
    """Return the columns with labels, one for each person where there are several."""
    for name in LABELS.split():
        pattern = re.compile(rf"{name}\d*")
        if found := [c for c in columns if pattern.fullmatch(plain(c))]:
            return found
    return []


def truth_column(columns: Sequence[str]) -> str | None:
    """Return the column with true classes, which are others than the labels."""
    labels = label_columns(columns)
    return named([column for column in columns if column not in labels], _TRUTHS)


def split_column(
    columns: Sequence[str], values: Callable[[str], Iterable[str]]
) -> str | None:
    """Return the column with parts, by its name and, unless it is `split`, its values.

    Parameters
    ----------
    values : callable
        Returns what one of the columns holds.
    """
    found = named(columns, _SPLITS)
    if found is None or plain(found) == "split":
        return found
    known = all(not value or split_of(value) is not None for value in values(found))
    return found if known else None


def rejected_in(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_] | None:
    """Return which images a column `rejected` takes out, None where there are none."""
    if REJECTED not in columns:
        return None
    said = np.char.lower(columns[REJECTED].astype(np.str_))
    rejected: NDArray[np.bool_] = np.isin(said, ("true", "1", "1.0"))
    return rejected if rejected.any() else None


def channel_columns(columns: Sequence[str]) -> list[tuple[str | None, str]]:
    """Return the columns that name an image: a folder, if there is one, and a file.

    One for each channel: CellProfiler's `Image_FileName_DNA` with
    `Image_PathName_DNA`, or `path_1`, `path_2` and so on. Of images in one file, one.
    """
    own = {column.lower(): column for column in columns}
    found: list[tuple[str | None, str]] = []
    for column in columns:
        if match := _CELLPROFILER.fullmatch(column):
            folder = f"{match[1]}PathName_{match[2]}".lower()
            found.append((own.get(folder), column))
    if found:
        return found
    if one := named(columns, PATHS):
        return [(None, one)]
    for name in PATHS.split():
        pattern = re.compile(rf"{name}(\d+)")
        numbered = {c: pattern.fullmatch(plain(c)) for c in columns}
        channels = sorted((int(m[1]), c) for c, m in numbered.items() if m)
        if channels:
            return [(None, column) for _, column in channels]
    return []
