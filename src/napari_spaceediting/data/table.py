"""Read a table that names one image file per row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.assemble import Found
from napari_spaceediting.data.dataset import Skipped, repeated
from napari_spaceediting.data.files import reading
from napari_spaceediting.data.people import label_columns, one_row_each, texts
from napari_spaceediting.data.pixels import FilePixels
from napari_spaceediting.data.soft_labels import most_said
from napari_spaceediting.data.splits import split_from_names
from napari_spaceediting.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet"})

_COLUMNS = {
    "path": ("path", "file", "filename", "image"),
    "split": ("split",),
    "id": ("id",),
    "truth": ("truth",),
}
"""Names under which a column is recognised, in any case, the first one preferred."""


def find_in_table(path: Path) -> Found:
    """Find the images that a table lists.

    Parameters
    ----------
    path : Path
        A `.csv`, `.tsv` or `.parquet` file. The column `path` names image files,
        relative to the table; `label`, `split`, `id` and `truth` are optional, and
        blank labels are unknown. All other columns are kept as they are. Where several
        people named the images, each has a column, such as `label_1` and `label_2`, or
        rows, with a column `person` or `annotator` that says whose they are.

    Returns
    -------
    Found
        Ids are the paths of the table, unless it has a column `id`.

    Raises
    ------
    DataError
        There is no column `path`, paths or ids occur twice, a split is unknown, rows
        of an image contradict each other, or half of the files are missing.
    """
    path = path.resolve()
    table = _read(path)
    known = _known_columns(table, path)
    names = texts(table[known["path"]])
    if "" in names:
        raise DataError(
            f"The table {path.name} has no path in row {names.index('') + 1}: fill it "
            f"in or remove the row."
        )
    labelling = label_columns(table)
    same = [known[meaning] for meaning in ("id", "split", "truth") if meaning in known]
    table, votes = one_row_each(table, known["path"], same, path.name)
    names = texts(table[known["path"]])
    ids = texts(table[known["id"]]) if "id" in known else names
    for what, values in (("path", names), ("id", ids)):
        if again := repeated(values):
            raise DataError(
                f"The table {path.name} lists the {what} {again} more than once: each "
                f"must be unique."
            )

    files = [path.parent / name for name in names]
    exists = np.array([file.exists() for file in files])
    missing = [name for name, there in zip(names, exists, strict=True) if not there]
    if 2 * len(missing) >= len(names):
        raise DataError(
            f"{len(missing):,} of the {len(names):,} files that {path.name} lists are "
            f"missing, such as {', '.join(missing[:5])}: paths must be relative to "
            f"the table."
        )
    there = np.flatnonzero(exists)
    table, votes = table.iloc[there], [votes[i] for i in there]
    labels, notes = most_said(votes)
    split = None
    if "split" in known:
        # A row without a split may only train: nothing is measured on it.
        given = [name or "train" for name in texts(table[known["split"]])]
        split = split_from_names(given)
    return Found(
        name=path.stem,
        pixels=FilePixels(tuple(files[i].absolute() for i in there), n_channels=1),
        ids=[ids[i] for i in there],
        labels=labels,
        truth=_labels(table, known.get("truth")),
        votes=votes,
        split=split,
        columns=_other_columns(
            table, [*known.values(), *(labelling if len(labelling) == 1 else ())]
        ),
        skipped=tuple(
            Skipped(ids[i], f"the file {names[i]} is missing")
            for i in np.flatnonzero(~exists)
        ),
        notes=notes,
    )


def _read(path: Path) -> pd.DataFrame:
    """Read the table; recognised columns of text files stay text, as in `007`."""
    import pandas as pd

    suffix = path.suffix.lower()
    with reading("table", path):
        if suffix == ".parquet":
            table = pd.read_parquet(path)
        else:
            separator = "\t" if suffix == ".tsv" else ","
            recognised = {name for names in _COLUMNS.values() for name in names}
            header = pd.read_csv(path, sep=separator, nrows=0)
            labels = label_columns(header)
            as_text = {
                name: str
                for name in header.columns
                if name in labels or name.strip().lower() in recognised
            }
            table = pd.read_csv(path, sep=separator, dtype=as_text)
    if table.empty:
        raise DataError(f"The table {path} has no rows: list one image per row.")
    return table


def _known_columns(table: pd.DataFrame, path: Path) -> dict[str, str]:
    """Return the table's own name of every recognised column."""
    own = {str(name).strip().lower(): str(name) for name in table.columns}
    known = {
        meaning: own[next(alias for alias in aliases if alias in own)]
        for meaning, aliases in _COLUMNS.items()
        if any(alias in own for alias in aliases)
    }
    if "path" not in known:
        raise DataError(
            f"The table {path.name} has no column 'path', only "
            f"{', '.join(map(repr, map(str, table.columns)))}: add one with the image "
            f"files, relative to the table."
        )
    return known


def _labels(table: pd.DataFrame, name: str | None) -> list[str | None] | None:
    """Return class names, None where blank; or None if there is no such column."""
    if name is None:
        return None
    return [text or None for text in texts(table[name])]


def _other_columns(
    table: pd.DataFrame, known: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Return the remaining columns as numbers, booleans or text."""
    columns: dict[str, NDArray[Any]] = {}
    for name in table.columns:
        if name in known:
            continue
        values = table[name].to_numpy()
        if values.dtype.kind not in "buif":
            values = np.array(texts(table[name]), dtype=np.str_)
        columns[str(name)] = values
    return columns
