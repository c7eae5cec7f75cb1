"""Whether what was read of a session fits together: shapes, types, ranges, names.

What a type cannot say is checked here, in one place, after a session was read. So no
other code need expect labels beyond the classes or places that are no numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.looks import COLOURS, Look
from napari_spaceediting.data.soft_labels import SoftLabels
from napari_spaceediting.editing.arms import AFTER, ARMS
from napari_spaceediting.editing.classes import (
    ClassEdit,
    TraitKind,
    flaw_of_trait,
    texts_of,
)
from napari_spaceediting.editing.edits import Edit, Withdraw
from napari_spaceediting.editing.evidence import Evidence
from napari_spaceediting.editing.image_edits import (
    classes_of,
    flaw_of_image_edit,
    flaw_of_images,
)
from napari_spaceediting.editing.selections import SaveSelection, flaw_of_name
from napari_spaceediting.session.axes import KeptAxis
from napari_spaceediting.session.shelf import Damaged
from napari_spaceediting.session.state import (
    Checkpoint,
    Network,
    RoundStatus,
    SessionState,
)
from napari_spaceediting.traversal.result import Asked

_LARGEST = 1 << 31
_LARGEST_SIDE = 1 << 16


def check_state(state: SessionState) -> None:
    """Refuse a session that does not fit together; `check_checkpoint` has its rest.

    Raises
    ------
    Damaged
        Says in a few words what does not fit, and where.
    """
    _check_dataset(state.dataset)
    n = len(state.dataset)
    _require(0 <= state.seed < 1 << 63, f"the seed is {state.seed}")
    _check_edits((*state.log.done, *state.log.undone), n, "the list of edits")
    for number, past in enumerate(state.rounds, 1):
        where = f"round {number}"
        _check_edits(past.edits, n, where)
        _check_evidence(past.evidence, n, f"the evidence of {where}")
        _check_array(past.losses, (None,), "f?", f"the losses of {where}")
        _check_number(past.seconds, f"the seconds of {where}")
        _check_time(past.created, where)
        _require(
            past.status is not RoundStatus.PROPOSED or past is state.rounds[-1],
            f"{where} awaits a decision, but another followed",
        )
    for number, answer in enumerate(state.answers, 1):
        where = f"answer {number}"
        _check_images(answer.indices, n, where)
        for sign in answer.signs:
            _check_number(sign, f"a sign of {where}", least=-math.inf)
    for number, kept in enumerate(state.traversals, 1):
        where = f"traversal {number}"
        _check_asked(kept.asked, n, where)
        _check_time(kept.created, where)
    _check_axes(state.axes, n)
    _check_look(state.look, state.dataset.n_channels)


def _check_look(look: Look, n_channels: int) -> None:
    fits = len(look.channels) in (0, n_channels)
    _require(fits, "there are other channels than are shown")
    for one in look.channels:
        within = 0 <= one.low <= one.high <= 1 and 0 < one.gamma < math.inf
        fits = one.colour in COLOURS and within
        _require(fits, f"a channel is shown as {one.colour!a:.40}")


def _check_axes(axes: Sequence[KeptAxis], n: int) -> None:
    _check_names([one.name for one in axes], "the axes")
    for one in axes:
        where, axis = f"the axis “{one.name}”", one.axis
        _check_array(axis.values, (n,), "f", where)
        _check_number(axis.r2, f"how well {where} holds", least=-math.inf)
        _check_number(axis.rank_correlation, f"the order of {where}", least=-1)
        _check_count(axis.n_arranged, f"the images of {where}")


def check_checkpoint(checkpoint: Checkpoint, n: int, where: str) -> None:
    """Refuse a checkpoint that does not fit together, or to `n` images.

    Raises
    ------
    Damaged
        As `check_state`.
    """
    _check_names(checkpoint.class_names, where)
    span = -1, len(checkpoint.class_names)
    _check_array(checkpoint.labels, (n,), "i", f"the labels of {where}", span)
    _check_array(checkpoint.confirmed, (n,), "b", f"what is confirmed of {where}")
    _check_soft(checkpoint.soft_labels, (n, span[1]), where)
    if checkpoint.network is not None:
        _check_network(checkpoint.network, n, span[1], f"the network of {where}")
    if checkpoint.rejected is not None:
        _check_array(checkpoint.rejected, (n,), "b", f"what is rejected of {where}")
    for at in checkpoint.came:
        _require(-1 <= at < span[1], f"a class of {where} came from nowhere")
    for kind, values in checkpoint.traits.items():
        flaws = (flaw_of_trait(TraitKind(kind), value) for value in values.values())
        _require(not any(flaws), f"a {kind} of {where} cannot be")
    drawn, name = checkpoint.map, f"the map of {where}"
    if drawn is not None:
        _check_array(drawn.coordinates, (n, 2), "f", f"the places on {name}")
        others = f"the neighbours on {name}"
        _check_array(drawn.neighbours, (n, None), "i", others, (0, n))


def _check_dataset(dataset: ImageDataset) -> None:
    # What its own check leaves open.
    n, where = len(dataset), "the data set"
    _check_array(dataset.ids, (n,), "U", f"the ids of {where}")
    _check_array(dataset.labels, (n,), "i", f"the labels of {where}")
    _check_soft(dataset.soft_labels, (n, dataset.n_classes), where)
    _check_array(dataset.split, (n,), "i", f"the splits of {where}")
    if dataset.features is not None:
        _check_array(dataset.features, (n, None), "f", f"the embeddings of {where}")
    try:
        # Not every number is a letter.
        dataset.ids.tolist()
    except ValueError as error:
        raise Damaged(f"the ids of {where} are no text") from error
    _check_text(dataset.name, f"the name of {where}")
    _check_names(dataset.class_names, where)
    for name, values in dataset.columns.items():
        is_truth = name == "truth"
        kinds, what = ("i", "truth") if is_truth else ("bif?uUS", f"column “{name}”")
        _check_array(values, (n,), kinds, f"the {what} of {where}")
    channels = dataset.n_channels
    fits = type(channels) is int and 0 < channels <= _LARGEST_SIDE
    _require(fits, f"the images of {where} have {channels!r:.80} channels")
    sides = dataset.image_size
    _require(max(sides) <= _LARGEST_SIDE, f"the images of {where} are {sides} large")
    for value in (*dataset.scaling.low, *dataset.scaling.high):
        _check_number(value, f"the intensity scaling of {where}", least=-math.inf)


def _check_soft(soft: SoftLabels, shape: tuple[int, int], where: str) -> None:
    if soft is not None:
        _check_array(soft, shape, "f", f"the soft labels of {where}")
        sums = soft.sum(axis=1)
        fits = (soft >= 0).all() and np.all(
            np.isclose(sums, 1, atol=1e-3) | (sums == 0)
        )
        _require(fits, f"the soft labels of {where} are no shares")


def _check_network(network: Network, n: int, n_classes: int, name: str) -> None:
    spec, said = network.spec, network.predictions
    for what in ("latent_dim", "in_channels"):
        _check_count(getattr(spec, what), f"“{what}” of {name}", 1)
    _require(0 <= spec.n_classes <= n_classes, f"{name} has classes")
    _require(
        all(1 <= side <= _LARGEST_SIDE for side in spec.image_size),
        f"{name} sees images of {spec.image_size}",
    )
    width = spec.latent_dim
    if said.latents.shape[1:] != (width,):
        width += spec.n_classes  # where the end is solved
    _check_array(said.latents, (n, width), "f", f"the latents of {name}")
    shape = n, spec.n_classes
    _check_array(said.probabilities, shape, "f", f"the probabilities of {name}")
    _check_array(network.margins, (n,), "f?", f"the margins of {name}")


def _check_edits(edits: Sequence[Edit], n: int, where: str) -> None:
    for number, edit in enumerate(edits):
        name = f"edit {number + 1} of {where}"
        if isinstance(edit, Withdraw):
            is_before = 0 <= edit.number < number
            _require(is_before, f"{name} takes back what is not before it")
            continue
        if isinstance(edit, ClassEdit):
            for text in texts_of(edit):
                _check_text(text, f"a class of {name}")
            continue
        if isinstance(edit, SaveSelection):
            _check_text(edit.name, f"the name of {name}")
            flaw = flaw_of_name(edit.name) or flaw_of_images(edit.indices, n)
        else:
            for text in classes_of(edit):
                _check_text(text, f"the class of {name}")
            flaw = flaw_of_image_edit(edit, n)
        what, _, _what_to_do = flaw.rstrip(".").partition(": ")
        _require(not flaw, f"{name}: {what}")


def _check_evidence(evidence: Evidence, n: int, where: str) -> None:
    _check_names(evidence.class_names, where)
    n_classes = len(evidence.class_names)
    _check_count(evidence.n_images, f"the images of {where}")
    _check_count(evidence.seeds, f"the seeds of {where}")
    _check_count(evidence.looks, f"the looks of {where}", 1)
    for arm, found in evidence.arms.items():
        name = f"“{arm}” in {where}"
        for value in (found.accuracy, *found.interval):
            _require(0 <= value <= 1, f"{name} is {value} of 1")
        certainty = found.log_loss, found.calibration
        known_of = [value for value in certainty if value is not None]
        _require(len(known_of) != 1, f"{name} has half of its certainty")
        for value in known_of:
            _check_number(value, f"the certainty of {name}")
        _check_array(found.recall, (n_classes,), "f?", f"the recall of {name}")
        shape, span = (n_classes, n_classes), (0, 1 << 63)
        _check_array(found.confusion, shape, "i", f"the confusion of {name}", span)
    known = ARMS.keys() & evidence.arms.keys()
    _require(AFTER in known or not evidence.n_images, f"{where} has no “{AFTER}”")
    _require(evidence.over.keys() <= known, f"{where} compares with nothing")
    for each in evidence.over.values():
        for value in (each.value, each.low, each.high):
            _check_number(value, f"a difference in {where}", least=-math.inf)
    for what in ("fixed", "broken", "edited"):
        _check_images(getattr(evidence, what), n, f"“{what}” of {where}")
    shape_followed = (len(evidence.edited),)
    _check_array(evidence.followed, shape_followed, "b", f"“followed” of {where}")


def _check_asked(asked: Asked, n: int, where: str) -> None:
    _check_names(asked.class_names, where)
    _check_text(asked.goal, f"the goal of {where}")
    span = -1, len(asked.class_names)
    _check_array(asked.sources, (None,), "i", f"the sources of {where}", span)
    _require(-1 <= asked.target < span[1], f"the target of {where} is no class")
    if asked.group is not None:
        _check_images(asked.group, n, f"the group of {where}")


def _check_images(indices: NDArray[Any], n: int, what: str) -> None:
    _check_array(indices, (None,), "i", what, (0, n))
    _require(len(np.unique(indices)) == len(indices), f"{what} names an image twice")


def _check_array(
    values: NDArray[Any],
    shape: tuple[int | None, ...],
    kinds: str,
    what: str,
    span: tuple[int, int] | None = None,
) -> None:
    """Check the shape, in which None is any length, and the kind and span of numbers.

    Floats must be numbers unless a "?" is among the kinds.
    """
    fits = values.ndim == len(shape) and all(
        wanted in (None, found)
        for wanted, found in zip(shape, values.shape, strict=True)
    )
    _require(
        fits and values.dtype.kind in kinds,
        f"{what} is an array of {values.dtype} with the shape {values.shape}",
    )
    if values.dtype.kind == "f" and "?" not in kinds:
        _require(np.isfinite(values).all(), f"{what} are not all numbers")
    if span is not None and values.size:
        low, high = int(values.min()), int(values.max())
        _require(
            span[0] <= low and high < span[1],
            f"{what} goes from {low} to {high}, beyond {span[0]} to {span[1] - 1}",
        )


def _check_names(names: Sequence[str], where: str) -> None:
    for name in names:
        _check_text(name, f"a class of {where}")
    _require(len(set(names)) == len(names), f"classes of {where} have the same name")


def _check_text(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Damaged(f"{what} is no text ({text!a})") from error


def _check_number(value: float, what: str, least: float = 0.0) -> None:
    _require(least <= value < math.inf and value > -math.inf, f"{what} is {value}")


def _check_count(value: int, what: str, least: int = 0) -> None:
    _require(least <= value < _LARGEST, f"{what} is {value}")


def _check_time(text: str, where: str) -> None:
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise Damaged(f"the time of {where} is {text!a}") from error


def _require(fits: object, problem: str) -> None:
    if not fits:
        raise Damaged(problem)
