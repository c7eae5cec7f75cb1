"""Image files that lie in a Parquet file, as in data sets of Hugging Face."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.columns import PATHS, named
from napari_spaceediting.data.files import decoded
from napari_spaceediting.data.meaning import Unfit
from napari_spaceediting.data.pixels import digest, file_stamp
from napari_spaceediting.errors import DataError, reason_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_ONE_AT_A_TIME = Lock()


class Parquet(NamedTuple):
    """What a Parquet file holds.

    Parameters
    ----------
    table : DataFrame
        All columns but that of the images.
    column : str or None
        The one with the files of images, None where they lie elsewhere.
    names : list of str
        What those are called, "" for nothing.
    class_names : dict
        For columns whose numbers stand for classes, the names of these.
    """

    table: pd.DataFrame
    column: str | None
    names: list[str]
    class_names: dict[str, list[str]]


def read_parquet(path: Path) -> Parquet:
    """Read a table, without the images that may lie in it."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    column = named([field.name for field in schema if _holds_files(field.type)], PATHS)
    others = [name for name in schema.names if name != column]
    table = pq.read_table(path, columns=others).to_pandas()
    table = table.reset_index(drop=not any(table.index.names))
    names: list[str] = []
    if column is not None:
        names = [""] * len(table)
        if "path" in _children(schema.field(column).type):
            with pq.ParquetFile(path) as file:
                found = file.read([f"{column}.path"]).column(column)
            names = [(entry or {}).get("path") or "" for entry in found.to_pylist()]
    return Parquet(table, column, names, _class_names(schema))


@dataclass(frozen=True, eq=False)
class PackedPixels:
    """Image files in a column of a Parquet file.

    Parameters
    ----------
    column : str
        Of bytes, or of records with `bytes`.
    rows : (N,) int64 array
        Rows of the images.
    """

    path: Path
    column: str
    rows: NDArray[np.int64]
    n_channels: int = 1

    def __len__(self) -> int:
        return len(self.rows)

    def files(self) -> list[Path]:
        """Return what tells the images apart: the rows, as if they lay in a folder."""
        path = self.path.resolve()
        return [path / str(row) for row in self.rows]

    def read(self, index: int) -> NDArray[Any]:
        """Return image `index`, decoded from its bytes."""
        row = int(self.rows[index])
        try:
            starts = _starts(self.path)
            group = int(np.searchsorted(starts, row, side="right")) - 1
            with _ONE_AT_A_TIME:
                files = _files(self.path, file_stamp(self.path), self.column, group)
            data = files[row - int(starts[group])]
            if data is None:
                raise Unfit("holds no image")
            return decoded(BytesIO(data))
        except Unfit as error:
            raise DataError(f"Image {row + 1} of {self.path} {error}.") from error
        except Exception as error:
            # Decoders of damaged files raise anything.
            raise DataError(
                f"Image {row + 1} of {self.path} cannot be read ({reason_of(error)})."
            ) from error

    def header(self, index: int) -> None:
        """Return None: only decoding tells."""

    def some(self, indices: NDArray[np.intp]) -> PackedPixels:
        """Return a source of only the images at `indices`, in that order."""
        return replace(self, rows=self.rows[indices])

    def key(self) -> str:
        """Return a digest of path, size and time of change, and of the rows."""
        return digest(
            (file_stamp(self.path), self.column.encode(), self.rows.tobytes())
        )


@lru_cache(maxsize=16)
def _starts(path: Path) -> NDArray[np.int64]:
    """Return the first row of each group of a file."""
    import pyarrow.parquet as pq

    about = pq.read_metadata(path)
    counts = [about.row_group(k).num_rows for k in range(about.num_row_groups)]
    return np.cumsum([0, *counts[:-1]])


@lru_cache(maxsize=2)
def _files(path: Path, _stamp: bytes, column: str, group: int) -> list[bytes | None]:
    """Return the bytes of the images of a group of rows."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        is_record = bool(_children(file.schema_arrow.field(column).type))
        wanted = f"{column}.bytes" if is_record else column
        found = file.read_row_group(group, columns=[wanted]).column(column)
    entries = found.to_pylist()
    return [(e or {}).get("bytes") for e in entries] if is_record else entries


def _children(kind: pa.DataType) -> list[str]:
    """Return the names in a record, none for other types."""
    import pyarrow as pa

    if not pa.types.is_struct(kind):
        return []
    return [kind.field(k).name for k in range(kind.num_fields)]


def _holds_files(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return (
        "bytes" in _children(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def _class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Return the names of classes that Hugging Face keeps beside the columns."""
    about = (schema.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(about or b"{}")["info"]["features"]
        return {
            name: [str(n) for n in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
