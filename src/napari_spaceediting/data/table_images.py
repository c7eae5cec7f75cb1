"""Where the images are that the rows of a table name."""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlparse

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.channels import ChannelPixels
from napari_spaceediting.data.names import shortened
from napari_spaceediting.data.people import texts
from napari_spaceediting.data.pixels import FilePixels, PixelSource
from napari_spaceediting.data.tree import same_place

if TYPE_CHECKING:
    import pandas as pd


class RowImages(NamedTuple):
    """The images of the rows of a table.

    Parameters
    ----------
    names : list of N str
        What the table calls them.
    keys : list of N objects
        The same for the same image, however it is called.
    files : list of lists of N Path
        Their files, for each channel; of no channel where they lie elsewhere.
    flaws : dict
        Of rows that have none, why.
    """

    names: list[str]
    keys: list[Hashable]
    files: list[list[Path]]
    flaws: dict[int, str]

    def some(self, rows: Sequence[int]) -> RowImages:
        """Return those of some rows, which have an image each."""
        names = [self.names[row] for row in rows]
        keys = [self.keys[row] for row in rows]
        files = [[paths[row] for row in rows] for paths in self.files]
        return RowImages(names, keys, files, {})

    def pixels(self) -> PixelSource:
        """Return the pixels of images in files."""
        sources = tuple(FilePixels(tuple(paths), n_channels=1) for paths in self.files)
        return sources[0] if len(sources) == 1 else ChannelPixels(sources)


def images_of_rows(
    table: pd.DataFrame, columns: Sequence[tuple[str | None, str]], base: Path
) -> RowImages:
    """Find the images.

    Parameters
    ----------
    columns : sequence of (str or None, str)
        For each channel those that name the folder, if one does, and the file.
    base : Path
        The folder that paths are relative to.
    """
    found = RowImages([], [], [], {})
    for folder, file in columns:
        names = texts(table[file])
        if folder is not None:
            pairs = zip(texts(table[folder]), names, strict=True)
            names = [
                f"{into}/{name}" if into and name else name for into, name in pairs
            ]
        files, keys = [], []
        for row, name in enumerate(names):
            path, key = _file(name, base)
            files.append(path)
            keys.append(key)
            if isinstance(key, str):
                found.flaws.setdefault(row, key)
        found.files.append(files)
        found.names[:] = found.names or names
        found.keys[:] = [*zip(found.keys, keys, strict=True)] if found.keys else keys
    return found


def points_of_rows(names: Sequence[str], embeddings: NDArray[np.float32]) -> RowImages:
    """Return points in place of images; what has one name and embedding is one."""
    keys: list[Hashable] = [
        (n, row.tobytes()) for n, row in zip(names, embeddings, strict=True)
    ]
    flaws = {row: "has no id" for row, name in enumerate(names) if not name}
    return RowImages(list(names), keys, [], flaws)


def packed_images(names: Sequence[str]) -> RowImages:
    """Return the images of rows that hold them; their keys are the rows."""
    rows = range(len(names))
    if len({*names} - {""}) < len(names):
        width = len(str(len(names)))
        names = [f"{row + 1:0{width}d}" for row in rows]
    return RowImages(list(names), list(rows), [], {})


def _file(name: str, base: Path) -> tuple[Path, int | Path | str]:
    """Return the file that a cell means and what is the same for all ways to it.

    Where there is none, why in place of that.
    """
    if not name:
        return base, "has no path"
    try:
        for spelling in _spellings(name):
            path = base / spelling
            with suppress(FileNotFoundError):
                return path, same_place(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return base, f"the path {shortened(name)} cannot be used ({reason})"
    return base, f"the file {shortened(name)} is missing"


def _spellings(name: str) -> Iterator[str]:
    """Yield a path as it stands, and as other systems would write it."""
    yield name
    if name.startswith("file:"):
        yield unquote(urlparse(name).path)
    elif "%" in name:
        yield unquote(name)
    slashed = name.replace("\\", "/")
    for form in (slashed, *(unicodedata.normalize(f, slashed) for f in ("NFC", "NFD"))):
        if form != name:
            yield form
