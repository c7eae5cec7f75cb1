"""Which images are worth looking at next, and why."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.answers import (
    Answer,
    ProposalKind,
    agreement,
    suspicion,
)
from napari_spaceediting.editing.places import Homes, Surroundings, beliefs
from napari_spaceediting.editing.ranking import alike, apart, leads, ranks
from napari_spaceediting.editing.targets import widened
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.spec import Predictions
from napari_spaceediting.projection.neighbours import nearest

NEIGHBOURS = 15
GROUP_SIZE = 8
_FAR = 1.5
"""Times the usual distance from which an image counts as isolated."""


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
        Urgency among proposals of its kind, 0 to 1.
    signs : tuple of float
        Of a doubted label: what led to it, each 0 to 1, 1 for the most suspicious.
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
        Area under the margin, NaN where there is none.
    positions : (N, 2) float32 array
        Map coordinates.
    n_proposals : int
        How many to return at most.
    seed : int
        Of the clustering and the search for neighbours.
    answers : tuple of Answer
        What the user said so far, as far as it stands. Images are not proposed
        again for the reason that they were proposed for then.
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

    name = "Look for what is worth a decision"

    def run(self) -> Generator[Progress, None, list[Proposal]]:
        """Return proposals, the most useful first.

        The mix follows the share of labelled training images: with few labels
        groups to name come first, with many the probably wrong labels. Kinds that the
        user agreed with come more often, others less, but none never.
        """
        yield Progress(0, 4, "Comparing neighbours")
        training = ~self.held_out
        found = {ProposalKind.MISLABELLED: self._mislabelled()}
        yield Progress(1, 4, "Grouping what has no label")
        found[ProposalKind.GROUP] = self._groups()
        yield Progress(2, 4, "Weighing doubts")
        found[ProposalKind.AMBIGUOUS] = self._ambiguous()
        yield Progress(3, 4, "Looking for odd images")
        found[ProposalKind.ISOLATED] = self._isolated()
        labelled = np.count_nonzero((self.labels >= 0) & training)
        few = labelled < 0.5 * np.count_nonzero(training)
        usual = {
            ProposalKind.GROUP: 3 if few else 1,
            ProposalKind.AMBIGUOUS: 1,
            ProposalKind.MISLABELLED: 1 if few else 3,
            ProposalKind.ISOLATED: 0.5,
        }
        return _interleave(
            [found[kind] for kind in usual],
            [share * agreement(self.answers, kind) for kind, share in usual.items()],
            self.n_proposals,
        )

    def _mislabelled(self) -> list[Proposal]:
        """Return labelled images whose label is doubted, in groups of the same doubt.

        There are three signs, each taken as the rank among the labels: a small area
        under the margin (Pleiss et al. 2020), and by how much another class than the
        given one is likelier to the network, and among the nearest latent neighbours.
        `suspicion` weighs them. Images with the same label that the network takes for
        the same other class, and that look alike to it, are proposed together: one
        answer corrects them all, and the mean over them finds wrong labels more
        surely than a single image.
        """
        at = self._open(ProposalKind.MISLABELLED, self.labels >= 0)
        trained = np.flatnonzero((self.labels >= 0) & ~self.held_out)
        if len(at) < 2 or len(trained) <= NEIGHBOURS:
            return []
        votes = self._votes(at, trained)
        given = self.labels[at]
        # A class that the open edits have named is still unknown to the network.
        probabilities = widened(
            self.predictions.probabilities[at], len(self.class_names)
        )
        reassuring = (
            np.where(np.isnan(self.margins[at]), np.inf, self.margins[at]),
            leads(probabilities, given),
            leads(votes, given),
        )
        signs = np.stack([1 - ranks(values) for values in reassuring], axis=1)
        suspected = suspicion(signs, self.answers)
        worth = np.flatnonzero(
            (probabilities.argmax(axis=1) != given) & (votes.argmax(axis=1) != given)
        )
        seen = (probabilities + votes).argmax(axis=1)
        worth = worth[np.argsort(-suspected[worth], kind="stable")]
        worth = worth[: 4 * GROUP_SIZE * self.n_proposals]
        doubts = given[worth] * len(self.class_names) + seen[worth]
        groups = [
            worth[group]
            for group in alike(self.predictions.latents[at[worth]], doubts, GROUP_SIZE)
        ]
        return self._spread(
            [
                self._proposal(
                    ProposalKind.MISLABELLED,
                    at[group],
                    int(seen[group[0]]),
                    float(suspected[group].mean()),
                    self._doubt(at[group], seen[group[0]], votes[group]),
                    tuple(signs[group].mean(axis=0).tolist()),
                )
                for group in sorted(groups, key=lambda group: -suspected[group].mean())
            ]
        )

    def _doubt(
        self, group: NDArray[np.int64], seen: np.int64, votes: NDArray[np.float32]
    ) -> str:
        """Say why the labels of some images are doubted that the network sees as one.

        Votes, (n, C), are the shares of classes among the images nearest to each.
        """
        given = self.class_names[self.labels[group[0]]]
        other = self.class_names[seen]
        near = votes[:, seen].mean()
        if len(group) > 1:
            return (
                f"{len(group)} images labelled {given} that the network takes for "
                f"{other}; so are {near:.0%} of the images most similar to them."
            )
        said = self.predictions.probabilities[group[0], seen]
        return (
            f"{round(near * NEIGHBOURS)} of its {NEIGHBOURS} most similar images are "
            f"{other}; labelled {given}; network {said:.2f} for {other}."
        )

    def _groups(self) -> list[Proposal]:
        """Return unlabelled images that one answer can name together."""
        at = self._open(ProposalKind.GROUP, self.labels < 0)
        if len(at) < GROUP_SIZE:
            return []
        # With fewer than two classes there is no doubt to go by.
        has_doubts = self.predictions.probabilities.shape[1] > 1
        return self._doubtful(at) if has_doubts else self._clusters(at)

    def _doubtful(self, at: NDArray[np.int64]) -> list[Proposal]:
        """Return the most doubtful images, each with its nearest in latent space.

        The doubt is that of the image in the middle, one less the difference of its
        two largest probabilities. No two groups share an image.
        """
        near, _ = nearest(self.predictions.latents[at], GROUP_SIZE - 1, self.seed)
        groups = np.column_stack([np.arange(len(at)), near])
        best = np.sort(self.predictions.probabilities[at], axis=1)
        scores = 1 - (best[:, -1] - best[:, -2])
        order = np.argsort(-scores, kind="stable")
        rows = apart(groups, order, self.n_proposals)
        return [self._group(at[groups[row]], float(scores[row])) for row in rows]

    def _clusters(self, at: NDArray[np.int64]) -> list[Proposal]:
        """Return images that lie together in latents and map, large crowds first."""
        from sklearn.cluster import MiniBatchKMeans

        n_groups = min(self.n_proposals, len(at) // GROUP_SIZE)
        latents = self.predictions.latents[at]
        clusters = MiniBatchKMeans(n_groups, random_state=self.seed, n_init=3)
        assigned = clusters.fit_predict(latents)
        centres = clusters.cluster_centers_[assigned]
        distances = np.linalg.norm(latents - centres, axis=1)
        proposals = []
        for cluster in range(n_groups):
            members = np.flatnonzero(assigned == cluster)
            if not len(members):
                continue
            medoid = members[distances[members].argmin()]
            offsets = self.positions[at[members]] - self.positions[at[medoid]]
            near = np.argsort(np.linalg.norm(offsets, axis=1))[:GROUP_SIZE]
            proposals.append(self._group(at[members[near]], len(members) / len(at)))
        return sorted(proposals, key=lambda proposal: -proposal.score)

    def _group(self, group: NDArray[np.int64], score: float) -> Proposal:
        tag, reason = self._opinion(group)
        return self._proposal(ProposalKind.GROUP, group, tag, score, reason)

    def _opinion(self, group: NDArray[np.int64]) -> tuple[int | None, str]:
        size = len(group)
        start = f"{size} unlabelled images that look alike to the network"
        probabilities = self.predictions.probabilities[group]
        if not probabilities.shape[1]:
            return None, f"{start}: what are they?"
        guesses = np.bincount(probabilities.argmax(axis=1))
        tag = int(guesses.argmax())
        return tag, (
            f"{start}; it says {self.class_names[tag]} for {guesses[tag]} of them."
        )

    def _ambiguous(self) -> list[Proposal]:
        """Return unlabelled images between two classes."""
        at = self._open(ProposalKind.AMBIGUOUS, self.labels < 0)
        probabilities = self.predictions.probabilities
        if probabilities.shape[1] < 2 or not len(at):
            return []
        best = np.argsort(-probabilities[at], axis=1)[:, :2]
        first, second = np.take_along_axis(probabilities[at], best, axis=1).T
        margin = first - second
        return self._spread(
            [
                self._proposal(
                    ProposalKind.AMBIGUOUS,
                    at[[row]],
                    int(best[row, 0]),
                    float(1 - margin[row]),
                    f"The network wavers between {self.class_names[best[row, 0]]} "
                    f"({first[row]:.2f}) and {self.class_names[best[row, 1]]} "
                    f"({second[row]:.2f}).",
                )
                for row in np.argsort(margin)[: 4 * self.n_proposals]
            ]
        )

    def _isolated(self) -> list[Proposal]:
        """Return training images that lie far from all others in latent space.

        How far is the distance to the 15th neighbour, over the usual one of these
        neighbours to theirs: a local outlier factor (Breunig et al., SIGMOD 2000) of
        plain distances.
        """
        training = np.flatnonzero(~self.held_out)
        if len(training) <= NEIGHBOURS:
            return []
        latents = self.predictions.latents[training]
        near, distances = nearest(latents, NEIGHBOURS, self.seed)
        reach = distances[:, -1]
        usual = np.median(reach[near], axis=1)
        times = np.divide(reach, usual, out=np.ones_like(reach), where=usual > 0)
        everywhere = np.zeros(len(self.labels), np.float32)
        everywhere[training] = times
        at = self._open(ProposalKind.ISOLATED, everywhere >= _FAR)
        at = at[np.argsort(-everywhere[at], kind="stable")][: self.n_proposals]
        return [self._odd_one(index, float(everywhere[index])) for index in at.tolist()]

    def _odd_one(self, index: int, times: float) -> Proposal:
        label, probabilities = self.labels[index], self.predictions.probabilities[index]
        reason = f"It is {times:.1f} times as far from the images around it as is usual"
        tag = None
        if label >= 0:
            tag = self.class_names[label]
            reason += f"; labelled {tag}."
        elif len(probabilities):
            tag = self.class_names[probabilities.argmax()]
            reason += f"; the network says {tag}."
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

    def _votes(
        self, at: NDArray[np.int64], trained: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Class shares among the nearest labelled training images in latent space."""
        neighbours, _ = nearest(self.predictions.latents[trained], NEIGHBOURS)
        row_of = np.full(len(self.labels), -1)
        row_of[trained] = np.arange(len(trained))
        classes = self.labels[trained][neighbours[row_of[at]]]
        votes = np.zeros((len(at), len(self.class_names)), np.float32)
        np.add.at(votes, (np.arange(len(at))[:, None], classes), 1 / classes.shape[1])
        return votes

    def _spread(self, proposals: list[Proposal]) -> list[Proposal]:
        """Leave out what lies next to something that is proposed already."""
        if not proposals:
            return []
        radius = 0.01 * np.ptp(self.positions, axis=0).max()
        kept: list[Proposal] = []
        taken = np.empty((0, 2), np.float32)
        for proposal in proposals:
            place = self.positions[proposal.indices[0]]
            if (np.linalg.norm(taken - place, axis=1) > radius).all():
                kept.append(proposal)
                taken = np.vstack([taken, place])
            if len(kept) == self.n_proposals:
                break
        return kept

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

    @cached_property
    def homes(self) -> Homes:
        """Where on the map the classes are at home."""
        believed = beliefs(
            self.labels, self.predictions.probabilities, len(self.class_names)
        )
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
