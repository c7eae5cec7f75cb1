"""A picture of a round: the map before and after it, and its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_spaceediting.colours import label_colours
from napari_spaceediting.editing.arms import AFTER, BEFORE, CONTROL
from napari_spaceediting.editing.edits import EditKind, EditState, fold
from napari_spaceediting.editing.evidence import Evidence
from napari_spaceediting.errors import SessionError
from napari_spaceediting.session.state import Checkpoint, Round

_Colour = tuple[int, int, int]
_Point = tuple[float, float]
_Places = NDArray[np.floating]

# Surfaces and writing as in napari's dark theme; lengths in pixels of the picture.
_PAGE, _CANVAS, _LINE = (38, 41, 48), (20, 22, 26), (65, 72, 81)
_TEXT, _MUTED = (240, 241, 242), (160, 165, 172)
_HELD_OUT = (92, 97, 106)
_WIDTH, _MARGIN, _GAP, _PAD = 1600, 40, 24, 28
_TITLE, _PLAIN, _SMALL = 30, 20, 17
_ROW = 34
_SUPERSAMPLING = 3
_MOST_NAMES = 60


def draw_round(past: Round, path: Path, held_out: NDArray[np.bool_]) -> None:
    """Draw the map before a round with its edits, the map after it, and its evidence.

    Images show the colour of their class; those without one, dimmed, that of the
    class that the network sees in them; those that are held out are grey. Arrows are
    moves, and rings mark all images that were edited.

    Parameters
    ----------
    past : Round
        The round.
    path : Path
        PNG file to write.
    held_out : (N,) bool array
        Images kept apart for measuring.

    Raises
    ------
    SessionError
        If the round has no maps, or the file cannot be written.
    """
    if past.before.map is None or past.after.map is None:
        raise SessionError("The round has no map before and after to be drawn.")
    edits = fold(
        past.edits,
        past.before.labels,
        past.before.map.coordinates,
        past.before.class_names,
    )
    page = _Page()
    noun = "edit" if len(past.edits) == 1 else "edits"
    page.text(f"One retraining with {len(past.edits)} {noun}", _TITLE)
    page.skip(_GAP)
    side = (_WIDTH - 2 * _MARGIN - _GAP) // 2
    places = [past.before.map.coordinates, past.after.map.coordinates]
    frame = _Frame.around(places, side)
    for left, title, checkpoint, moves in (
        (_MARGIN, "Before, with the edits", past.before, edits),
        (_MARGIN + side + _GAP, "After", past.after, None),
    ):
        panel = page.panel(left, side, frame, title)
        _draw_map(panel, checkpoint, edits, held_out, moves)
    page.skip(side + _ROW + _GAP)
    _draw_legend(page, past.after.class_names, edits)
    page.skip(_GAP // 2)
    page.text(evidence_line(past.evidence), _PLAIN)
    page.skip(6)
    page.text(past.evidence.verdict(), _SMALL, _MUTED)
    page.skip(_MARGIN)
    try:
        page.image().save(path, format="PNG")
    except OSError as error:
        raise SessionError(
            f"The picture could not be written to {path} ({error.strerror or error}): "
            "choose another place."
        ) from error


def evidence_line(evidence: Evidence) -> str:
    """Return the accuracies of all arms, with their intervals, in one line."""
    if not evidence.arms:
        return "Nothing was measured."
    arms = []
    for name in (BEFORE, CONTROL, AFTER):
        if name in evidence.arms:
            arm = evidence.arms[name]
            low, high = arm.interval
            arms.append(f"{name} {arm.accuracy:.1%} ({low:.1%} to {high:.1%})")
    return (
        f"Right among {evidence.n_images:,} {evidence.measured_on} images, with 95% "
        f"intervals:   {'   |   '.join(arms)}"
    )


def _draw_map(
    panel: _Panel,
    checkpoint: Checkpoint,
    edits: EditState,
    held_out: NDArray[np.bool_],
    moves: EditState | None,
) -> None:
    """Draw the images of a checkpoint and, where `moves` is given, where they went."""
    assert checkpoint.map is not None
    places = checkpoint.map.coordinates
    colours = _colours(checkpoint, held_out)
    radius = float(np.clip(3.1 * (1500 / len(places)) ** 0.3, 1.2, 6))
    labelled = (checkpoint.labels >= 0) & ~held_out
    for members, size in (
        (held_out, 0.8),
        (~labelled & ~held_out, 0.9),
        (labelled, 1.15),
    ):
        for at in np.flatnonzero(members):
            panel.dot(places[at], size * radius, colours[at])
    edited = np.flatnonzero(edits.edited & ~held_out)
    for at in edited:
        panel.ring(places[at], radius + 1.8, _TEXT)
    if moves is None:
        return
    after = _class_table(moves.class_names)[moves.labels]
    for at in edited:
        if moves.kinds[at] in (EditKind.MOVED, EditKind.ARRANGED):
            panel.arrow(places[at], moves.positions[at], after[at])


def _colours(
    checkpoint: Checkpoint, held_out: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the (N, 3) colour of every image, 0 to 255."""
    table = _class_table(checkpoint.class_names)
    colours = table[checkpoint.labels]
    network = checkpoint.network
    if network is not None and network.predictions.probabilities.shape[1]:
        seen = table[network.predictions.probabilities.argmax(axis=1)]
        unlabelled = checkpoint.labels < 0
        colours[unlabelled] = 0.5 * seen[unlabelled] + 0.5 * np.array(_CANVAS)
    colours[held_out] = _HELD_OUT
    return colours


