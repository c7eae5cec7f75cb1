"""A picture of a round: the map before and after it, and the verdict."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_spaceediting.colours import named_colours
from napari_spaceediting.editing.classes import TraitKind
from napari_spaceediting.editing.edits import EditKind, EditState
from napari_spaceediting.errors import SessionError
from napari_spaceediting.session.classes import folded, reclassed
from napari_spaceediting.session.state import Checkpoint, Round
from napari_spaceediting.wording import counted

_Colour = tuple[int, ...]
_Places = NDArray[np.float64]

# Surfaces and writing as in napari's dark theme.
_PAGE, _CANVAS = (38, 41, 48), (20, 22, 26)
_TEXT, _MUTED, _HELD_OUT = (240, 241, 242), (160, 165, 172), (92, 97, 106)
# Lengths are in units of a third of a pixel, and so is the page while it is drawn: that
# makes smooth edges.
_SCALE = 3
_WIDTH, _MARGIN, _GAP, _PAD = 4800, 120, 72, 84
_SIDE = (_WIDTH - 2 * _MARGIN - _GAP) // 2
_TITLE, _PLAIN, _SMALL = 90, 60, 51
_SIGNS = (
    "Dimmed: no label, as the network sees it. Grey: held out. Ringed: edited. "
    "Arrows: moved."
)
_MOVED = EditKind.MOVED, EditKind.ARRANGED


def draw_round(past: Round, path: Path, held_out: NDArray[np.bool_]) -> None:
    """Draw the map before a round with its edits, the map after it, and the verdict.

    Images show the colour of their class; those without one, dimmed, that of the
    class that the network sees in them; those that are held out are grey. Arrows are
    moves, and rings mark all images that were edited.

    Parameters
    ----------
    held_out : (N,) bool array
        Images kept apart for measuring.

    Raises
    ------
    SessionError
        If the round has no maps, or the file cannot be written.
    """
    if past.before.map is None or past.after.map is None:
        raise SessionError("The round has no map before and after to be drawn.")
    before, after = past.before.map.coordinates, past.after.map.coordinates
    edits = folded(past.edits, past.before)
    start = reclassed(past.before, edits)
    # At one scale, so that the maps can be compared.
    both = np.vstack([before, after]).astype(np.float64)
    low, high = both.min(axis=0), both.max(axis=0)
    scale = (_SIDE - 2 * _PAD) / (float((high - low).max()) or 1.0)
    page = _Page()
    page.write(f"One retraining with {counted(len(past.edits), 'edit')}", _TITLE)

    def place(coordinates: NDArray[np.floating], left: int) -> _Places:
        """Return x and y on the page, (N, 2), of rows and columns of the map."""
        inside = (coordinates - (low + high) / 2) * scale + _SIDE / 2
        places: _Places = inside[:, ::-1] + np.array([left, page.y])
        return places

    page.y += _GAP + _PLAIN
    for left, title, checkpoint, coordinates in (
        (_MARGIN, "Before, with the edits", start, before),
        (_MARGIN + _SIDE + _GAP, "After", past.after, after),
    ):
        page.surface(left, title)
        _draw_map(page, place(coordinates, left), checkpoint, edits, held_out)
    starts, ends = place(before, _MARGIN), place(edits.positions, _MARGIN)
    colours = _class_table(past.after)[edits.labels]
    for at in np.flatnonzero(np.isin(edits.kinds, _MOVED)):
        page.arrow(starts[at], ends[at], _rgb(colours[at]))
    page.y += _SIDE + _GAP // 2
    page.legend(past.after)
    page.write(_SIGNS, _SMALL, _MUTED)
    page.y += _GAP // 2
    page.write(past.evidence.verdict(), _PLAIN)
    try:
        page.finished().save(path, format="PNG")
    except OSError as error:
        raise SessionError(
            f"The picture could not be written to {path} ({error.strerror or error}): "
            "choose another place."
        ) from error


def _draw_map(
    page: _Page,
    places: _Places,
    checkpoint: Checkpoint,
    edits: EditState,
    held_out: NDArray[np.bool_],
) -> None:
    """Draw the images of a checkpoint, with a ring where one was edited."""
    table = _class_table(checkpoint)
    colours, labelled = table[checkpoint.labels], checkpoint.labels >= 0
    network = checkpoint.network
    if network is not None and network.predictions.probabilities.shape[1]:
        seen = table[network.predictions.probabilities.argmax(axis=1)]
        colours = np.where(labelled[:, None], colours, (seen + _CANVAS) / 2)
    colours[held_out] = _HELD_OUT
    radius = _SCALE * float(np.clip(3.1 * (1500 / len(places)) ** 0.3, 1.2, 6))
    above = np.where(held_out, 0, 1 + labelled)
    for at in np.argsort(above, kind="stable"):
        size = (0.8, 0.9, 1.15)[above[at]] * radius
        page.draw.circle(tuple(places[at]), size, fill=_rgb(colours[at]))
    for at in np.flatnonzero(edits.edited & ~held_out):
        page.draw.circle(
            tuple(places[at]),
            radius + 1.8 * _SCALE,
            outline=(*_TEXT, 150),
            width=_SCALE,
        )


def _class_table(checkpoint: Checkpoint) -> NDArray[np.float64]:
    """Return the colour of every class and, last, that of none."""
    chosen = checkpoint.traits.get(TraitKind.COLOUR)
    rgba = named_colours(checkpoint.class_names, chosen)
    return 255 * rgba[:, :3].astype(np.float64)


def _rgb(colour: NDArray[np.float64]) -> _Colour:
    return tuple(np.rint(colour).astype(int).tolist())


class _Page:
    """A page that is filled from the top, down to `y`."""

    def __init__(self) -> None:
        self._image = Image.new("RGB", (_WIDTH, 2 * _WIDTH), _PAGE)
        self.draw = ImageDraw.Draw(self._image, "RGBA")
        self.y = _MARGIN

    def write(self, words: str, size: int, colour: _Colour = _TEXT) -> None:
        """Write a paragraph, in as many lines as it needs."""
        font = ImageFont.load_default(size)
        letters = len(words) * (_WIDTH - 2 * _MARGIN) / font.getlength(words)
        for line in textwrap.wrap(words, int(0.95 * letters)):
            self.draw.text((_MARGIN, self.y), line, fill=colour, font=font)
            self.y += round(1.4 * size)

    def surface(self, left: int, title: str) -> None:
        """Add a titled square for a map, at the present height."""
        font = ImageFont.load_default(_PLAIN)
        above = left, self.y - _GAP // 3
        self.draw.text(above, title, fill=_MUTED, font=font, anchor="ls")
        corners = left, self.y, left + _SIDE, self.y + _SIDE
        self.draw.rounded_rectangle(corners, radius=8 * _SCALE, fill=_CANVAS)

    def legend(self, checkpoint: Checkpoint) -> None:
        """Write the names of classes behind their dots, row after row."""
        font = ImageFont.load_default(_SMALL)
        x = _MARGIN
        colours = _class_table(checkpoint)[:-1]
        for name, colour in zip(checkpoint.class_names, colours, strict=True):
            width = 2 * _SMALL + round(font.getlength(name))
            if x > _MARGIN and x + width > _WIDTH - _MARGIN:
                x = _MARGIN
                self.y += round(1.7 * _SMALL)
            dot = x + 0.4 * _SMALL, self.y + 0.55 * _SMALL
            self.draw.circle(dot, 6 * _SCALE, fill=_rgb(colour))
            self.draw.text((x + _SMALL, self.y), name, fill=_TEXT, font=font)
            x += width
        self.y += round(1.7 * _SMALL)

    def arrow(self, start: _Places, end: _Places, colour: _Colour) -> None:
        """Draw an arrow from one place to another."""
        right, down = end - start
        line = [*start, *end]
        self.draw.line(line, fill=(*colour, 150), width=round(1.4 * _SCALE))
        turn = float(np.degrees(np.arctan2(-right, -down)))
        head = (*end, 5 * _SCALE)
        self.draw.regular_polygon(head, 3, rotation=turn, fill=(*colour, 230))

    def finished(self) -> Image.Image:
        """Return what has been filled, with smooth edges."""
        filled = self._image.crop((0, 0, _WIDTH, self.y + _MARGIN))
        return filled.reduce(_SCALE)
