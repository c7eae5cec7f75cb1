"""Where the images are that the rows of a table name."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlparse

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.channels import ChannelPixels
from napari_spaceediting.data.names import shortened
from napari_spaceediting.data.people import texts
from napari_spaceediting.data.pixels import FilePixels, PixelSource

if TYPE_CHECKING:
    import pandas as pd


class RowImage(NamedTuple):
    """The image of a row.

    Parameters
    ----------
    name : str
        What the table calls it.
    files : tuple of Path
        Its file, or one for each channel.
    key : object
        The same for the same image, however it is called.
    """

    name: str
    files: tuple[Path, ...]
    key: Hashable


def images_of_rows(
    table: pd.DataFrame, columns: Sequence[tuple[str | None, str]], base: Path
) -> list[RowImage | str]:
    """Find the image of each row.

    Parameters
    ----------
    table : DataFrame
    columns : sequence of (str or None, str)
        For each channel those that name the folder, if one does, and the file.
    base : Path
        The folder that paths are relative to.

    Returns
    -------
    list
        For each row its image, or why there is none.
    """
    channels = []
    for folder, file in columns:
        names = texts(table[file])
        if folder is not None:
            pairs = zip(texts(table[folder]), names, strict=True)
            names = [
                f"{into}/{name}" if into and name else name for into, name in pairs
            ]
        channels.append(names)
    return [_image(names, base) for names in zip(*channels, strict=True)]


def pixels_of(images: Sequence[RowImage]) -> PixelSource:
    """Return the pixels of images in files."""
    channels = zip(*(image.files for image in images), strict=True)
    sources = tuple(FilePixels(tuple(paths), n_channels=1) for paths in channels)
    return sources[0] if len(sources) == 1 else ChannelPixels(sources)


def points_of_rows(
    names: Sequence[str], embeddings: NDArray[np.float32]
) -> list[RowImage | str]:
    """Return points in place of images; what has one name and embedding is one."""
    return [
        RowImage(name, (), (name, row.tobytes())) if name else "has no id"
        for name, row in zip(names, embeddings, strict=True)
    ]


def packed_images(names: Sequence[str]) -> list[RowImage | str]:
    """Return the images of rows that hold them; their keys are the rows."""
    is_named = len({*names} - {""}) == len(names)
    width = len(str(len(names)))
    return [
        RowImage(name if is_named else f"{row + 1:0{width}d}", (), row)
        for row, name in enumerate(names)
    ]


def _image(names: Sequence[str], base: Path) -> RowImage | str:
    files, keys = [], []
    for name in names:
        if not name:
            return "has no path"
        found = _file(name, base)
        if isinstance(found, str):
            return found
        files.append(found[0])
        keys.append(found[1])
    return RowImage(names[0], tuple(files), tuple(keys))


def _file(name: str, base: Path) -> tuple[Path, Hashable] | str:
    """Return the file that a cell means and what is the same for all ways to it."""
    shown = shortened(name)
    for spelling in _spellings(name):
        path = base / spelling
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return f"the path {shown} cannot be used ({reason})"
        key: Hashable = (status.st_dev, status.st_ino)
        # Some file systems number nothing.
        return path.absolute(), key if status.st_ino else os.path.realpath(path)
    return f"the file {shown} is missing"


def _spellings(name: str) -> Iterator[str]:
    """Yield a path as it stands, and as other systems would write it."""
    yield name
    if name.startswith("file:"):
        yield unquote(urlparse(name).path)
    slashed = name.replace("\\", "/")
    for form in (slashed, *(unicodedata.normalize(f, slashed) for f in ("NFC", "NFD"))):
        if form != name:
            yield form
