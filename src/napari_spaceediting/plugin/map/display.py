"""From the state of a session to what the views show: pure functions."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from napari_spaceediting.colours import named_colours
from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.data.soft_labels import row_in_words
from napari_spaceediting.editing.classes import TraitKind
from napari_spaceediting.editing.edits import EditKind, EditState
from napari_spaceediting.editing.places import LOW_SUPPORT, Places
from napari_spaceediting.plugin.map.scene import Arrows, Marks
from napari_spaceediting.plugin.widgets.palette import continuous_colours
from napari_spaceediting.session.axes import KeptAxis
from napari_spaceediting.session.query import is_dated
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import Checkpoint

LABEL, PREDICTION, CONFIDENCE = "label", "prediction", "confidence"
CLUSTERS = "clusters"
_AXIS, _COLUMN, _SELECTION = "axis:", "column:", "selection:"
_MANY = 200
"""Different texts of a column at most that get a colour each."""
_MOST_TRAILS = 80
_MOST_NAMES = 40
_MOST_ASKED = 1000
"""Images of a class that tell where its name stands."""
CARD_SIDE = 128
"""Side of the picture under the pointer, in pixels."""
_PIXEL_ART = 48
"""Side up to which the pixels of a picture stay crisp when it is enlarged."""


@dataclass(frozen=True, eq=False)
class Colouring:
    """How images are coloured.

    Parameters
    ----------
    colours : (N, 4) float32 array
        RGBA of every image.
    groups : (N,) int64 array
        Entry of the legend that each belongs to, -1 for unlabelled; all -1 where
        there is no legend.
    names : tuple of str
        Entries of the legend; empty for continuous values.
    table : (C + 1, 4) float32 array
        RGBA of the entries, and of none at the end.
    span : tuple of str
        The least and the largest of continuous values; ("", "") for groups.
    """

    colours: NDArray[np.float32]
    groups: NDArray[np.int64]
    names: tuple[str, ...]
    table: NDArray[np.float32]
    span: tuple[str, str] = ("", "")


def column_keys(dataset: ImageDataset) -> list[tuple[str, str]]:
    """Return the columns that images can be coloured by, as (key, title).

    Texts of which nearly every one is another are left out. All values are looked at,
    so it is asked for once.
    """
    return [
        (f"{_COLUMN}{name}", "True class" if name == "truth" else name.capitalize())
        for name, values in dataset.columns.items()
        if values.dtype.kind in "ifub" or is_dated(values) or _n_texts(values) <= _MANY
    ]


def colour_keys(
    columns: Iterable[tuple[str, str]], saved: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """Return what images can be coloured by, as (key, title).

    Parameters
    ----------
    columns : iterable of (str, str)
        From `column_keys`.
    saved : iterable of str
        Names of saved selections.
    """
    own = [(LABEL, "Class"), (PREDICTION, "Prediction"), (CONFIDENCE, "Confidence")]
    selections = [(f"{_SELECTION}{name}", f"Selection {name}") for name in saved]
    return [*own, (CLUSTERS, "Clusters"), *columns, *selections]


def _n_texts(values: NDArray[np.generic]) -> int:
    return len(set(values.tolist()))


def axis_key(kept: KeptAxis) -> str:
    """Return the key of colours by an axis."""
    return f"{_AXIS}{kept.name}"


def is_axis(key: str) -> bool:
    """Whether a key of colours stands for an axis, there or gone."""
    return key.startswith(_AXIS)


def axis_of(key: str, axes: Sequence[KeptAxis]) -> KeptAxis | None:
    """Return the axis that a key of colours stands for, if it is one of these."""
    return next((kept for kept in axes if axis_key(kept) == key), None)


def by_axis(kept: KeptAxis) -> Colouring:
    """Colour images by an axis; one that goes around ends in its first colour."""
    values = kept.axis.values
    return _continuous(abs(values) if kept.axis.is_circular else values)


def laid_out(kept: KeptAxis, places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return places with an axis from left to right, as wide as the map."""
    values, (down, across) = kept.axis.values, places.T
    least, span = values.min(), np.ptp(values) or np.float32(1)
    along = across.min() + (values - least) / span * np.ptp(across)
    return np.stack([down, along], axis=1).astype(np.float32)


def usual_key(session: Session) -> str:
    """Return what to colour by unasked: the class, where most images have one.

    Else what the network says, as soon as it has learnt classes.
    """
    training, shown = ~session.dataset.held_out, session.shown
    known = (shown.labels[training] >= 0).mean() if training.any() else 0
    says = session.dataset.class_names
    if shown.network is not None:
        says = shown.class_names[: shown.network.predictions.probabilities.shape[1]]
    return LABEL if known >= 0.5 or not says else PREDICTION


