"""The map as a picture: dots in the colours of the classes, thumbnails and names."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_spaceediting.colours import named_colours
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.editing.classes import TraitKind
from napari_spaceediting.session.preparing import Preparing

_SIDE, _MARGIN = 1600, 60
_STAMP, _FRAME, _CELL = 44, 3, 56
"""Side of a thumbnail and of its frame, and how far apart two of them are at least."""
_DOT = 3.5
_PAGE, _TEXT = (20, 22, 26), (240, 241, 242)
_DIMMED = 0.45
"""Share of its colour that an image without a label has."""


@dataclass(frozen=True, eq=False)
class MapPicture:
    """What is drawn.

    Parameters
    ----------
    images : (n,) int64 array
        Which of the data set: those that are not rejected.
    places : (n, 2) float32 array
        Row and column of each on the map.
    classes : (n,) int64 array
        Its label or, without one, what the network sees; -1 for neither.
    is_labelled : (n,) bool array
        Whether it is the label.
    colours : (C + 1, 4) float32 array
        Those of the classes, and of none.
    """

    images: NDArray[np.int64] = field(repr=False)
    places: NDArray[np.float32] = field(repr=False)
    classes: NDArray[np.int64] = field(repr=False)
    is_labelled: NDArray[np.bool_] = field(repr=False)
    class_names: tuple[str, ...]
    colours: NDArray[np.float32] = field(repr=False)

    def draw(self, dataset: ImageDataset) -> NDArray[np.uint8]:
        """Return the picture, (side, side, 3).

        Raises
        ------
        DataError
            If an image cannot be read.
        """
        page = Image.new("RGB", (_SIDE, _SIDE), _PAGE)
        draw = ImageDraw.Draw(page)
        at, colours = self._on_page(), self._colours()
        for (x, y), colour in zip(at.tolist(), colours.tolist(), strict=True):
            draw.circle((x, y), _DOT, fill=tuple(colour))
        shown = _apart(at)
        stamps = dataset.thumbnails(self.images[shown], _STAMP)
        for stamp, index in zip(stamps, shown.tolist(), strict=True):
            x, y = np.rint(at[index] - _STAMP / 2).astype(int).tolist()
            frame = (
                x - _FRAME,
                y - _FRAME,
                x + _STAMP + _FRAME - 1,
                y + _STAMP + _FRAME - 1,
            )
            draw.rectangle(frame, fill=tuple(colours[index].tolist()))
            page.paste(Image.fromarray(stamp), (x, y))
        self._name_classes(draw, at)
        return np.asarray(page)

    def _on_page(self) -> NDArray[np.float64]:
        """Return x and y of every image in pixels, in the middle of the page."""
        places = self.places.astype(np.float64)[:, ::-1]
        low, high = places.min(axis=0), places.max(axis=0)
        scale = (_SIDE - 2 * _MARGIN) / (float((high - low).max()) or 1.0)
        return np.asarray((places - (low + high) / 2) * scale + _SIDE / 2)

    def _colours(self) -> NDArray[np.int64]:
        rgb = 255 * self.colours[self.classes, :3]
        dimmed = _DIMMED * rgb + (1 - _DIMMED) * np.array(_PAGE)
        return np.rint(np.where(self.is_labelled[:, None], rgb, dimmed)).astype(int)

    def _name_classes(self, draw: ImageDraw.ImageDraw, at: NDArray[np.float64]) -> None:
        font = ImageFont.load_default(34)
        for number, name in enumerate(self.class_names):
            members = at[self.classes == number]
            if len(members):
                middle = np.median(members, axis=0)
                nearest = members[np.square(members - middle).sum(axis=1).argmin()]
                draw.text(
                    tuple(nearest.tolist()),
                    name,
                    _TEXT,
                    font,
                    anchor="mm",
                    stroke_width=5,
                    stroke_fill=_PAGE,
                )


def picture_of(session: Preparing) -> MapPicture | None:
    """Return the map that a session shows, None where there is none."""
    edits, network = session.edits, session.shown.network
    at = np.flatnonzero(~edits.rejected)
    if session.shown.map is None or not len(at):
        return None
    classes, is_labelled = edits.labels, edits.labels >= 0
    if network is not None and network.predictions.probabilities.shape[1]:
        seen = network.predictions.probabilities.argmax(axis=1)
        classes = np.where(is_labelled, classes, seen)
    return MapPicture(
        at,
        edits.positions[at],
        classes[at],
        is_labelled[at],
        edits.class_names,
        named_colours(edits.class_names, edits.traits.get(TraitKind.COLOUR)),
    )


def _apart(at: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return images so far apart that their thumbnails do not lie on each other."""
    cells = np.floor(at / _CELL)
    off = np.square(at - (cells + 0.5) * _CELL).sum(axis=1)
    order = np.argsort(off, kind="stable")
    _, first = np.unique(cells[order], axis=0, return_index=True)
    chosen: list[int] = []
    for index in order[np.sort(first)].tolist():
        far = np.abs(at[chosen] - at[index]).max(axis=1) >= _STAMP + 2 * _FRAME
        if far.all():
            chosen.append(index)
    return np.array(chosen, np.int64)