def _class_table(names: Sequence[str]) -> NDArray[np.float64]:
    """Return the colour of every class and, last, that of none."""
    rgba = label_colours([*range(len(names)), -1], len(names))
    return 255 * rgba[:, :3].astype(np.float64)


def _draw_legend(page: _Page, names: Sequence[str], edits: EditState) -> None:
    """Name classes and marks, in as many rows as they need."""
    colours = _class_table(names)
    shown = list(names[:_MOST_NAMES])
    items = [("dot", name, _rgb(colours[at])) for at, name in enumerate(shown)]
    if len(names) > len(shown):
        items.append(("", f"and {len(names) - len(shown)} more classes", _MUTED))
    items += [
        ("dim", "no label: as the network sees it", _rgb(colours[0])),
        ("dot", "held out", _HELD_OUT),
        ("ring", "edited", _TEXT),
    ]
    if np.isin(edits.kinds, (EditKind.MOVED, EditKind.ARRANGED)).any():
        items.append(("arrow", "moved", _TEXT))
    page.legend(items)


@dataclass(frozen=True)
class _Frame:
    """The part of the map that is shown, and how it is brought to the picture."""

    centre: NDArray[np.float64]
    scale: float
    side: float

    @classmethod
    def around(cls, maps: Sequence[_Places], side: float) -> _Frame:
        """Show all of several maps, at one scale, so that they can be compared."""
        everything = np.vstack(maps).astype(np.float64)
        low, high = everything.min(axis=0), everything.max(axis=0)
        extent = float((high - low).max())
        scale = (side - 2 * _PAD) / extent if extent > 0 else 1.0
        return cls((low + high) / 2, scale, side)

    def place(self, position: _Places) -> _Point:
        """Return x and y, from the corner of the panel, of a (row, column)."""
        row, column = (position - self.centre) * self.scale + self.side / 2
        return float(column), float(row)