def colour_by(
    key: str,
    dataset: ImageDataset,
    checkpoint: Checkpoint,
    edits: EditState,
    groups: Mapping[str, NDArray[np.int64]] | None = None,
) -> Colouring:
    """Colour images by their class, their prediction, any column or groups.

    Parameters
    ----------
    key : str
        One of `colour_keys`.
    dataset, checkpoint, edits
        What is shown.
    groups : mapping of str to (N,) int64 array
        Clusters under `CLUSTERS`, and saved selections under their keys, as
        0 for images in them; -1 for none.
    """
    if groups is not None and key in groups:
        at = groups[key]
        names = tuple(
            f"Cluster {number + 1}" for number in range(at.max(initial=-1) + 1)
        )
        if key != CLUSTERS:
            names = (key.removeprefix(_SELECTION),)
        return by_class(at, names)
    network = checkpoint.network
    chosen = edits.traits.get(TraitKind.COLOUR)
    if key == LABEL or network is None:
        return by_class(edits.labels, edits.class_names, chosen)
    probabilities = network.predictions.probabilities
    if key == PREDICTION and probabilities.shape[1]:
        return by_class(probabilities.argmax(axis=1), edits.class_names, chosen)
    if key == CONFIDENCE and probabilities.shape[1]:
        return _continuous(probabilities.max(axis=1))
    values = dataset.columns.get(key.removeprefix(_COLUMN))
    if values is None:
        return by_class(edits.labels, edits.class_names, chosen)
    if key == f"{_COLUMN}truth":
        return by_class(values, dataset.class_names)
    if values.dtype.kind in "iuf":
        return _continuous(values)
    if is_dated(values):
        return _by_date(values)
    texts, which = np.unique(values.astype(str), return_inverse=True)
    return by_class(which, tuple(texts.tolist()))


def saved_groups(
    saved: Mapping[str, NDArray[np.int64]], n_images: int
) -> dict[str, NDArray[np.int64]]:
    """Return saved selections as `colour_by` takes them."""
    groups = {}
    for name, images in saved.items():
        at = np.full(n_images, -1, np.int64)
        at[images] = 0
        groups[f"{_SELECTION}{name}"] = at
    return groups


def by_class(
    groups: NDArray[np.int64],
    names: Sequence[str],
    chosen: Mapping[str, str] | None = None,
) -> Colouring:
    """Colour images by their group, -1 for none; some groups have chosen colours."""
    groups = np.asarray(groups, np.int64)
    table = named_colours(names, chosen)
    return Colouring(table[groups], groups, tuple(names), table)


def _continuous(
    values: NDArray[np.number], span: tuple[str, str] | None = None
) -> Colouring:
    nowhere = np.full(len(values), -1, np.int64)
    if span is None:
        known = values[np.isfinite(values)]
        ends = (known.min(), known.max()) if len(known) else ()
        low, high = (f"{end:.4g}" for end in ends) if len(ends) else ("", "")
        span = low, high
    colours = continuous_colours(values)
    return Colouring(colours, nowhere, (), named_colours(()), span)


def _by_date(texts: NDArray[np.generic]) -> Colouring:
    """Colour images by their date; those without one are grey."""
    said, which = np.unique(texts.astype(str), return_inverse=True)
    dates = np.array([_day(text) for text in said.tolist()], "datetime64[D]")[which]
    known = dates[~np.isnat(dates)]
    days = np.where(np.isnat(dates), np.nan, dates.astype(float))
    span = (str(known.min()), str(known.max())) if len(known) else ("", "")
    return _continuous(days, span)


def _day(text: str) -> np.datetime64:
    """Return the day that a text begins with, the first of a month, or no time."""
    try:
        return np.datetime64(text[:10], "D")
    except ValueError:
        return np.datetime64("NaT")


def edit_marks(edits: EditState, start: NDArray[np.float32]) -> tuple[Arrows, Marks]:
    """Return arrows of what was moved, and marks of what was given a class in place.

    There are at most 2,000 of each.

    Parameters
    ----------
    edits : EditState
        The open edits.
    start : (N, 2) float32 array
        Map coordinates before them.
    """
    table = named_colours(edits.class_names, edits.traits.get(TraitKind.COLOUR))

    def colours(rows: NDArray[np.bool_]) -> NDArray[np.float32]:
        return table[edits.labels[rows]]

    moved = np.isin(edits.kinds, [EditKind.MOVED, EditKind.ARRANGED])
    still = edits.edited & ~moved & ~edits.rejected
    return (
        Arrows(start[moved], edits.positions[moved], colours(moved)).thinned(),
        Marks(edits.positions[still], colours(still)).thinned(),
    )


