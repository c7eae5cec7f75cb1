"""Read a table that names one image per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.assemble import Found
from napari_spaceediting.data.columns import (
    channel_columns,
    label_columns,
    named,
    split_column,
    truth_column,
)
from napari_spaceediting.data.dataset import Skipped, repeated
from napari_spaceediting.data.files import reading
from napari_spaceediting.data.names import (
    plain_labels,
    readable,
    shortened,
    text_of,
)
from napari_spaceediting.data.packed import PackedPixels, read_parquet
from napari_spaceediting.data.people import one_row_each, texts
from napari_spaceediting.data.pixels import PixelSource
from napari_spaceediting.data.soft_labels import most_said
from napari_spaceediting.data.splits import Split, split_from_names, split_of
from napari_spaceediting.data.table_images import (
    RowImage,
    images_of_rows,
    packed_images,
    pixels_of,
)
from napari_spaceediting.data.text_table import read_text_table, values_of
from napari_spaceediting.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet"})

_LONGEST_LABEL = 200
"""Characters beyond which a label is no name of a class."""


def find_in_table(path: Path) -> Found:
    """Find the images that a table lists.

    Parameters
    ----------
    path : Path
        A `.csv`, `.tsv` or `.parquet` file. The column `path` names image files,
        relative to the table; `label`, `split`, `id` and `truth` are optional, and
        blank labels are unknown. What other programs call them is known, too (see
        `columns`), as are files with one channel each. All other columns are kept as
        they are. Where several people named the images, each has a column, such as
        `label_1` and `label_2`, or rows, with a column `person` or `annotator` that
        says whose they are. A Parquet file may hold the images themselves.

    Returns
    -------
    Found
        Ids are the paths of the table, unless it has a column `id`. Rows that are
        broken are skipped, and paths that lead to the same file are one image.

    Raises
    ------
    DataError
        There is no column `path`, ids occur twice, rows of an image contradict each
        other, or half of the rows cannot be used.
    """
    path = path.resolve()
    with reading("table", path):
        source = _read(path)
    table = source.table
    columns = _Columns.of(table, path.name, source.packed)
    if table.empty and not source.names:
        raise DataError(f"The table {path} has no rows: list one image per row.")
    notes = _clean(table, columns, source.class_names)
    if source.packed is None:
        found = images_of_rows(table, columns.files, path.parent)
    else:
        found = packed_images(source.names)
    table, images, broken = _without_broken(table, found, columns, path.name)
    each = one_row_each(
        table,
        [image.key for image in images],
        [image.name for image in images],
        [name for name in (columns.id, columns.split, columns.truth) if name],
        path.name,
    )
    table = table.iloc[each.rows]
    images = [images[row] for row in each.rows]
    labels, disagreements = most_said(each.votes)
    pixels: PixelSource
    if source.packed is None:
        pixels = pixels_of(images)
    else:
        rows = np.array([image.key for image in images], np.int64)
        pixels = PackedPixels(path, source.packed, rows)
    return Found(
        name=readable(path.stem),
        pixels=pixels,
        ids=_ids(table, columns, images, path.name),
        labels=labels,
        truth=columns.truths(table),
        votes=each.votes,
        split=columns.splits(table),
        columns=_other_columns(table, columns, each.differing, source.is_text),
        skipped=(*source.skipped, *broken, *each.again),
        notes=(*source.notes, *notes, *disagreements),
    )


class _Source(NamedTuple):
    """A table as it was read; see `TextTable` and `Parquet`."""

    table: pd.DataFrame
    is_text: bool
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    packed: str | None = None
    names: Sequence[str] = ()
    class_names: Mapping[str, Sequence[str]] = {}


class _Columns(NamedTuple):
    """Which columns are which."""

    files: list[tuple[str | None, str]]
    labels: list[str]
    split: str | None
    id: str | None
    truth: str | None

    @classmethod
    def of(cls, table: pd.DataFrame, title: str, packed: str | None) -> _Columns:
        """Recognise them.

        Raises
        ------
        DataError
            None of them names images.
        """
        names = list(table.columns)
        files = channel_columns(names) if packed is None else []
        if not files and packed is None and names:
            raise DataError(
                f"The table {title} has no column 'path', only "
                f"{shortened(', '.join(map(repr, names)), 300)}: add one with the "
                f"image files, relative to the table."
            )
        return cls(
            files,
            label_columns(names),
            split_column(names, lambda name: set(texts(table[name]))),
            named(names, "id"),
            truth_column(names),
        )

    def truths(self, table: pd.DataFrame) -> list[str | None] | None:
        """Return the true classes, None where blank, or None if none are given."""
        if self.truth is None:
            return None
        return [text or None for text in texts(table[self.truth])]

    def splits(self, table: pd.DataFrame) -> NDArray[np.int8] | None:
        """Return the parts, or None if none are given."""
        if self.split is None:
            return None
        # A row without a split may only train: nothing is measured on it.
        return split_from_names([name or "train" for name in texts(table[self.split])])


def _read(path: Path) -> _Source:
    if path.suffix.lower() != ".parquet":
        text = read_text_table(path, lambda names: bool(channel_columns(names)))
        return _Source(text.table, True, text.skipped, text.notes)
    held = read_parquet(path)
    table = held.table.set_axis(range(1, len(held.table) + 1))
    table.columns = table.columns.map(str)
    return _Source(
        table,
        False,
        packed=held.column,
        names=held.names,
        class_names=held.class_names,
    )


def _clean(
    table: pd.DataFrame, columns: _Columns, class_names: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Write parts and labels in the table as they are meant; say which are none."""
    if columns.split is not None:
        parts = texts(table[columns.split])
        numbers = {str(part.value): part.name.lower() for part in Split}
        if {*parts} <= {"", *numbers}:  # as arrays have them
            parts = [numbers.get(part, "") for part in parts]
            table[columns.split] = np.array(parts, dtype=object)
    every = [*columns.labels, *([columns.truth] if columns.truth else [])]
    if not every:
        return ()
    values = {name: [text_of(text) for text in texts(table[name])] for name in every}
    plain, n_negative = plain_labels([text for name in every for text in values[name]])
    length = len(table)
    for at, name in enumerate(every):
        labels = plain[at * length : (at + 1) * length]
        if names := class_names.get(name):
            numbers = {str(number): text for number, text in enumerate(names)}
            labels = [text_of(numbers.get(label, label)) for label in labels]
        table[name] = np.array(labels, dtype=object)
    if not n_negative:
        return ()
    return (f"{n_negative:,} labels are below 0 and count as none.",)


