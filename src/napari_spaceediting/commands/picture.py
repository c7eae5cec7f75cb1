"""A picture of a round: the map before and after it, and its evidence."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
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

_Colour = tuple[int, ...]
_Places = NDArray[np.float64]

# Surfaces and writing as in napari's dark theme.
_PAGE, _CANVAS, _LINE = (38, 41, 48), (20, 22, 26), (65, 72, 81)
_TEXT, _MUTED = (240, 241, 242), (160, 165, 172)
_HELD_OUT = (92, 97, 106)
# Lengths are in units of a third of a pixel, and so is the page while it is drawn: that
# makes smooth edges.
_SCALE = 3
_WIDTH, _MARGIN, _GAP, _PAD = 4800, 120, 72, 84
_SIDE = (_WIDTH - 2 * _MARGIN - _GAP) // 2
_TITLE, _PLAIN, _SMALL = 90, 60, 51
_ROW = 102
_MOST_NAMES = 60
_MOVED = EditKind.MOVED, EditKind.ARRANGED


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
    before, after = past.before.map.coordinates, past.after.map.coordinates
    edits = fold(past.edits, past.before.labels, before, past.before.class_names)
    noun = "edit" if len(past.edits) == 1 else "edits"
    page = _Page()
    page.write(f"One retraining with {len(past.edits)} {noun}", _TITLE)
    page.y += _GAP + _ROW
    right = _MARGIN + _SIDE + _GAP
    page.surface("Before, with the edits", _MARGIN)
    page.surface("After", right)
    # At one scale, so that the maps can be compared.
    both = np.vstack([before, after]).astype(np.float64)
    low, high = both.min(axis=0), both.max(axis=0)
    scale = (_SIDE - 2 * _PAD) / (float((high - low).max()) or 1.0)

    def place(coordinates: NDArray[np.floating], left: int) -> _Places:
        """Return x and y on the page, (N, 2), of rows and columns of the map."""
        inside = (coordinates - (low + high) / 2) * scale + _SIDE / 2
        places: _Places = inside[:, ::-1] + np.array([left, page.y])
        return places

    _draw_map(page, place(before, _MARGIN), past.before, edits, held_out)
    _draw_map(page, place(after, right), past.after, edits, held_out)
    _draw_moves(page, place(before, _MARGIN), place(edits.positions, _MARGIN), edits)
    page.y += _SIDE + _GAP
    page.legend(_legend(past.after.class_names, edits))
    page.y += _GAP // 2
    page.write(evidence_line(past.evidence), _PLAIN)
    page.y += 6 * _SCALE
    page.write(past.evidence.verdict(), _SMALL, _MUTED)
    try:
        page.finished().save(path, format="PNG")
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
    page: _Page,
    places: _Places,
    checkpoint: Checkpoint,
    edits: EditState,
    held_out: NDArray[np.bool_],
) -> None:
    """Draw the images of a checkpoint, with a ring where one was edited."""
    colours = _colours(checkpoint, held_out)
    radius = _SCALE * float(np.clip(3.1 * (1500 / len(places)) ** 0.3, 1.2, 6))
    labelled = (checkpoint.labels >= 0) & ~held_out
    for members, size in (
        (held_out, 0.8),
        (~labelled & ~held_out, 0.9),
        (labelled, 1.15),
    ):
        for at in np.flatnonzero(members):
            page.dot(places[at], size * radius, _rgb(colours[at]))
    for at in np.flatnonzero(edits.edited & ~held_out):
        page.ring(places[at], radius + 1.8 * _SCALE, _TEXT)


def _draw_moves(page: _Page, starts: _Places, ends: _Places, edits: EditState) -> None:
    colours = _class_table(edits.class_names)[edits.labels]
    for at in np.flatnonzero(np.isin(edits.kinds, _MOVED)):
        page.arrow(starts[at], ends[at], _rgb(colours[at]))


def _colours(checkpoint: Checkpoint, held_out: NDArray[np.bool_]) -> _Places:
    """Return the (N, 3) colour of every image, 0 to 255."""
    table = _class_table(checkpoint.class_names)
    colours = table[checkpoint.labels]
    network = checkpoint.network
    if network is not None and network.predictions.probabilities.shape[1]:
        seen = table[network.predictions.probabilities.argmax(axis=1)]
        unlabelled = checkpoint.labels < 0
        colours[unlabelled] = _dimmed(seen[unlabelled])
    colours[held_out] = _HELD_OUT
    return colours


def _class_table(names: Sequence[str]) -> NDArray[np.float64]:
    """Return the colour of every class and, last, that of none."""
    rgba = label_colours([*range(len(names)), -1], len(names))
    return 255 * rgba[:, :3].astype(np.float64)


def _dimmed(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 * colours + 0.5 * np.array(_CANVAS)


def _rgb(colour: NDArray[np.float64]) -> _Colour:
    return tuple(np.rint(colour).astype(int).tolist())


def _legend(names: Sequence[str], edits: EditState) -> list[tuple[str, str, _Colour]]:
    """Return the mark, the words and the colour of all that is shown."""
    colours = _class_table(names)
    items = [
        ("dot", name, _rgb(colour))
        for name, colour in zip(names[:_MOST_NAMES], colours, strict=False)
    ]
    if len(names) > _MOST_NAMES:
        items.append(("", f"and {len(names) - _MOST_NAMES} more classes", _MUTED))
    items += [
        ("dot", "no label: as the network sees it", _rgb(_dimmed(colours[0]))),
        ("dot", "held out", _HELD_OUT),
        ("ring", "edited", _TEXT),
    ]
    if np.isin(edits.kinds, _MOVED).any():
        items.append(("arrow", "moved", _TEXT))
    return items


class _Page:
    """A page that is filled from the top, down to `y`."""

    def __init__(self) -> None:
        self._image = Image.new("RGB", (_WIDTH, 2 * _WIDTH), _PAGE)
        self._draw = ImageDraw.Draw(self._image, "RGBA")
        self.y: float = _MARGIN

    def write(self, words: str, size: int, colour: _Colour = _TEXT) -> None:
        """Write a paragraph, in as many lines as it needs."""
        font = ImageFont.load_default(size)
        letters = len(words) * (_WIDTH - 2 * _MARGIN) / font.getlength(words)
        for line in textwrap.wrap(words, int(0.95 * letters)):
            self._draw.text((_MARGIN, self.y), line, fill=colour, font=font)
            self.y += 1.4 * size

    def surface(self, title: str, left: int) -> None:
        """Add a titled square for a map, at the present height."""
        font = ImageFont.load_default(_PLAIN)
        self._draw.text((left, self.y - _ROW), title, fill=_MUTED, font=font)
        self._draw.rounded_rectangle(
            (left, self.y, left + _SIDE, self.y + _SIDE),
            radius=8 * _SCALE,
            fill=_CANVAS,
            outline=_LINE,
            width=_SCALE,
        )

    def legend(self, items: Sequence[tuple[str, str, _Colour]]) -> None:
        """Write words behind their marks, row after row."""
        font = ImageFont.load_default(_SMALL)
        row = 1.7 * _SMALL
        x = float(_MARGIN)
        for mark, words, colour in items:
            sign = {"": 0, "arrow": 34}.get(mark, 20) * _SCALE
            width = sign + font.getlength(words)
            if x > _MARGIN and x + width > _WIDTH - _MARGIN:
                x = float(_MARGIN)
                self.y += row
            start = np.array([x, self.y + 0.55 * _SMALL])
            middle, end = start + np.array([[6 * _SCALE, 0], [26 * _SCALE, 0]])
            if mark == "dot":
                self.dot(middle, 6 * _SCALE, colour)
            elif mark == "ring":
                self.ring(middle, 6 * _SCALE, colour)
            elif mark == "arrow":
                self.arrow(start, end, colour)
            self._draw.text((x + sign, self.y), words, fill=_TEXT, font=font)
            x += width + 26 * _SCALE
        self.y += row

    def dot(self, at: _Places, radius: float, colour: _Colour) -> None:
        self._draw.circle(tuple(at), radius, fill=colour)

    def ring(self, at: _Places, radius: float, colour: _Colour) -> None:
        self._draw.circle(tuple(at), radius, outline=(*colour, 150), width=_SCALE)

    def arrow(self, start: _Places, end: _Places, colour: _Colour) -> None:
        length = float(np.hypot(*(end - start)))
        if length < _SCALE:
            return
        along = (end - start) / length
        across = along[::-1] * (-1, 1)
        head = min(9.0 * _SCALE, length)
        neck = end - head * along
        tip = [end, neck + 0.4 * head * across, neck - 0.4 * head * across]
        width = round(1.4 * _SCALE)
        self._draw.line([*start, *neck], fill=(*colour, 150), width=width)
        self._draw.polygon(np.ravel(tip).tolist(), fill=(*colour, 230))

    def finished(self) -> Image.Image:
        """Return what has been filled, with smooth edges."""
        filled = self._image.crop((0, 0, _WIDTH, round(self.y + _MARGIN)))
        return filled.reduce(_SCALE)
