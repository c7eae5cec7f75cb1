"""Read a table that names one image per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.columns import (
    TEXTS,
    channel_columns,
    label_columns,
    named,
    split_column,
    truth_column,
)
from napari_spaceediting.data.dataset import Skipped, repeated
from napari_spaceediting.data.embeddings import Features
from napari_spaceediting.data.found import Found
from napari_spaceediting.data.names import (
    plain_labels,
    readable,
    shortened,
    text_of,
)
from napari_spaceediting.data.packed import PackedPixels, read_parquet
from napari_spaceediting.data.people import one_row_each, texts
from napari_spaceediting.data.pixels import PixelSource
from napari_spaceediting.data.reading import reading
from napari_spaceediting.data.soft_labels import most_said
from napari_spaceediting.data.splits import Split, split_from_names, split_of
from napari_spaceediting.data.table_embeddings import embeddings_of, read_annotated
from napari_spaceediting.data.table_images import (
    RowImages,
    images_of_rows,
    packed_images,
    points_of_rows,
)
from napari_spaceediting.data.text_table import (
    EXCEL_SUFFIXES,
    read_text_table,
    values_of,
)
from napari_spaceediting.data.texts import TextPixels
from napari_spaceediting.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet", ".h5ad"}) | EXCEL_SUFFIXES

_LONGEST_LABEL = 200
"""Characters beyond which a label is no name of a class."""


def find_in_table(path: Path) -> Found:
    """Find the images that a table lists.

    Parameters
    ----------
    path : Path
        A `.csv`, `.tsv`, `.xlsx` or `.parquet` file. The column `path` names image
        files, relative to the table; `label`, `split`, `id` and `truth` are optional,
        and blank labels are unknown. What other programs call them is known, too (see
        `columns`), as are files with one channel each. All other columns are kept as
        they are. Where several people named the images, each has a column, such as
        `label_1` and `label_2`, or rows, with a column `person` or `annotator` that
        says whose they are. A Parquet file may hold the images themselves. Columns may
        hold embeddings (`embeddings_of`), as a `.h5ad` file does (`read_annotated`);
        images are optional then, and points without them are shown by their `text` or
        id. A column `group` says which images belong together.

    Returns
    -------
    Found
        Ids are the paths of the table, unless it has a column `id`. Rows that are
        broken are skipped, and paths that lead to the same file are one image.

    Raises
    ------
    DataError
        There is neither a column `path` nor an embedding, ids occur twice, rows of an
        image contradict each other, or half of the rows cannot be used.
    """
    path = path.resolve()
    source = _read(path)
    table = source.table
    columns = _Columns.of(source, path.name)
    _check_rows(source, path)
    notes = _clean(table, columns, source.class_names)
    found = _images(source, columns, path.parent)
    table, images, broken = _without_broken(table, found, columns, path.name)
    each = one_row_each(
        table,
        images.keys,
        images.names,
        [name for name in (columns.id, columns.split, columns.truth) if name],
        path.name,
    )
    if len(each.rows) < len(table):
        table, images = table.iloc[each.rows], images.some(each.rows)
    labels, disagreements = most_said(each.votes)
    ids = _ids(table, columns, images.names, path.name)
    features = source.features
    if features is not None:
        features = features[source.table.index.get_indexer(table.index)]
    pixels: PixelSource
    if source.packed is not None:
        pixels = PackedPixels(path, source.packed, np.array(images.keys, np.int64))
    elif columns.files:
        pixels = images.pixels()
    else:
        pixels = TextPixels(_shown(table, ids))
    return Found(
        name=readable(path.stem),
        pixels=pixels,
        ids=ids,
        labels=labels,
        truth=columns.truths(table),
        votes=each.votes,
        split=columns.splits(table),
        columns=_other_columns(table, columns, each.differing, source.is_text),
        features=features,
        skipped=(*source.skipped, *broken, *each.again),
        notes=(*source.notes, *notes, *disagreements),
    )


def named_embeddings(path: Path) -> tuple[list[str], Features]:
    """Return the embeddings in a table, and what each is of by its `id` or `path`.

    Raises
    ------
    DataError
        The table cannot be read, or has neither `id` nor `path`.
    """
    source = _read(path)
    names = list(source.table.columns)
    files = [file for _, file in channel_columns(names)]
    known = named(names, "id") or (files[0] if files else None)
    if known is None:
        raise DataError(
            f"The table {path.name} does not say of which images its embeddings are: "
            "add a column “id” or “path”."
        )
    _check_rows(source, path)
    return texts(source.table[known]), source.features


def _check_rows(source: _Source, path: Path) -> None:
    if not len(source.table.index) and not source.names:
        first = source.skipped[0] if source.skipped else None
        why = f" that can be used; {first.name} {first.reason}" if first else ""
        raise DataError(f"The table {path} has no rows{why}: list one image per row.")


class _Source(NamedTuple):
    """A table as it was read; see `TextTable` and `Parquet`.

    Its columns are all but those of `features`, as `embeddings_of` takes them out.
    """

    table: pd.DataFrame
    is_text: bool
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    packed: str | None = None
    names: Sequence[str] = ()
    class_names: Mapping[str, Sequence[str]] = {}
    features: Features = None


class _Columns(NamedTuple):
    """Which columns are which."""

    files: list[tuple[str | None, str]]
    labels: list[str]
    split: str | None
    id: str | None
    truth: str | None

    @classmethod
    def of(cls, source: _Source, title: str) -> _Columns:
        """Recognise them.

        Raises
        ------
        DataError
            None of them names images, nor has it embeddings.
        """
        table = source.table
        names = list(table.columns)
        files = channel_columns(names) if source.packed is None else []
        can_do = files or source.packed is not None or source.features is not None
        if (names or len(table)) and not can_do:
            raise DataError(
                f"The table {title} has no column 'path', only "
                f"{shortened(', '.join(map(repr, names)), 300)}: add one with the "
                f"image files, relative to the table, or columns with embeddings."
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
    """Read the table, and take the embeddings out of it."""
    with reading("table", path):
        match path.suffix.lower():
            case ".parquet":
                source = _read_parquet(path)
            case ".h5ad":
                source = _Source(_counted(read_annotated(path)), False)
            case _:
                text = read_text_table(path, lambda names: bool(channel_columns(names)))
                source = _Source(text.table, True, text.skipped, text.notes)
        table, features, about = embeddings_of(source.table, path.name)
    return source._replace(
        table=table, features=features, notes=(*source.notes, *about)
    )


def _counted(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose rows are counted from 1, with text for names."""
    table = table.set_axis(range(1, len(table) + 1))
    table.columns = table.columns.map(str)
    return table