def _without_broken(
    table: pd.DataFrame,
    found: Sequence[RowImage | str],
    columns: _Columns,
    title: str,
) -> tuple[pd.DataFrame, list[RowImage], list[Skipped]]:
    """Leave out the rows that cannot be used.

    Raises
    ------
    DataError
        If half of them cannot.
    """
    reasons = [image if isinstance(image, str) else "" for image in found]
    for name in columns.labels:
        for row, label in enumerate(texts(table[name])):
            if len(label) > _LONGEST_LABEL:
                reasons[row] = f"the label {shortened(label)} is no name of a class"
    if columns.split is not None:
        parts = texts(table[columns.split])
        known = {part: not part or split_of(part) is not None for part in set(parts)}
        for row, part in enumerate(parts):
            if not known[part]:
                reasons[row] = (
                    f"the split {shortened(part)!r} is unknown: use train, validation "
                    f"or test"
                )
    broken = [row for row, reason in enumerate(reasons) if reason]
    if 2 * len(broken) >= len(found):
        raise DataError(_too_many(title, [reasons[row] for row in broken], len(found)))
    skipped = []
    for row in broken:
        image = found[row]
        name = image.name if isinstance(image, RowImage) else ""
        skipped.append(
            Skipped(shortened(name or f"row {table.index[row]}"), reasons[row])
        )
    kept = [(row, image) for row, image in enumerate(found) if not reasons[row]]
    images = [image for _, image in kept if isinstance(image, RowImage)]
    return table.iloc[[row for row, _ in kept]], images, skipped


def _too_many(title: str, reasons: Sequence[str], total: int) -> str:
    """Say why a table cannot be used."""
    missing = [r for r in reasons if r.endswith("is missing")]
    if len(missing) == len(reasons):
        files = [
            r.removeprefix("the file ").removesuffix(" is missing") for r in missing
        ]
        return (
            f"{len(missing):,} of the {total:,} files that {title} lists are missing, "
            f"such as {', '.join(files[:5])}: paths must be relative to the table."
        )
    return (
        f"{len(reasons):,} of the {total:,} rows of {title} cannot be used; the first "
        f"one: {reasons[0]}."
    )


def _ids(
    table: pd.DataFrame, columns: _Columns, images: Sequence[RowImage], title: str
) -> list[str]:
    """Return a unique name for each image."""
    if columns.id is None:
        ids = [readable(image.name) for image in images]
    else:
        ids = texts(table[columns.id])
    if again := repeated(ids):
        raise DataError(
            f"The table {title} lists the id {shortened(again)} more than once: each "
            f"must be unique."
        )
    return ids


def _other_columns(
    table: pd.DataFrame, columns: _Columns, differing: Sequence[str], is_text: bool
) -> dict[str, NDArray[Any]]:
    """Return the remaining columns as numbers, booleans or text."""
    used = {columns.split, columns.id, columns.truth, *differing}
    used.update(name for pair in columns.files for name in pair)
    if len(columns.labels) == 1 or set(columns.labels) & set(differing):
        used.update(columns.labels)
    others: dict[str, NDArray[Any]] = {}
    for name in table.columns:
        if name in used:
            continue
        values = table[name].to_numpy()
        if is_text:
            values = values_of(values.tolist())
        elif values.dtype.kind not in "buif":
            values = np.array(texts(table[name]), dtype=np.str_)
        others[str(name)] = values
    return others
