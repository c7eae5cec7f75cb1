"""Which images are worth looking at next, and why."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.soft_labels import SoftLabels, row_in_words
from napari_spaceediting.editing.answers import Answer, ProposalKind, agreement
from napari_spaceediting.editing.places import Homes, Surroundings, beliefs
from napari_spaceediting.editing.ranking import (
    alike,
    clusters,
    entropy,
    worth_naming,
)
from napari_spaceediting.editing.targets import widened
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.margins import leads, without
from napari_spaceediting.network.spec import Predictions
from napari_spaceediting.projection.neighbours import among
from napari_spaceediting.wording import quoted

NEIGHBOURS = 15
GROUP_SIZE = 8
"""Images that come together at most where labels are doubted, and that say the class
of a group to name."""
SMALLEST_GROUP, LARGEST_GROUP = 4, 16
"""Images that are named together, as far as there are so many."""
_CLUSTERS = 25
_FAR = 1.5
"""Times the usual distance from which an image counts as isolated."""
_LAST = 1e-9
"""Share of what comes after all others."""
_LANDMARKS = 2_000
"""Images that others may be far from."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """Images worth a decision.

    Parameters
    ----------
    kind : ProposalKind
        Why they are proposed.
    indices : (n,) int64 array
        The images; more than one where a lasso could name them together.
    reason : str
        Why, in one sentence.
    tag : str or None
        Class that is proposed.
    place : (2,) float32 array or None
        Where on the map images of that class lie near by; None to leave them there.
    score : float
        Urgency among proposals of its kind, 0 to 1: 1 for the first of them.
    signs : tuple of float
        Of a doubted label: its margin, the mean of a group.
    """

    kind: ProposalKind
    indices: NDArray[np.int64]
    reason: str
    tag: str | None
    place: NDArray[np.float32] | None
    score: float
    signs: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Guide:
    """Rank what is worth looking at next.

    Parameters
    ----------
    class_names : tuple of str
        The C classes.
    labels : (N,) int64 array
        Classes after the open edits, -1 for none.
    settled : (N,) bool array
        Images that need no look: edited, confirmed or held out.
    held_out : (N,) bool array
        Images kept apart; they give no evidence either.
    predictions : Predictions
        Of the network that is shown.
    margins : (N,) float32 array
        By how much the other labels speak for that of each image, as in `TrainResult`;
        NaN where that is not known, and the network is asked.
    positions : (N, 2) float32 array
        Map coordinates.
    n_proposals : int
        How many to return at most.
    seed : int
        Of the clustering and the search for neighbours.
    answers : tuple of Answer
        What the user said so far, as far as it stands. Images are not proposed
        again for the reason that they were proposed for then.
    soft_labels : (N, C) float32 array or None
        Soft labels after the open edits.
    """

    class_names: tuple[str, ...]
    labels: NDArray[np.int64] = field(repr=False)
    settled: NDArray[np.bool_] = field(repr=False)
    held_out: NDArray[np.bool_] = field(repr=False)
    predictions: Predictions = field(repr=False)
    margins: NDArray[np.float32] = field(repr=False)
    positions: NDArray[np.float32] = field(repr=False)
    n_proposals: int = 50
    seed: int = 0
    answers: tuple[Answer, ...] = field(default=(), repr=False)
    soft_labels: SoftLabels = field(default=None, repr=False)

    name = "Look for what is worth a decision"

    def run(self) -> Generator[Progress, None, list[Proposal]]:
        """Return proposals, the most useful first.

        The mix follows the share of labelled training images: with few labels
        groups to name come first, with many the probably wrong labels. Kinds that the
        user agreed with come more often, others less, but none never. Labels that
        nothing speaks against are left for when there is nothing else.
        """
        yield Progress(0, 4, "Comparing labels")
        labels = self._mislabelled()
        doubted = [one for one in labels if one.signs[0] < 0]
        found = {ProposalKind.MISLABELLED: doubted}
        yield Progress(1, 4, "Grouping what has no label")
        found[ProposalKind.GROUP] = self._groups()
        yield Progress(2, 4, "Weighing doubts")
        found[ProposalKind.AMBIGUOUS] = self._ambiguous()
        found[ProposalKind.DISAGREED] = self._disagreed()
        yield Progress(3, 4, "Looking for odd images")
        found[ProposalKind.ISOLATED] = self._isolated()
        training = ~self.held_out
        labelled = np.count_nonzero((self.labels >= 0) & training)
        few = labelled < 0.5 * np.count_nonzero(training)
        usual = {
            ProposalKind.GROUP: 3 if few else 1,
            ProposalKind.AMBIGUOUS: 1,
            ProposalKind.MISLABELLED: 1 if few else 3,
            ProposalKind.DISAGREED: 1 if few else 3,
            ProposalKind.ISOLATED: 0.5,
        }
        shares = [
            share * agreement(self.answers, kind) for kind, share in usual.items()
        ]
        return _interleave(
            [*(found[kind] for kind in usual), labels[len(doubted) :]],
            [*shares, _LAST],
            self.n_proposals,
        )

    def _mislabelled(self) -> list[Proposal]:
        """Return labelled images, those first whose label has the smallest margin.

        That one sign, ranked, finds more wrong labels than votes of neighbours or
        out-of-fold predictions, and no other adds to it. Images with the same label
        that the network takes for the same other class, and that look alike to it, are
        proposed together where they are as doubtful: one answer corrects them all. Of
        images on which people disagree that is said instead.
        """
        agreed = ~self._divided.any(axis=1)
        at = self._open(ProposalKind.MISLABELLED, (self.labels >= 0) & agreed)
        # A class that the open edits have named is still unknown to the network.
        probabilities = widened(self._probabilities[at], len(self.class_names))
        if not len(at) or probabilities.shape[1] < 2:
            return []
        given, margins = self.labels[at], self.margins[at]
        margins = np.where(np.isnan(margins), leads(probabilities, given), margins)
        seen = without(probabilities, given).argmax(axis=1)
        doubts = given * len(self.class_names) + seen
        groups = alike(self.predictions.latents[at], doubts, margins, GROUP_SIZE)
        return [
            self._proposal(
                ProposalKind.MISLABELLED,
                at[group],
                int(seen[group[0]]),
                1 - number / len(groups),
                self.doubt(
                    at[group], int(seen[group[0]]), float(margins[group].mean())
                ),
                (float(margins[group].mean()),),
            )
            for number, group in enumerate(groups[: self.n_proposals])
        ]

    def doubt(self, group: NDArray[np.int64], seen: int, margin: float) -> str:
        """Say how doubtful the label of images is that may be of another class."""
        given, other = self._name(self.labels[group[0]]), self._name(seen)
        start = f"{len(group)} images labelled" if len(group) > 1 else "Labelled"
        is_known = not np.isnan(self.margins[group]).any()
        who, s = ("the other labels", "") if is_known else ("the network", "s")
        if margin < 0:
            said = f"; {who} speak{s} for {other}, by {-margin:.2f}."
        else:
            said = f", and {who} agree{s}: by {margin:.2f} over {other}."
        return f"{start} {given}{said}"

    def _groups(self) -> list[Proposal]:
        """Return unlabelled images that one answer can name together.

        The centres of clusters are far from each other, so that every group teaches
        something else. What the groups leave is clustered again.
        """
        at = self._open(ProposalKind.GROUP, self.labels < 0)
        groups: list[NDArray[np.int64]] = []
        while len(at) and len(groups) < self.n_proposals:
            n_clusters = min(_CLUSTERS, -(-len(at) // GROUP_SIZE))
            found = clusters(self.predictions.latents[at], n_clusters, self.seed)
            chosen = [self._purest(at[rows]) for rows in found]
            groups += chosen
            at = np.setdiff1d(at, np.concatenate(chosen))
        return [
            self._group(group, 1 - number / len(groups))
            for number, group in enumerate(groups[: self.n_proposals])
        ]

    def _purest(self, cluster: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the central image of a cluster, and those likely to be of its class.

        What the network says of the most central ones is the class; the surer it is of
        the others, the more of them belong to the group.
        """
        central = cluster[:GROUP_SIZE]
        probabilities = self._probabilities
        if probabilities.shape[1] < 2:
            return central
        shares = probabilities[cluster, probabilities[central].mean(axis=0).argmax()]
        order = np.r_[0, 1 + np.argsort(-shares[1:], kind="stable")]
        size = worth_naming(shares[order], SMALLEST_GROUP, LARGEST_GROUP)
        purest: NDArray[np.int64] = cluster[order[:size]]
        return purest

    def _group(self, group: NDArray[np.int64], score: float) -> Proposal:
        start = "An unlabelled image"
        if len(group) > 1:
            start = f"{len(group)} unlabelled images that look alike to the network"
        kind, probabilities = ProposalKind.GROUP, self._probabilities[group]
        if not probabilities.shape[1]:
            what = "what is it?" if len(group) == 1 else "what are they?"
            return self._proposal(kind, group, None, score, f"{start}: {what}")
        guesses = np.bincount(probabilities.argmax(axis=1))
        tag = int(guesses.argmax())
        of_them = "all" if guesses[tag] == len(group) else f"{guesses[tag]}"
        said = f"{self._name(tag)} for {of_them} of them"
        if len(group) == 1:
            said = f"{self._name(tag)} ({probabilities[0, tag]:.2f})"
        who = "it" if len(group) > 1 else "the network"
        return self._proposal(kind, group, tag, score, f"{start}; {who} says {said}.")

    def _ambiguous(self) -> list[Proposal]:
        """Return unlabelled images between two classes, the most doubtful first."""
        at = self._open(ProposalKind.AMBIGUOUS, self.labels < 0)
        if self._probabilities.shape[1] < 2 or not len(at):
            return []
        probabilities = self._probabilities[at]
        best = np.argsort(-probabilities, axis=1)[:, :2]
        first, second = np.take_along_axis(probabilities, best, axis=1).T
        margin = first - second
        order = np.argsort(margin, kind="stable")
        return [
            self._proposal(
                ProposalKind.AMBIGUOUS,
                at[[row]],
                int(best[row, 0]),
                float(1 - margin[row]),
                f"The network wavers between {self._name(best[row, 0])} "
                f"({first[row]:.2f}) and {self._name(best[row, 1])} "
                f"({second[row]:.2f}).",
            )
            for row in order[self._scattered(at[order])]
        ]

    def _disagreed(self) -> list[Proposal]:
        """Return images on which people disagree, the most divided first.

        The network counts as much as all people together. Where nobody has said
        different things of an image, nothing is proposed: no sign of ours finds what
        people would disagree on.
        """
        disagreed = np.asarray(self._divided.any(axis=1))
        at = self._open(ProposalKind.DISAGREED, disagreed)
        if not len(at):
            return []
        people, names = self._divided[at], self.class_names
        seen = widened(self._probabilities[at], len(names))
        both = people + seen
        both /= both.sum(axis=1, keepdims=True)
        divided = entropy(both)
        order = np.argsort(-divided, kind="stable")[: self.n_proposals]
        found = []
        for row in order:
            reason = f"People disagree: {row_in_words(people[row], names)}"
            best = int(seen[row].argmax())
            if seen[row, best]:
                reason += (
                    f"; the network says {self._name(best)} ({seen[row, best]:.2f})"
                )
            found.append(
                self._proposal(
                    ProposalKind.DISAGREED,
                    at[[row]],
                    int(both[row].argmax()),
                    float(divided[row] / divided[order[0]]),
                    f"{reason}.",
                )
            )
        return found

    def _isolated(self) -> list[Proposal]:
        """Return training images that lie far from all others in latent space.

        How far is the distance to the 15th neighbour, over the usual one of these
        neighbours to theirs: a local outlier factor (Breunig et al., SIGMOD 2000) of
        plain distances. Neighbours are some of the images.
        """
        training = np.flatnonzero(~self.held_out)
        if len(training) <= NEIGHBOURS:
            return []
        latents = self.predictions.latents[training]
        rng = np.random.default_rng(self.seed)
        some = rng.permutation(len(training))[:_LANDMARKS]
        # The nearest of a landmark is itself.
        near, distances = among(latents, latents[some], NEIGHBOURS + 1)
        reach = distances[:, -2]
        reach[some] = distances[some, -1]
        usual = np.median(reach[some[near[:, :-1]]], axis=1)
        times = np.divide(reach, usual, out=np.ones_like(reach), where=usual > 0)
        everywhere = np.zeros(len(self.labels), np.float32)
        everywhere[training] = times
        at = self._open(ProposalKind.ISOLATED, everywhere >= _FAR)
        at = at[np.argsort(-everywhere[at], kind="stable")][: self.n_proposals]
        return [self._odd_one(index, float(everywhere[index])) for index in at.tolist()]

    def _odd_one(self, index: int, times: float) -> Proposal:
        label, probabilities = self.labels[index], self._probabilities[index]
        reason = f"It is {times:.1f} times as far from the images around it as is usual"
        tag = None
        if label >= 0:
            tag = self.class_names[label]
            reason += f"; labelled {quoted(tag)}."
        elif len(probabilities):
            tag = self.class_names[probabilities.argmax()]
            reason += f"; the network says {quoted(tag)}."
        else:
            reason += ": what is it?"
        kind = ProposalKind.ISOLATED
        return Proposal(kind, np.array([index]), reason, tag, None, 1 - 1 / times)

    def _open(self, kind: ProposalKind, among: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the images that may be proposed for a reason, each only once."""
        may = among & ~self.settled
        for answer in self.answers:
            if answer.kind is kind:
                may[answer.indices] = False
        return np.flatnonzero(may)

    def _scattered(self, at: NDArray[np.int64]) -> list[int]:
        """Return rows of images, last those next to an earlier one on the map."""
        radius = 0.01 * np.ptp(self.positions, axis=0).max()
        near = np.zeros(len(at), bool)
        kept: list[int] = []
        while len(kept) < self.n_proposals and not near.all():
            row = int(near.argmin())
            kept.append(row)
            offsets = self.positions[at] - self.positions[at[row]]
            near |= np.linalg.norm(offsets, axis=1) <= radius
        others = np.setdiff1d(np.arange(len(at)), kept)
        return [*kept, *others.tolist()][: self.n_proposals]

    def _proposal(
        self,
        kind: ProposalKind,
        indices: NDArray[np.int64],
        tag: int | None,
        score: float,
        reason: str,
        signs: tuple[float, ...] = (),
    ) -> Proposal:
        name = place = None
        if tag is not None:
            name = self.class_names[tag]
            place = self.homes.near(tag, self.positions[indices].mean(axis=0))
        return Proposal(kind, indices, reason, name, place, score, signs)

    def _name(self, tag: int) -> str:
        """Return the name of a class for a sentence."""
        return quoted(self.class_names[tag])

    @property
    def _divided(self) -> NDArray[np.float32]:
        nobody = np.empty((len(self.labels), 0), np.float32)
        return nobody if self.soft_labels is None else self.soft_labels

    @property
    def _probabilities(self) -> NDArray[np.float32]:
        return self.predictions.probabilities

    @cached_property
    def homes(self) -> Homes:
        """Where on the map the classes are at home."""
        believed = beliefs(self.labels, self._probabilities, len(self.class_names))
        candidates = np.flatnonzero(~self.held_out)
        return Homes(Surroundings(self.positions, candidates, believed))


def _interleave(
    queues: Sequence[Sequence[Proposal]], shares: Sequence[float], limit: int
) -> list[Proposal]:
    """Mix queues so that each has come by its share at any time, until all are empty.

    What has nothing but images that are proposed already is left out.
    """
    rest = [deque(queue) for queue in queues]
    taken = [0] * len(rest)
    mixed: list[Proposal] = []
    seen: set[int] = set()
    while any(rest) and len(mixed) < limit:
        turn = min(
            (number for number, queue in enumerate(rest) if queue),
            key=lambda number: (taken[number] + 1) / shares[number],
        )
        proposal = rest[turn].popleft()
        images = set(proposal.indices.tolist())
        if not images <= seen:
            mixed.append(proposal)
            seen |= images
            taken[turn] += 1
    return mixed
