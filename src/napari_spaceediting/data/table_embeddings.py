"""Embeddings in the columns of a table, or in a file of annotated data."""

from __future__ import annotations

import re
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.columns import named
from napari_spaceediting.data.embeddings import Features, as_embeddings
from napari_spaceediting.data.people import texts
from napari_spaceediting.data.text_table import values_of
from napari_spaceediting.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_LIST_NAMES = "embedding embeddings features vector latents latent"
"""Names of columns that hold a whole embedding, the first one preferred."""
_OBSM = "obsm "
"""What the name of a matrix of annotated data begins with here."""
_SET_NAMES = frozenset(
    {"", "embedding", "embeddings", "emb", "feature", "features", "feat", "vector"}
    | {"vec", "latent", "latents", "dim", "pc", "z", "f"}
)
"""What the names of columns begin with that hold a number of it each."""
_LEAST = 8
"""Numbers that make an embedding, at least, unless it is called so: fewer may be
measurements, or the corners of a box."""
_NUMBERED = re.compile(r"(.*?)[ _.\-]?(\d+)")


def embeddings_of(
    table: pd.DataFrame, name: str
) -> tuple[pd.DataFrame, Features, tuple[str, ...]]:
    """Take the embeddings out of a table, if it has some.

    They are a column of lists of numbers, such as `embedding`, or at least 8 columns of
    numbers that are counted up from 0 or 1, such as `emb_0`, `emb_1` and so on.

    Parameters
    ----------
    table : DataFrame
        N rows.

    Returns
    -------
    DataFrame
        The other columns.
    (N, F) float32 array or None
        The embeddings; a row is NaN where one is missing.
    tuple of str
        Which columns they are, in a sentence.

    Raises
    ------
    DataError
        Several columns could be the embedding, or their lengths differ.
    """
    lists = [column for column in table.columns if _holds_embeddings(table[column])]
    if lists:
        known = named(lists, _LIST_NAMES)
        if known is None and len(lists) > 1:
            raise DataError(
                f"The table {name} has several columns of lists, "
                f"{', '.join(map(repr, lists))}: call the one that is to be "
                "used “embedding”."
            )
        chosen = known or lists[0]
        rows = _stacked(table[chosen], name)
        words = f"The column “{chosen}” is taken as embeddings"
        table = table.drop(columns=lists)
    else:
        columns = _numbered(table)
        if not columns:
            return table, None, ()
        rows = np.stack(list(columns.values()), axis=1)
        first, *_, last = columns
        words = f"The columns {first} to {last} are taken as embeddings"
        table = table.drop(columns=list(columns))
    rows = as_embeddings(rows, name)
    return table, rows, (f"{words} of {rows.shape[1]:,} numbers.",)


def _holds_embeddings(column: pd.Series[Any]) -> bool:
    """Whether a column holds lists of numbers that are called or long enough for it."""
    if column.dtype != object:
        return False
    first = next((value for value in column if value is not None), None)
    if not isinstance(first, (list, tuple, np.ndarray)) or len(first) < 2:
        return False
    name = str(column.name)
    is_called = name.startswith(_OBSM) or named([name], _LIST_NAMES) is not None
    return isinstance(first[0], Real) and (is_called or len(first) >= _LEAST)


def _stacked(column: pd.Series[Any], name: str) -> NDArray[np.float32]:
    """Return the lists of a column as rows, of NaN where there is none."""
    values = column.to_list()
    is_list = [isinstance(value, (list, tuple, np.ndarray)) for value in values]
    width = len(values[is_list.index(True)])
    nothing = np.full(width, np.nan, np.float32)
    rows = np.empty((len(values), width), np.float32)
    for at, (value, there) in enumerate(zip(values, is_list, strict=True)):
        row = value if there else nothing
        if len(row) != width:
            raise DataError(
                f"The embeddings of {name} have {width:,} numbers, but the one in row "
                f"{at + 1} has {len(row):,}: all must be of one length."
            )
        try:
            rows[at] = row
        except (TypeError, ValueError) as error:
            raise DataError(
                f"The embedding in row {at + 1} of {name} holds what is no number."
            ) from error
    return rows


def _numbered(table: pd.DataFrame) -> dict[str, NDArray[np.float32]]:
    """Return the columns of one embedding in their order; none if there is none."""
    sets: dict[str, dict[int, str]] = {}
    for column in table.columns:
        match = _NUMBERED.fullmatch(str(column).strip().lower())
        if match and match[1] in _SET_NAMES:
            sets.setdefault(match[1], {})[int(match[2])] = column
    for columns in sorted(sets.values(), key=len, reverse=True):
        at = sorted(columns)
        if len(at) < _LEAST or at[0] not in (0, 1) or np.any(np.diff(at) != 1):
            continue
        rows = {columns[number]: _numbers(table[columns[number]]) for number in at}
        found = {name: row for name, row in rows.items() if row is not None}
        if len(found) == len(rows):
            return found
    return {}


def _numbers(column: pd.Series[Any]) -> NDArray[np.float32] | None:
    """Return a column as numbers, None if it holds others than these."""
    if column.dtype.kind == "b":
        return None
    try:
        return column.to_numpy(np.float32)
    except (TypeError, ValueError):  # empty cells, decimal commas, or words
        values = values_of(texts(column))
    return values.astype(np.float32) if values.dtype.kind in "iuf" else None


def read_annotated(path: Path) -> pd.DataFrame:
    """Read a `.h5ad` file as a table: its `obs`, and the widest matrix of `obsm`.

    Raises
    ------
    DataError
        It holds no matrix but drawn maps, or h5py is missing.
    """
    import pandas as pd

    try:
        import h5py
    except ImportError as error:
        raise DataError(
            f"{path.name} needs a package that reads it: pip install "
            "napari-spaceediting[anndata]."
        ) from error
    with h5py.File(path) as file:
        matrices = {
            key: value
            for key, value in file.get("obsm", {}).items()
            if isinstance(value, h5py.Dataset) and value.ndim == 2
        }
        wide = {k: v for k, v in matrices.items() if v.shape[1] > 3}
        if not wide:
            raise DataError(
                f"{path.name} has no embedding in obsm, only "
                f"{', '.join(map(repr, matrices)) or 'nothing at all'}: put one there, "
                "such as “X_pca”."
            )
        key = max(wide, key=lambda k: wide[k].shape[1])
        obs = file["obs"]
        index = obs.attrs.get("_index", "_index")
        table = pd.DataFrame({"id": _values(obs[index])})
        for name in obs.attrs.get("column-order", ()):
            table[str(name)] = _values(obs[name])
        rows = wide[key][...].astype(np.float32)
    table[f"{_OBSM}{key}"] = list(rows)
    return table


def _values(stored: Any) -> Any:
    """Return a column of `obs`: plain, of categories, or with some values missing."""
    import h5py
    import pandas as pd

    if isinstance(stored, h5py.Dataset):
        values = stored[...]
        return stored.asstr()[...] if values.dtype.kind == "O" else values
    if "categories" in stored:
        names = [*_values(stored["categories"]), None]
        return [names[code] for code in stored["codes"][...]]  # -1 is the last one
    values = pd.Series(_values(stored["values"]), dtype=object)
    values[stored["mask"][...].astype(bool)] = None
    return values
