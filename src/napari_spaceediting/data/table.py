"""Read a table that names one image file per row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.assemble import Found
from napari_spaceediting.data.dataset import Skipped, repeated
from napari_spaceediting.data.embeddings import Features, embeddings_of, read_annotated
from napari_spaceediting.data.files import reading
from napari_spaceediting.data.people import label_columns, one_row_each, texts
from napari_spaceediting.data.pixels import FilePixels, PixelSource
from napari_spaceediting.data.soft_labels import most_said
from napari_spaceediting.data.splits import split_from_names
from napari_spaceediting.data.texts import TextPixels, shortened
from napari_spaceediting.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet", ".h5ad"})

_COLUMNS = {
    "path": ("path", "file", "filename", "image"),
    "split": ("split",),
    "id": ("id",),
    "truth": ("truth",),
}
"""Names under which a column is recognised, in any case, the first one preferred."""
_TEXTS = "text", "caption", "title", "name"
"""Names of a column that says what stands for a point without an image."""


def find_in_table(path: Path) -> Found:
    """Find the images that a table lists.

    Parameters
    ----------
    path : Path
        A `.csv`, `.tsv` or `.parquet` file. The column `path` names image files,
        relative to the table; `label`, `split`, `id` and `truth` are optional, and
        blank labels are unknown. Columns may hold embeddings (`embeddings_of`), as a
        `.h5ad` file does (`read_annotated`); then `path` is optional, too, and points
        without images are shown by their `text` or id. A column `group` says which
        images belong together. All other columns are kept as they are. Where several
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
    table, features, about = embeddings_of(_read(path), path.name)
    known = _known_columns(table, path, needs_path=features is None)
    with_images = "path" in known
    if not with_images:
        numbers = [f"{at:0{len(str(len(table)))}d}" for at in range(1, len(table) + 1)]
        named = table[known["id"]] if "id" in known else numbers
        known["path"] = "path"
        table = table.assign(path=named)
    names = texts(table[known["path"]])
    if "" in names:
        raise DataError(
            f"The table {path.name} has no {'path' if with_images else 'id'} in row "
            f"{names.index('') + 1}: fill it in or remove the row."
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
    exists = np.ones(len(names), bool)
    if with_images:
        exists = _existing(files, names, path)
    skipped = tuple(
        Skipped(ids[i], f"the file {names[i]} is missing")
        for i in np.flatnonzero(~exists)
    )
    there = np.flatnonzero(exists)
    table, votes = table.iloc[there], [votes[i] for i in there]
    labels, notes = most_said(votes)
    ids = [ids[i] for i in there]
    pixels: PixelSource = TextPixels(_shown(table, ids))
    if with_images:
        pixels = FilePixels(tuple(files[i].absolute() for i in there), n_channels=1)
    return Found(
        name=path.stem,
        pixels=pixels,
        ids=ids,
        labels=labels,
        truth=_labels(table, known.get("truth")),
        votes=votes,
        split=_split(table, known.get("split")),
        columns=_other_columns(
            table, [*known.values(), *(labelling if len(labelling) == 1 else ())]
        ),
        features=None if features is None else features[table.index],
        skipped=skipped,
        notes=(*about, *notes),
    )


def named_embeddings(path: Path) -> tuple[list[str], Features]:
    """Return the embeddings in a table, and what each is of by its `id` or `path`.

    Raises
    ------
    DataError
        The table cannot be read, or has neither `id` nor `path`.
    """
    table, features, _ = embeddings_of(_read(path), path.name)
    known = _known_columns(table, path, needs_path=False)
    if "id" not in known and "path" not in known:
        raise DataError(
            f"The table {path.name} does not say of which images its embeddings are: "
            "add a column “id” or “path”."
        )
    return texts(table[known.get("id", known.get("path"))]), features


def _existing(
    files: Sequence[Path], names: Sequence[str], path: Path
) -> NDArray[np.bool_]:
    """Tell which files exist; at least half of them must."""
    exists = np.array([file.exists() for file in files])
    missing = [name for name, there in zip(names, exists, strict=True) if not there]
    if 2 * len(missing) >= len(names):
        raise DataError(
            f"{len(missing):,} of the {len(names):,} files that {path.name} lists are "
            f"missing, such as {', '.join(missing[:5])}: paths must be relative to "
            f"the table."
        )
    return exists


def _read(path: Path) -> pd.DataFrame:
    """Read the table; recognised columns of text files stay text, as in `007`."""
    import pandas as pd

    suffix = path.suffix.lower()
    with reading("table", path):
        if suffix == ".parquet":
            table = pd.read_parquet(path)
            table = table.reset_index(drop=table.index.name is None)
        elif suffix == ".h5ad":
            table = read_annotated(path)
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


def _known_columns(
    table: pd.DataFrame, path: Path, *, needs_path: bool = True
) -> dict[str, str]:
    """Return the table's own name of every recognised column."""
    own = {str(name).strip().lower(): str(name) for name in table.columns}
    known = {
        meaning: own[next(alias for alias in aliases if alias in own)]
        for meaning, aliases in _COLUMNS.items()
        if any(alias in own for alias in aliases)
    }
    if needs_path and "path" not in known:
        raise DataError(
            f"The table {path.name} has no column 'path', only "
            f"{', '.join(map(repr, map(str, table.columns)))}: add one with the image "
            f"files, relative to the table, or columns with embeddings."
        )
    return known


def _shown(table: pd.DataFrame, ids: Sequence[str]) -> tuple[str, ...]:
    """Return what stands for each point that has no image: its text, or its id."""
    own = {str(name).strip().lower(): name for name in table.columns}
    name = next((own[text] for text in _TEXTS if text in own), None)
    if name is None:
        return shortened(ids)
    said = texts(table[name])
    return shortened([text or one for text, one in zip(said, ids, strict=True)])


def _labels(table: pd.DataFrame, name: str | None) -> list[str | None] | None:
    """Return class names, None where blank; or None if there is no such column."""
    if name is None:
        return None
    return [text or None for text in texts(table[name])]


def _split(table: pd.DataFrame, name: str | None) -> NDArray[np.int8] | None:
    """Return the parts that are given; or None if there is no such column."""
    if name is None:
        return None
    # A row without a split may only train: nothing is measured on it.
    return split_from_names([said or "train" for said in texts(table[name])])


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
