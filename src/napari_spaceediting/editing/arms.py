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
        What it learns from, by a teacher; None where it cannot be trained. None for
        what is not trained in a round.
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
    lesson: Callable[[Teacher], Lesson | None] | None = None
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
    """
    teacher = Teacher(material, expected, seed)
    found = {}
    for name in (AFTER, *names):
        arm = ARMS[name]
        if arm.lesson and (not arm.needs or arm.needs in material.dataset.columns):
            lesson = arm.lesson(teacher)
            if lesson is not None:
                found[name] = lesson
    return found


@dataclass(frozen=True, eq=False)
class Teacher:
    """Makes of what there is what each arm learns from.

    Parameters
    ----------
    material, expected, seed
        As for `lessons`.
    """

    material: Material
    expected: Expected
    seed: int

    def after(self) -> Lesson:
        """Give the classes and places after the edits."""
        given, n_classes = self.material, len(self.material.class_names)
        targets = known(given.labels, given.training, n_classes, given.soft_labels)
        return Lesson(n_classes, targets, given.anchors)

    def relabel(self) -> Lesson:
        """Give the same classes, but no places."""
        return replace(self.after(), anchors=None)

    def rival(self) -> Lesson | None:
        """Give the same, if there are classes to tell apart."""
        lesson = self.relabel()
        named = lesson.targets.classes.any(axis=0)
        return lesson if np.count_nonzero(named) > 1 else None

    def placebo(self) -> Lesson:
        """Give what is said of every edited image to another one, at random."""
        after, anchors = self.after(), self.material.anchors
        order = np.random.default_rng(self.seed).permutation(len(anchors))
        rows = np.flatnonzero(np.isin(after.targets.indices, anchors.indices))
        classes = after.targets.classes.copy()
        classes[rows] = classes[np.random.default_rng(self.seed).permutation(rows)]
        dealt = {
            name: values[order]
            for name, values in vars(anchors).items()
            if name != "indices"
        }
        return replace(
            after,
            targets=replace(after.targets, classes=classes),
            anchors=replace(anchors, **dealt),
        )

    def control(self) -> Lesson | None:
        """Give the classes before the edits."""
        dataset, training = self.material.dataset, self.material.training
        soft, n_classes = dataset.soft_labels, dataset.n_classes
        targets = known(dataset.labels, training, n_classes, soft)
        return Lesson(n_classes, targets) if len(targets) else None

    def automatic(self) -> Lesson | None:
        """Give these as rules correct them."""
        control = self.control()
        if control is None:
            return None
        return replace(control, targets=joined(control.targets, self._corrections()))

    def ceiling(self) -> Lesson | None:
        """Give the truth."""
        given, n_classes = self.material, len(self.material.class_names)
        truth = given.dataset.columns["truth"]
        right = known(truth, given.training & (truth < n_classes), n_classes)
        return Lesson(n_classes, right) if len(right) else None

    def _corrections(self) -> Targets:
        """Return what rules make of labels that nobody has reviewed."""
        given, dataset = self.material, self.material.dataset
        labels, training, n_classes = dataset.labels, given.training, dataset.n_classes
        if are_few(given.labelled_share):
            among = training & ~(given.confirmed & (labels < 0))
            return spread_labels(given.predictions.latents, labels, among, n_classes)
        assert self.expected is not None
        rows = np.flatnonzero((labels >= 0) & training & ~given.confirmed)
        judges = (self.expected, given.predictions.probabilities)
        said = (widened(judge[rows], n_classes) for judge in judges)
        return soften_labels(labels, rows, *said)


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
        lesson=Teacher.control,
        is_usual=True,
    ),
    AFTER: Arm(
        title="After",
        meaning="The network after this round, with the edits",
        how="with edits",
        compared="the training with edits",
        short="after",
        lesson=Teacher.after,
    ),
    RELABEL: Arm(
        title="Without places",
        meaning="The same training with the classes that you gave, but not the places",
        how="without places",
        compared="the same classes without the places",
        short="no places",
        shows="whether the map taught anything beside them",
        lesson=Teacher.relabel,
    ),
    "rival": Arm(
        title="Logistic regression",
        meaning="What logistic regression on the features of the network before makes "
        "of the same labels",
        how="logistic regression",
        compared="logistic regression on the same features and labels",
        short="logistic",
        shows="whether this program was needed",
        lesson=Teacher.rival,
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
        lesson=Teacher.automatic,
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
        lesson=Teacher.placebo,
    ),
    CEILING: Arm(
        title="All labels right",
        meaning="The same training with the true class of every training image",
        how="with all labels right",
        compared="all labels right",
        short="all right",
        shows="how much there was to be gained",
        lesson=Teacher.ceiling,
        needs="truth",
    ),
}
"""All arms by name, in the order in which they are told."""
