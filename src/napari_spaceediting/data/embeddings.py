"""Embeddings that others have computed: a row of numbers for each image or point."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.pixels import JoinedPixels, PixelSource, SelectedPixels
from napari_spaceediting.data.texts import TextPixels
from napari_spaceediting.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Features = NDArray[np.float32] | None
"""Embeddings (N, F), or None where there are none."""

_LIST_NAMES = ("embedding", "embeddings", "features", "vector", "latents", "latent")
"""Names of columns that hold a whole embedding, the first one preferred."""
_SET_NAMES = frozenset(
    {"", "embedding", "embeddings", "emb", "feature", "features", "feat", "vector"}
    | {"vec", "latent", "latents", "dim", "pc", "z", "f"}
)
"""What the names of columns begin with that hold a number of it each."""
_LEAST = 8
"""Columns that make an embedding, at least: fewer may be measurements."""
_NUMBERED = re.compile(r"(.*?)[ _.\-]?(\d+)")


def are_images(source: PixelSource) -> bool:
    """Whether there are images, and not pictures of texts in their place."""
    if isinstance(source, JoinedPixels):
        return all(map(are_images, source.sources))
    inner = source.source if isinstance(source, SelectedPixels) else source
    return not isinstance(inner, TextPixels)


def as_embeddings(rows: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Return a matrix as embeddings.

    Raises
    ------
    DataError
        It holds no numbers, or one for each row only.
    """
    if rows.dtype.kind not in "iuf" or rows.shape[1] < 2:
        raise DataError(
            f"{name} has {' x '.join(map(str, rows.shape))} values of {rows.dtype}: an "
            "embedding is a row of at least two numbers."
        )
    return np.ascontiguousarray(rows, np.float32)


def embeddings_of(
    table: pd.DataFrame, name: str
) -> tuple[pd.DataFrame, Features, tuple[str, ...]]:
    """Take the embeddings out of a table, if it has some.

    They are a column of lists of equal length, such as `embedding`, or at least 8
    columns of numbers that are counted up from 0 or 1, such as `emb_0`, `emb_1` and so
    on.

    Parameters
    ----------
    table : DataFrame
        N rows.
    name : str
        What it is called.

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
    lists = [column for column in table.columns if _holds_lists(table[column])]
    if lists:
        known = {str(column).strip().lower(): column for column in reversed(lists)}
        named = [known[alias] for alias in _LIST_NAMES if alias in known]
        if not named and len(lists) > 1:
            raise DataError(
                f"The table {name} has several columns of lists, "
                f"{', '.join(map(repr, map(str, lists)))}: call the one that is to be "
                "used “embedding”."
            )
        chosen = (named or lists)[0]
        rows = _stacked(table[chosen], name)
        words = f"The column “{chosen}” is taken as embeddings"
        table = table.drop(columns=lists)
    else:
        columns = _numbered(table)
        if not columns:
            return table, None, ()
        rows = table[columns].to_numpy(np.float32)
        words = f"The columns {columns[0]} to {columns[-1]} are taken as embeddings"
        table = table.drop(columns=columns)
    rows = as_embeddings(rows, name)
    return table, rows, (f"{words} of {rows.shape[1]:,} numbers.",)


def flaw_of(row: NDArray[np.float32]) -> str:
    """Say in a few words why an embedding cannot be used; "" if it can."""
    if np.isnan(row).all():
        return "has no embedding"
    if not np.isfinite(row).all():
        return "has an embedding with NaN or infinite numbers"
    return "" if row.any() else "has an embedding of zeros only"


def _holds_lists(column: pd.Series[Any]) -> bool:
    if column.dtype != object:
        return False
    first = next((value for value in column if value is not None), None)
    return isinstance(first, (list, tuple, np.ndarray)) and len(first) > 1


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


def _numbered(table: pd.DataFrame) -> list[str]:
    """Return the columns of one embedding in their order; none if there is none."""
    sets: dict[str, dict[int, str]] = {}
    for column in table.columns:
        match = _NUMBERED.fullmatch(str(column).strip().lower())
        if match and match[1] in _SET_NAMES and table[column].dtype.kind in "iuf":
            sets.setdefault(match[1], {})[int(match[2])] = column
    for columns in sorted(sets.values(), key=len, reverse=True):
        numbers = sorted(columns)
        in_turn = numbers[0] in (0, 1) and np.all(np.diff(numbers) == 1)
        if len(numbers) >= _LEAST and in_turn:
            return [columns[number] for number in numbers]
    return []


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
    table[f"obsm {key}"] = list(rows)
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