class _Page:
    """A page that is filled from the top; lengths are in pixels of the picture."""

    def __init__(self) -> None:
        size = (_WIDTH * _SUPERSAMPLING, 2 * _WIDTH * _SUPERSAMPLING)
        self._image = Image.new("RGB", size, _PAGE)
        self._draw = ImageDraw.Draw(self._image, "RGBA")
        self._y = float(_MARGIN)

    def skip(self, height: float) -> None:
        """Leave room."""
        self._y += height

    def text(self, words: str, size: int, colour: _Colour = _TEXT) -> None:
        """Write a paragraph, in as many lines as it needs."""
        line = ""
        for word in words.split(" "):
            longer = f"{line} {word}" if line else word
            if line and self._length(longer, size) > _WIDTH - 2 * _MARGIN:
                self._write(_MARGIN, self._y, line, size, colour)
                self._y += 1.4 * size
                longer = word
            line = longer
        self._write(_MARGIN, self._y, line, size, colour)
        self._y += 1.4 * size

    def panel(self, left: float, side: float, frame: _Frame, title: str) -> _Panel:
        """Add a titled surface for a map, at the present height."""
        self._write(left, self._y, title, _PLAIN, _MUTED)
        top = self._y + _ROW
        box = [left, top, left + side, top + side]
        self._draw.rounded_rectangle(
            [_SUPERSAMPLING * edge for edge in box],
            radius=8 * _SUPERSAMPLING,
            fill=_CANVAS,
            outline=_LINE,
            width=_SUPERSAMPLING,
        )
        return _Panel(self._draw, (left, top), frame)

    def legend(self, items: Sequence[tuple[str, str, _Colour]]) -> None:
        """Write names behind their marks, row after row."""
        x = float(_MARGIN)
        for mark, name, colour in items:
            sign = 34 if mark == "arrow" else 20 if mark else 0
            width = sign + self._length(name, _SMALL)
            if x > _MARGIN and x + width > _WIDTH - _MARGIN:
                x = float(_MARGIN)
                self._y += 1.7 * _SMALL
            self._mark(mark, x, self._y + 0.55 * _SMALL, colour)
            self._write(x + sign, self._y, name, _SMALL, _TEXT)
            x += width + 26
        self._y += 1.7 * _SMALL

    def image(self) -> Image.Image:
        """Return what has been filled, with smooth edges."""
        height = round(self._y) * _SUPERSAMPLING
        filled = self._image.crop((0, 0, self._image.width, height))
        return filled.reduce(_SUPERSAMPLING)

    def _mark(self, mark: str, x: float, y: float, colour: _Colour) -> None:
        pen = _Pen(self._draw)
        if mark == "dot":
            pen.disc((x + 6, y), 6, colour)
        elif mark == "dim":
            canvas = np.array(_CANVAS)
            pen.disc((x + 6, y), 6, _rgb(0.5 * np.array(colour) + 0.5 * canvas))
        elif mark == "ring":
            pen.ring((x + 6, y), 6, colour)
        elif mark == "arrow":
            pen.arrow((x, y), (x + 26, y), colour)

    def _write(
        self, x: float, y: float, words: str, size: int, colour: _Colour
    ) -> None:
        at = (x * _SUPERSAMPLING, y * _SUPERSAMPLING)
        self._draw.text(at, words, fill=colour, font=_font(size))

    def _length(self, words: str, size: int) -> float:
        return float(self._draw.textlength(words, font=_font(size))) / _SUPERSAMPLING


class _Pen:
    """Draws marks at places given in pixels of the picture."""

    def __init__(self, draw: ImageDraw.ImageDraw) -> None:
        self._draw = draw

    def disc(self, at: _Point, radius: float, colour: _Colour) -> None:
        self._draw.ellipse(_box(at, radius), fill=colour)

    def ring(self, at: _Point, radius: float, colour: _Colour) -> None:
        self._draw.ellipse(
            _box(at, radius), outline=(*colour, 150), width=_SUPERSAMPLING
        )

    def arrow(self, start: _Point, end: _Point, colour: _Colour) -> None:
        a, b = np.array(start), np.array(end)
        length = float(np.hypot(*(b - a)))
        if length < 1:
            return
        along = (b - a) / length
        across = np.array([-along[1], along[0]])
        head = min(9.0, length)
        neck = b - head * along
        tip = [b, neck + 0.4 * head * across, neck - 0.4 * head * across]
        self._draw.line(
            _scaled([a, neck]), fill=(*colour, 150), width=round(1.4 * _SUPERSAMPLING)
        )
        self._draw.polygon(_scaled(tip), fill=(*colour, 230))


class _Panel:
    """A surface with a map; places are map coordinates."""

    def __init__(
        self, draw: ImageDraw.ImageDraw, corner: _Point, frame: _Frame
    ) -> None:
        self._pen = _Pen(draw)
        self._corner = corner
        self._frame = frame

    def dot(self, position: _Places, radius: float, colour: _Places) -> None:
        self._pen.disc(self._at(position), radius, _rgb(colour))

    def ring(self, position: _Places, radius: float, colour: _Colour) -> None:
        self._pen.ring(self._at(position), radius, colour)

    def arrow(self, start: _Places, end: _Places, colour: _Places) -> None:
        self._pen.arrow(self._at(start), self._at(end), _rgb(colour))

    def _at(self, position: _Places) -> _Point:
        x, y = self._frame.place(position)
        return self._corner[0] + x, self._corner[1] + y


def _box(at: _Point, radius: float) -> list[float]:
    x, y = at
    return [
        _SUPERSAMPLING * edge
        for edge in (x - radius, y - radius, x + radius, y + radius)
    ]


def _scaled(points: Sequence[NDArray[np.float64]]) -> list[_Point]:
    return [(_SUPERSAMPLING * float(x), _SUPERSAMPLING * float(y)) for x, y in points]


def _rgb(colour: _Places) -> _Colour:
    red, green, blue = (round(float(part)) for part in colour)
    return red, green, blue


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * _SUPERSAMPLING)
