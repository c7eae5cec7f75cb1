"""The layer that images were cut out of, and which of its objects each image is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset

if TYPE_CHECKING:
    from napari.layers import Labels

COLUMNS = "plane", "object", "y", "x"
"""That tell of an image which object it is, and where."""
_USUAL_AREA = 1000
"""Pixels of an object of which no area is known."""
_SPARSE = 10
"""Labels for each object above which most rows of a table would be empty."""
_ASKED = 20
"""Objects at most that a layer is asked for."""
_MOST = 0.5
"""Share of the objects whose middle lies within them, at least; some are hollow."""


class Source:
    """Which image each object of a layer is.

    Parameters
    ----------
    layer : Labels
        The segmentation, (H, W) or (P, H, W).
    dataset : ImageDataset
        Has the `COLUMNS`.
    """

    def __init__(self, layer: Labels, dataset: ImageDataset) -> None:
        self.layer, self.dataset = layer, dataset
        plane, number, y, x = (dataset.columns[name] for name in COLUMNS)
        self._planes, self.numbers = plane.astype(int), number.astype(int)
        self.middles = np.stack([y, x], axis=1)
        area = dataset.columns.get("area", np.array([_USUAL_AREA]))
        self.side = float(np.median(area) ** 0.5 * layer.scale[-1])
        """Usual side of an object, in napari's coordinates."""

    def image_of(self, number: int, plane: int) -> int:
        """Return the image of an object in a plane, -1 where it is none."""
        found = np.flatnonzero((self.numbers == number) & (self._planes == plane))
        return int(found[0]) if len(found) else -1

    def images_in(self, plane: int) -> NDArray[np.int64]:
        """Return the images of the objects in a plane."""
        return np.flatnonzero(self._planes == plane)

    def middle_of(self, image: int) -> NDArray[np.float64]:
        """Return where the object of an image is in its plane, in napari's (2,)."""
        at = np.zeros(self.layer.ndim)
        at[-2:] = self.middles[image]
        return np.asarray(self.layer.data_to_world(at))[-2:]

    def plane_of(self, image: int) -> int:
        """Return the plane that an image comes from."""
        return int(self._planes[image])


def by_label(
    numbers: NDArray[np.integer], features: Mapping[str, NDArray[np.generic]]
) -> dict[str, NDArray[np.generic]]:
    """Return features of objects as napari's table has them: a row for each label.

    Rows of labels that are no objects are empty. Where labels are few among many
    numbers, the rows are those of the objects, with their numbers as "index".
    """
    n_rows = int(numbers.max(initial=0)) + 1
    if n_rows > _SPARSE * (len(numbers) + 1):
        return {"index": numbers, **features}
    table = {}
    for name, values in features.items():
        empty = np.nan if values.dtype.kind == "f" else values.dtype.type()
        table[name] = np.full(n_rows, empty, values.dtype)
        table[name][numbers] = values
    return table


def find_source(layers: Iterable[object], dataset: ImageDataset) -> Source | None:
    """Return the layer of which the images are the objects, None where there is none.

    It is told by what lies at the middle of some objects, so that it is found again
    when a saved session is opened beside the same segmentation.
    """
    from napari.layers import Labels

    if not all(
        name in dataset.columns and dataset.columns[name].dtype.kind in "iuf"
        for name in COLUMNS
    ):
        return None
    for layer in layers:
        if isinstance(layer, Labels) and layer.ndim in (2, 3) and not layer.multiscale:
            source = Source(layer, dataset)
            if _fits(source):
                return source
    return None


def _fits(source: Source) -> bool:
    data = source.layer.data
    step = -(-len(source.numbers) // _ASKED)
    images = np.arange(0, len(source.numbers), step)
    hits = 0
    for image in images.tolist():
        row, column = np.rint(source.middles[image]).astype(int)
        at = (source.plane_of(image), row, column)[-data.ndim :]
        inside = all(
            0 <= each < size for each, size in zip(at, data.shape, strict=True)
        )
        hits += inside and int(np.asarray(data[at])) == source.numbers[image]
    return hits >= _MOST * len(images)
