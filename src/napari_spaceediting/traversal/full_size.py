"""Steps of a traversal at the size and in the intensities of the original."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.meaning import with_channels
from napari_spaceediting.data.resize import unfit


def write_full_size(
    dataset: ImageDataset, index: int, steps: NDArray[np.float32], path: Path
) -> None:
    """Write an original and its steps as the pages of a TIFF file.

    Parameters
    ----------
    dataset : ImageDataset
        The images.
    index : int
        Of the original.
    steps : (n, C, height, width) float32 array
        In [0, 1]; the first is the original at the size of the network.
    path : Path
        Of the file.

    Raises
    ------
    DataError
        If the original cannot be read.
    OSError
        If the file cannot be written.
    """
    import tifffile

    # Page by page, and compressed: large images are not kept all at once.
    with tifffile.TiffWriter(path) as file:
        for page in full_size(dataset, index, steps - steps[:1]):
            is_colour = page.ndim == 3 and page.shape[-1] in (3, 4)
            planar = None if page.ndim == 2 or is_colour else "contig"
            file.write(
                page,
                photometric="rgb" if is_colour else "minisblack",
                planarconfig=planar,
                compression="zlib",
                contiguous=False,
            )


def full_size(
    dataset: ImageDataset, index: int, changes: NDArray[np.float32]
) -> Iterator[NDArray[Any]]:
    """Yield an original with each of some changes.

    Where nothing changes the original keeps its pixels to the last bit. Finer details
    than the network saw stay as they are.

    Parameters
    ----------
    dataset : ImageDataset
        The images.
    index : int
        Of the original.
    changes : (n, C, height, width) float32 array
        In units of the scaled intensities, at the size of the network.

    Yields
    ------
    (H, W) or (H, W, C) array
        As the original was read, in its dtype. A grey image among coloured ones has
        their channels.

    Raises
    ------
    DataError
        If the original cannot be read.
    """
    original = with_channels(dataset.original(index), dataset.n_channels)
    size, dtype = (original.shape[0], original.shape[1]), original.dtype
    unit = dataset.scaling.unit(dtype)
    for change in changes:
        larger = unfit(np.moveaxis(change, 0, -1)[None], size)[0]
        made: NDArray[Any] = original + np.float64(larger) * unit
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            made = np.clip(np.rint(made), limits.min, limits.max)
        elif dtype.kind == "b":
            made = made > 0.5
        made = made.astype(dtype)
        yield made[..., 0] if made.shape[-1] == 1 else made
