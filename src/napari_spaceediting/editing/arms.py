"""What a round trains, and what it trains beside it to compare with.

`ARMS` says everything of every arm: what it learns from, and how window, terminal and
reports call it. All arms start from the same network, and all but logistic regression
learn in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.anchors import Anchors
from napari_spaceediting.editing.automatic import soften_labels, spread_labels
from napari_spaceediting.editing.material import Material, are_few
from napari_spaceediting.editing.targets import Targets, joined, known, widened

BEFORE, AFTER, CONTROL, CEILING = "before", "after", "control", "ceiling"
RELABEL = "relabel"
"""Arms that the evidence names by themselves."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What one training learns from.

    Parameters
    ----------
    n_classes : int
        Classes that its network has.
    targets : Targets
        What it believes of images.
    anchors : Anchors or None
        The places that it follows.
    """

    n_classes: int
    targets: Targets
    anchors: Anchors | None = None


Expected = NDArray[np.float32] | None
"""What networks say of training images that they were not trained on, (N, c); None
where no arm needs it."""


@dataclass(frozen=True)
class Arm:
    """One of the trainings that a round compares.

    Parameters
    ----------
    title : str
        Its name in the window.
    meaning : str
        What it is, as a sentence without its end.
    how : str
        How it is trained, in at most 23 letters, as after "Training".
    compared : str
        What the edits did better or worse than.
    short : str
        The same in at most 12 letters, as after "vs".
    shows : str
        What the comparison is good for, as after a colon; "" where it is no choice.
    lesson : callable or None
        What it learns from, by what there is, what networks expect and the seed: None
        where it cannot be trained. None for what is not trained in a round.
    needs : str
        A column that the data set must have, "" for none.
    is_usual : bool
        Whether it is trained unless the user says otherwise.
    asks_networks : bool
        Whether it needs to know what networks expect where many images have a class.
    is_network : bool
        Whether the network learns it; else logistic regression on its features does.
    """

    title: str
    meaning: str
    how: str
    compared: str
    short: str
    shows: str = ""
    lesson: Callable[[Material, Expected, int], Lesson | None] | None = None
    needs: str = ""
    is_usual: bool = False
    asks_networks: bool = False
    is_network: bool = True


def comparisons() -> tuple[str, ...]:
    """Return the names of the arms that can be trained beside the one that is taken."""
    return tuple(name for name, arm in ARMS.items() if arm.shows)


def needs_expected(material: Material, names: Sequence[str]) -> bool:
    """Whether some of these arms need to know what networks expect."""
    asked = any(ARMS[name].asks_networks for name in names)
    return asked and not are_few(material.labelled_share)


def lessons(
    material: Material, names: Sequence[str], expected: Expected, seed: int
) -> dict[str, Lesson]:
    """Return what a round trains by name, first the network that is taken.

    What cannot be trained is left out: a control or an automatic correction where no
    training image had a class, a ceiling where the truth is not known, logistic
    regression where there is one class.

    Parameters
    ----------
    material : Material
        What there is to learn from.
    names : sequence of str
        The comparisons that are wanted, of `comparisons`.
    expected : (N, c) float32 array or None
        What networks say of training images that they were not trained on; needed
        where `needs_expected`.
    seed : int
        Of the placebo.
    """
    found = {}
    for name in (AFTER, *names):
        arm = ARMS[name]
        if arm.lesson and (not arm.needs or arm.needs in material.dataset.columns):
            lesson = arm.lesson(material, expected, seed)
            if lesson is not None:
                found[name] = lesson
    return found


def _after(material: Material, _expected: Expected, _seed: int) -> Lesson:
    n_classes, soft = len(material.class_names), material.soft_labels
    targets = known(material.labels, material.training, n_classes, soft)
    return Lesson(n_classes, targets, material.anchors)


def _relabel(material: Material, expected: Expected, seed: int) -> Lesson:
    return replace(_after(material, expected, seed), anchors=None)


def _rival(material: Material, expected: Expected, seed: int) -> Lesson | None:
    lesson = _relabel(material, expected, seed)
    named = lesson.targets.classes.any(axis=0)
    return lesson if np.count_nonzero(named) > 1 else None


def _placebo(material: Material, expected: Expected, seed: int) -> Lesson:
    """Give what is said of every edited image to another one, at random."""
    after, anchors = _after(material, expected, seed), material.anchors
    order = np.random.default_rng(seed).permutation(len(anchors))
    rows = np.flatnonzero(np.isin(after.targets.indices, anchors.indices))
    classes = after.targets.classes.copy()
    classes[rows] = classes[np.random.default_rng(seed).permutation(rows)]
    return replace(
        after,
        targets=replace(after.targets, classes=classes),
        anchors=replace(
            anchors,
            weights=anchors.weights[order],
            votes=anchors.votes[order],
            tags=anchors.tags[order],
            near=anchors.near[order],
            speaking=anchors.speaking[order],
        ),
    )


def _control(material: Material, _expected: Expected, _seed: int) -> Lesson | None:
    dataset, n_classes = material.dataset, material.dataset.n_classes
    targets = known(dataset.labels, material.training, n_classes, dataset.soft_labels)
    return Lesson(n_classes, targets) if len(targets) else None


def _automatic(material: Material, expected: Expected, seed: int) -> Lesson | None:
    control = _control(material, expected, seed)
    if control is None:
        return None
    corrections = _corrections(material, expected)
    return replace(control, targets=joined(control.targets, corrections))


def _ceiling(material: Material, _expected: Expected, _seed: int) -> Lesson | None:
    truth, n_classes = material.dataset.columns["truth"], len(material.class_names)
    right = known(truth, material.training & (truth < n_classes), n_classes)
    return Lesson(n_classes, right) if len(right) else None


ARMS = {
    BEFORE: Arm(
        title="Before",
        meaning="The network as it was before this round",
        how="",
        compared="the one before the round",
        short="before",
    ),
    CONTROL: Arm(
        title="Control",
        meaning="The same training without the edits",
        how="without edits",
        compared="the training without edits",
        short="control",
        shows="whether the edits taught anything, or only more training",
        lesson=_control,
        is_usual=True,
    ),
    AFTER: Arm(
        title="After",
        meaning="The network after this round, with the edits",
        how="with edits",
        compared="the training with edits",
        short="after",
        lesson=_after,
    ),
    RELABEL: Arm(
        title="Without places",
        meaning="The same training with the classes that you gave, but not the places",
        how="without places",
        compared="the same classes without the places",
        short="no places",
        shows="whether the map taught anything beside them",
        lesson=_relabel,
    ),
    "rival": Arm(
        title="Logistic regression",
        meaning="What logistic regression on the features of the network before makes "
        "of the same labels",
        how="logistic regression",
        compared="logistic regression on the same features and labels",
        short="logistic",
        shows="whether this program was needed",
        lesson=_rival,
        is_network=False,
    ),
    "automatic": Arm(
        title="Without a human",
        meaning="The same training without the edits, but with labels spread or "
        "softened by rule",
        how="without a human",
        compared="what can be corrected without a human",
        short="no human",
        shows="whether you were needed",
        lesson=_automatic,
        asks_networks=True,
    ),
    "placebo": Arm(
        title="Random edits",
        meaning="The same training with what your edits say dealt out at random among "
        "the edited images",
        how="with random edits",
        compared="edits dealt out at random",
        short="random edits",
        shows="whether any edits would have done",
        lesson=_placebo,
    ),
    CEILING: Arm(
        title="All labels right",
        meaning="The same training with the true class of every training image",
        how="with all labels right",
        compared="all labels right",
        short="all right",
        shows="how much there was to be gained",
        lesson=_ceiling,
        needs="truth",
    ),
}
"""All arms by name, in the order in which they are told."""


def _corrections(material: Material, expected: Expected) -> Targets:
    """Return what rules make of labels that nobody has reviewed."""
    dataset, predictions = material.dataset, material.predictions
    labels, training, reviewed = dataset.labels, material.training, material.confirmed
    if are_few(material.labelled_share):
        among = training & ~(reviewed & (labels < 0))
        return spread_labels(predictions.latents, labels, among, dataset.n_classes)
    assert expected is not None
    rows = np.flatnonzero((labels >= 0) & training & ~reviewed)
    judges = (
        widened(said[rows], dataset.n_classes)
        for said in (expected, predictions.probabilities)
    )
    return soften_labels(labels, rows, *judges)
