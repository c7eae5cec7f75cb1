"""Read a table that names one image file per row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.assemble import Found
from napari_spaceediting.data.dataset import Skipped, repeated
from napari_spaceediting.data.files import reading
from napari_spaceediting.data.pixels import FilePixels
from napari_spaceediting.data.splits import split_from_names
from napari_spaceediting.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet"})

_COLUMNS = {
    "path": ("path", "file", "filename", "image"),
    "label": ("label", "class"),
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
        blank labels are unknown. All other columns are kept as they are.

    Returns
    -------
    Found
        Ids are the paths of the table, unless it has a column `id`.

    Raises
    ------
    DataError
        There is no column `path`, paths or ids occur twice, a split is unknown, or
        half of the files are missing.
    """
    path = path.resolve()
    table = _read(path)
    known = _known_columns(table, path)
    names = _texts(table[known["path"]])
    if "" in names:
        raise DataError(
            f"The table {path.name} has no path in row {names.index('') + 1}: fill it "
            f"in or remove the row."
        )
    ids = _texts(table[known["id"]]) if "id" in known else names
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
    table = table.iloc[there]
    split = None
    if "split" in known:
        # A row without a split may only train: nothing is measured on it.
        given = [name or "train" for name in _texts(table[known["split"]])]
        split = split_from_names(given)
    return Found(
        name=path.stem,
        pixels=FilePixels(tuple(files[i].absolute() for i in there), n_channels=1),
        ids=[ids[i] for i in there],
        labels=_labels(table, known.get("label")) or [None] * len(there),
        truth=_labels(table, known.get("truth")),
        split=split,
        columns=_other_columns(table, known),
        skipped=tuple(
            Skipped(ids[i], f"the file {names[i]} is missing")
            for i in np.flatnonzero(~exists)
        ),
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
            header = pd.read_csv(path, sep=separator, nrows=0).columns
            as_text = {
                name: str for name in header if name.strip().lower() in recognised
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


def _texts(column: pd.Series[Any]) -> list[str]:
    """Return stripped texts, empty where a value is missing."""
    known = column.astype(object).where(column.notna(), "")
    return [str(value).strip() for value in known]


def _labels(table: pd.DataFrame, name: str | None) -> list[str | None] | None:
    """Return class names, None where blank; or None if there is no such column."""
    if name is None:
        return None
    return [text or None for text in _texts(table[name])]


def _other_columns(
    table: pd.DataFrame, known: dict[str, str]
) -> dict[str, NDArray[Any]]:
    """Return the remaining columns as numbers, booleans or text."""
    columns: dict[str, NDArray[Any]] = {}
    for name in table.columns:
        if name in known.values():
            continue
        values = table[name].to_numpy()
        if values.dtype.kind not in "buif":
            values = np.array(_texts(table[name]), dtype=np.str_)
        columns[str(name)] = values
    return columns