def trails(before: Checkpoint, after: Checkpoint) -> Arrows:
    """Return the ways of the images that lie farthest apart on two maps.

    The longest come first; ways that are short on the map are left out.
    """
    if before.map is None or after.map is None:
        return Arrows()
    start, end = before.map.coordinates, after.map.coordinates
    ways = np.linalg.norm(end - start, axis=1)
    most = np.argsort(-ways)[:_MOST_TRAILS]
    most = most[ways[most] > 0.05 * np.ptp(end, axis=0).max()]
    table = named_colours(after.class_names, after.traits.get(TraitKind.COLOUR))
    colours = table[after.labels[most]]
    return Arrows(start[most], end[most], colours)


def class_places(
    colouring: Colouring, places: NDArray[np.float32], visible: NDArray[np.bool_]
) -> list[tuple[str, NDArray[np.float32], NDArray[np.float32]]]:
    """Return where to write the names of the legend: amid the images of each.

    The place is that of the image nearest to the median, so that a name does not
    stand between two clusters of its class. Some of very many images stand for all.
    """
    if len(colouring.names) > _MOST_NAMES:
        return []
    named = []
    for group, name in enumerate(colouring.names):
        members = np.flatnonzero((colouring.groups == group) & visible)
        if not len(members):
            continue
        members = members[:: -(-len(members) // _MOST_ASKED)]
        offsets = places[members] - np.median(places[members], axis=0)
        middle = members[(offsets**2).sum(axis=1).argmin()]
        named.append((name, places[middle], colouring.colours[middle]))
    return named


def describe_image(
    index: int, dataset: ImageDataset, checkpoint: Checkpoint, edits: EditState
) -> list[str]:
    """Return the lines that stand under the picture of an image."""
    label = int(edits.labels[index])
    lines = [edits.class_names[label] if label >= 0 else "No class yet"]
    soft = edits.soft_labels
    if soft is not None and soft[index].any():
        lines = [row_in_words(soft[index], edits.class_names)]
    network = checkpoint.network
    if network is not None and network.predictions.probabilities.shape[1]:
        probabilities = network.predictions.probabilities[index]
        best = int(probabilities.argmax())
        lines.append(f"Network: {edits.class_names[best]} {probabilities[best]:.0%}")
    part = Split(int(dataset.split[index]))
    if part is Split.REJECTED:
        lines.append("Rejected")
    elif part is not Split.TRAIN:
        lines.append(f"Held out ({part.name.lower()})")
    kind = EditKind(int(edits.kinds[index]))
    if kind is not EditKind.NONE:
        lines.append(kind.name.capitalize())
    lines.append(str(dataset.ids[index]))
    return lines


def card(
    picture: NDArray[np.uint8], lines: Sequence[str], colour: NDArray[np.float32]
) -> str:
    """Return rich text with a large picture, its frame in a colour, over some lines.

    Parameters
    ----------
    picture : (h, w, 3) uint8 array
        The picture.
    lines : sequence of str
        The first one stands out.
    colour : (4,) float32 array
        RGBA, 0 to 1.
    """
    crisp = max(picture.shape[:2]) <= _PIXEL_ART
    how = Image.Resampling.NEAREST if crisp else Image.Resampling.BICUBIC
    large = ImageOps.contain(Image.fromarray(picture), (CARD_SIDE, CARD_SIDE), how)
    shade = tuple(np.round(255 * colour[:3]).astype(int).tolist())
    file = BytesIO()
    ImageOps.expand(large, 3, shade).save(file, "PNG")
    data = b64encode(file.getvalue()).decode()
    first, *others = map(escape, lines)
    return (
        f'<center><img src="data:image/png;base64,{data}">'
        f"<br><b>{first}</b><br>{'<br>'.join(others)}</center>"
    )


def describe_place(places: Places, class_names: Sequence[str]) -> str:
    """Say what surrounds a place, in a few words, while something is dragged."""
    votes = places.votes.mean(axis=0)
    support = float(places.support.mean()) if len(places.support) else 0.0
    if support < LOW_SUPPORT:
        return "few images here"
    if not votes.any():
        return "no class known here"
    order = np.argsort(-votes)[:2]
    parts = [f"{class_names[at]} {votes[at]:.0%}" for at in order if votes[at] >= 0.1]
    return "  ·  ".join(parts)