def _read_parquet(path: Path) -> _Source:
    held = read_parquet(path)
    table = _counted(held.table)
    return _Source(
        table,
        False,
        packed=held.column,
        names=held.names,
        class_names=held.class_names,
    )


def _images(source: _Source, columns: _Columns, base: Path) -> RowImages:
    """Return the image of each row, or the point in its place, or why there is none."""
    if source.packed is not None:
        return packed_images(source.names)
    if columns.files or source.features is None:
        return images_of_rows(source.table, columns.files, base)
    width = len(str(len(source.table)))
    names = (
        [f"{row:0{width}d}" for row in source.table.index]
        if columns.id is None
        else texts(source.table[columns.id])
    )
    return points_of_rows(names, source.features)


def _shown(table: pd.DataFrame, ids: Sequence[str]) -> tuple[str, ...]:
    """Return what stands for each point that has no image: its text, or its id."""
    column = named(list(table.columns), TEXTS)
    said = ids if column is None else texts(table[column])
    return tuple(shortened(text or one) for text, one in zip(said, ids, strict=True))


def _clean(
    table: pd.DataFrame, columns: _Columns, class_names: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Write parts and labels in the table as they are meant; say which are none."""
    if columns.split is not None:
        parts = texts(table[columns.split])
        numbers = {
            str(part.value): part.name.lower()
            for part in Split
            if part is not Split.REJECTED
        }
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
    table: pd.DataFrame, images: RowImages, columns: _Columns, title: str
) -> tuple[pd.DataFrame, RowImages, list[Skipped]]:
    """Leave out the rows that cannot be used; refuse the table if half of them are."""
    reasons = dict(images.flaws)
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
    if not reasons and len(table):
        return table, images, []
    order, total = sorted(reasons), len(table)
    if 2 * len(reasons) >= total:
        raise DataError(
            _too_many(title, [reasons[at] for at in sorted(reasons)], total)
        )
    skipped = [
        Skipped(
            f"row {table.index[row]}"
            if row in images.flaws
            else shortened(images.names[row]),
            reasons[row],
        )
        for row in order
    ]
    kept = [row for row in range(total) if row not in reasons]
    return table.iloc[kept], images.some(kept), skipped


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
    table: pd.DataFrame, columns: _Columns, names: Sequence[str], title: str
) -> list[str]:
    """Return a unique name for each image."""
    if columns.id is None:
        ids = [readable(name) for name in names]
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
