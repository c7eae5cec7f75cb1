from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from napari_spaceediting.editing.answers import Answer, ProposalKind
from napari_spaceediting.editing.guidance import (
    GROUP_SIZE,
    LARGEST_GROUP,
    Guide,
    Proposal,
)
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.spec import Predictions

N = 700
NAMES = tuple("0123456789")
quick = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return load_digits().target[:N].astype(np.int64)


@pytest.fixture(scope="module")
def make_guide(truth):
    """Return a function that makes a guide for digits with given labels."""
    latents = PCA(20, random_state=0).fit_transform(load_digits().data[:N])
    latents = latents.astype(np.float32)
    held_out = np.arange(N) % 5 == 0

    def make_guide(labels: np.ndarray, **changes) -> Guide:
        known = (labels >= 0) & ~held_out
        probabilities = np.zeros((N, 10), np.float32)
        if known.any():
            # Heavily regularised, as a network that stops early: it does not
            # learn every wrong label by heart.
            model = LogisticRegression(C=1e-4, max_iter=500)
            model.fit(latents[known], labels[known])
            probabilities[:, model.classes_] = model.predict_proba(latents)
        else:
            probabilities = probabilities[:, :0]
        guide = Guide(
            class_names=NAMES,
            labels=labels,
            settled=held_out.copy(),
            held_out=held_out,
            predictions=Predictions(latents, probabilities),
            margins=np.full(N, np.nan, np.float32),
            positions=latents[:, :2],
        )
        return replace(guide, **changes)

    return make_guide


@pytest.fixture(scope="module")
def noisy(truth) -> np.ndarray:
    """Return labels of which 15% are wrong."""
    rng = np.random.default_rng(0)
    wrong = rng.random(N) < 0.15
    return np.where(wrong, (truth + rng.integers(1, 10, N)) % 10, truth)


@pytest.fixture(scope="module")
def few(truth) -> np.ndarray:
    """Return labels for one image in ten."""
    return np.where(np.random.default_rng(0).random(N) < 0.1, truth, -1)


def images(proposals: list[Proposal], kind: ProposalKind | None = None) -> np.ndarray:
    some = [p.indices for p in proposals if kind is None or p.kind is kind]
    return np.concatenate(some) if some else np.empty(0, int)


def doubted(guide: Guide) -> list[Proposal]:
    return [p for p in run_job(guide) if p.kind is ProposalKind.MISLABELLED]


def margins_like(labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return margins below 0 where labels are wrong, the lower the later the image."""
    order = np.arange(N, dtype=np.float32)
    return np.where(labels == truth, 1 + order, -1 - order)


def disagreed(guide: Guide) -> list[Proposal]:
    return [p for p in run_job(guide) if p.kind is ProposalKind.DISAGREED]


def test_without_votes_nobody_is_said_to_disagree(make_guide, noisy):
    assert not disagreed(make_guide(noisy))


def test_what_divides_people_and_network_comes_first(make_guide, truth):
    guide = make_guide(truth)
    probabilities = np.eye(10, dtype=np.float32)[truth]
    soft = np.zeros((N, 10), np.float32)
    free = np.flatnonzero(~guide.held_out)[:3]
    others = (truth[free] + 1) % 10
    # Of two equally divided images, the network is sure of what fewer say of the first.
    soft[free, truth[free]] = [2 / 3, 2 / 3, 0.9]
    soft[free, others] = [1 / 3, 1 / 3, 0.1]
    probabilities[free[0]] = np.eye(10)[others[0]]
    soft[np.flatnonzero(guide.held_out)[0]] = 0.1
    guide = replace(
        guide,
        soft_labels=soft,
        predictions=replace(guide.predictions, probabilities=probabilities),
    )
    found = disagreed(guide)
    assert_array_equal(images(found), free)
    assert found[0].tag == NAMES[others[0]]
    assert found[0].reason == (
        f"People disagree: {NAMES[truth[free[0]]]} 67, {NAMES[others[0]]} 33; the "
        f"network says {NAMES[others[0]]} (1.00)."
    )
    assert found[0].score == 1 > found[1].score > found[2].score > 0
    # The reason is that people disagree, not that the label is doubted.
    assert not np.isin(images(run_job(guide), ProposalKind.MISLABELLED), free).any()
    # What was answered is not asked again.
    said = Answer(ProposalKind.DISAGREED, free[:1], accepted=False)
    assert_array_equal(images(disagreed(replace(guide, answers=(said,)))), free[1:])


def test_people_can_disagree_before_a_network_knows_a_class(make_guide):
    soft = np.zeros((N, 10), np.float32)
    soft[[1, 2], :2] = 0.5
    guide = make_guide(np.full(N, -1), soft_labels=soft)
    assert_array_equal(images(disagreed(guide)), [1, 2])


def test_wrong_labels_come_first(make_guide, noisy, truth):
    proposals = run_job(make_guide(noisy))
    assert proposals[0].kind is ProposalKind.MISLABELLED
    first = images(proposals, ProposalKind.MISLABELLED)[:30]
    assert len(first) == 30
    assert (noisy != truth)[first].mean() > 0.8, "of 15% that are wrong"
    right = [
        NAMES[truth[at]] == p.tag
        for p in proposals
        if p.kind is ProposalKind.MISLABELLED
        for at in p.indices
    ]
    assert np.mean(right[:30]) > 0.7


def test_labels_come_in_the_order_of_their_margins_and_never_dry_up(make_guide, noisy):
    rng = np.random.default_rng(0)
    margins = rng.normal(size=N).astype(np.float32)
    guide = make_guide(noisy, margins=margins, n_proposals=4 * N)
    found = doubted(guide)
    assert_array_equal(np.sort(images(found)), np.flatnonzero(~guide.settled))
    means = [margins[p.indices].mean() for p in found]
    assert means == sorted(means)
    for proposal in found:
        assert proposal.signs == pytest.approx((margins[proposal.indices].mean(),))


def test_a_reason_tells_whether_the_other_labels_disagree(make_guide, noisy, truth):
    margins = margins_like(noisy, truth)
    for proposal in doubted(make_guide(noisy, margins=margins, n_proposals=4 * N)):
        labelled = NAMES[noisy[proposal.indices[0]]]
        assert proposal.tag != labelled
        by = abs(margins[proposal.indices].mean())
        if (noisy != truth)[proposal.indices[0]]:
            said = f"; the other labels speak for {proposal.tag}, by {by:.2f}."
        else:
            said = f", and the other labels agree: by {by:.2f} over {proposal.tag}."
        assert proposal.reason.endswith(f"abelled {labelled}{said}")


def test_a_label_is_known_to_the_network_where_the_others_say_nothing(make_guide):
    labels = np.where(np.arange(N) % 2, 3, 5)
    reasons = [one.reason for one in doubted(make_guide(labels))]
    assert reasons
    for reason in reasons:
        assert "the network speaks for" in reason or "the network agrees" in reason


def test_a_label_that_nothing_speaks_against_is_left_for_the_end(make_guide, few):
    rng = np.random.default_rng(2)
    margins = rng.uniform(0.01, 1, N).astype(np.float32)
    guide = make_guide(few, margins=margins, n_proposals=20)
    assert not doubted(guide)
    # It comes when there is nothing else.
    guide = replace(guide, n_proposals=4 * N)
    kinds = [p.kind is ProposalKind.MISLABELLED for p in run_job(guide)]
    assert any(kinds)
    assert kinds == sorted(kinds)


def test_labels_doubted_alike_come_together(make_guide, truth):
    # A third of the fours has been taken for nines.
    labels = truth.copy()
    wrong = np.flatnonzero(truth == 4)[::3]
    labels[wrong] = 9
    margins = np.ones(N, np.float32)
    margins[wrong] = -1
    guide = make_guide(labels, margins=margins)
    largest = doubted(guide)[0]
    assert 1 < len(largest.indices) <= GROUP_SIZE
    assert largest.tag == "4"
    assert largest.reason.startswith(f"{len(largest.indices)} images labelled 9; the")
    for proposal in doubted(guide):
        assert len(set(labels[proposal.indices])) == 1


def test_no_surer_label_joins_a_doubtful_one(make_guide, noisy):
    margins = np.random.default_rng(0).normal(size=N).astype(np.float32)
    margins[margins > 0] += 1
    groups = [p.indices for p in doubted(make_guide(noisy, margins=margins))]
    assert max(len(group) for group in groups) > 1
    for group in groups:
        lowest, highest = margins[group].min(), margins[group].max()
        assert len(group) == 1 or highest <= 0.8 * lowest


def test_groups_are_what_can_be_named_together(make_guide, few, truth):
    guide = make_guide(few)
    proposals = run_job(guide)
    assert proposals[0].kind is ProposalKind.GROUP
    groups = [p for p in proposals if p.kind is ProposalKind.GROUP]
    assert len(groups) > 10
    for group in groups:
        assert (few[group.indices] < 0).all()
        assert not guide.settled[group.indices].any()
    purity = [np.bincount(truth[g.indices]).max() / len(g.indices) for g in groups]
    assert np.mean(purity) > 0.8
    together = images(groups)
    assert len(np.unique(together)) == len(together), "every image is in one group"


def crowds(n_crowds: int, sure: float) -> tuple[Guide, np.ndarray]:
    """Return a guide for unlabelled images in crowds, two a class, and their crowds.

    Of every crowd the network knows every third image's class with a probability, and
    all others' for certain.
    """
    rng = np.random.default_rng(0)
    crowd = np.repeat(np.arange(n_crowds), 40)
    n, n_classes = len(crowd), n_crowds // 2
    latents = np.eye(n_crowds)[crowd] * 20 + rng.normal(size=(n, n_crowds))
    share = np.where(np.arange(n) % 3 == 0, sure, 1)
    probabilities = (1 - share)[:, None] / n_classes + np.eye(n_classes)[
        crowd // 2
    ] * share[:, None]
    guide = Guide(
        class_names=NAMES[:n_classes],
        labels=np.full(n, -1),
        settled=np.zeros(n, bool),
        held_out=np.zeros(n, bool),
        predictions=Predictions(
            latents.astype(np.float32), probabilities.astype(np.float32)
        ),
        margins=np.full(n, np.nan, np.float32),
        positions=latents[:, :2].astype(np.float32),
    )
    return guide, crowd


def test_groups_lie_within_crowds_and_every_crowd_has_one():
    guide, crowd = crowds(12, 0.9)
    groups = groups_of(replace(guide, n_proposals=200))
    of = [set(crowd[group.indices].tolist()) for group in groups]
    assert all(len(each) == 1 for each in of)
    assert len(set.union(*of)) == 12
    assert all(g.tag == NAMES[crowd[g.indices[0]] // 2] for g in groups)


@pytest.mark.parametrize(("sure", "doubtful"), [(1.0, True), (0.2, False)])
def test_a_group_ends_where_the_network_doubts(sure, doubtful):
    guide, _ = crowds(8, sure)
    first = groups_of(guide)[0].indices
    # The image in the middle may be a doubtful one; it is the one to name first.
    assert (first[1:] % 3 == 0).any() == doubtful
    assert len(first) == LARGEST_GROUP or not doubtful


def scattered(seed: int, n: int, n_classes: int) -> Guide:
    """Return a guide for random images, of which some are labelled or settled."""
    rng = np.random.default_rng(seed)
    held_out = rng.random(n) < 0.2
    probabilities = rng.dirichlet(np.full(max(n_classes, 1), 0.3), n)
    return Guide(
        class_names=NAMES[:n_classes],
        labels=np.where(rng.random(n) < 0.3, rng.integers(0, n_classes or 1, n), -1)
        if n_classes
        else np.full(n, -1),
        settled=held_out | (rng.random(n) < 0.2),
        held_out=held_out,
        predictions=Predictions(
            rng.normal(size=(n, 5)).astype(np.float32),
            probabilities[:, :n_classes].astype(np.float32),
        ),
        margins=rng.normal(size=n).astype(np.float32),
        positions=rng.normal(size=(n, 2)).astype(np.float32),
    )


def groups_of(guide: Guide) -> list[Proposal]:
    return [p for p in run_job(guide) if p.kind is ProposalKind.GROUP]


@quick
@given(seeds, st.integers(0, 90), st.integers(0, 4))
def test_groups_are_apart_open_and_the_same_again(seed, n, n_classes):
    guide = scattered(seed, n, n_classes)
    groups = groups_of(guide)
    together = images(groups)
    assert len(np.unique(together)) == len(together)
    assert (guide.labels[together] < 0).all()
    assert not guide.settled[together].any()
    assert all(0 <= group.score <= 1 for group in groups)
    scores = [group.score for group in groups]
    assert scores == sorted(scores, reverse=True)
    assert_array_equal(together, images(groups_of(guide)))
    is_open = (guide.labels < 0) & ~guide.settled
    assert bool(groups) == is_open.any()
    all_of_them = images(run_job(replace(guide, n_proposals=400)))
    assert np.isin(np.flatnonzero(is_open), all_of_them).all(), "never dry"


@pytest.mark.parametrize("labels", ["noisy", "few"])
def test_neither_held_out_nor_settled_images_are_proposed(
    make_guide, labels, request, truth
):
    labels = request.getfixturevalue(labels)
    guide = make_guide(labels)
    settled = guide.settled | (np.random.default_rng(1).random(N) < 0.3)
    proposed = images(run_job(replace(guide, settled=settled)))
    assert len(proposed)
    assert not settled[proposed].any()


def test_held_out_labels_are_no_evidence(make_guide, noisy):
    guide = make_guide(noisy)
    others = np.where(guide.held_out, (noisy + 1) % 10, noisy)
    one, two = run_job(guide), run_job(replace(guide, labels=others))
    assert_array_equal(images(one), images(two))
    assert [p.reason for p in one] == [p.reason for p in two]


def test_no_two_doubts_lie_side_by_side_while_there_are_others(make_guide, few):
    guide = make_guide(few)
    radius = 0.01 * np.ptp(guide.positions, axis=0).max()
    proposals = run_job(guide)
    first = [p.indices[0] for p in proposals if p.kind is ProposalKind.AMBIGUOUS]
    places = guide.positions[first]
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    assert (apart[np.triu_indices(len(places), 1)] > radius).all()


def test_no_image_is_proposed_twice(make_guide, few):
    proposed: set[int] = set()
    for proposal in run_job(make_guide(few)):
        new = set(proposal.indices.tolist())
        assert not new <= proposed
        proposed |= new


def test_copies_of_a_doubted_image_come_together(make_guide, noisy):
    guide = make_guide(noisy)
    at = images(run_job(guide), ProposalKind.MISLABELLED)[0]
    copies = np.flatnonzero(~guide.held_out)[:GROUP_SIZE]
    latents = guide.predictions.latents.copy()
    probabilities = guide.predictions.probabilities.copy()
    labels = noisy.copy()
    for values in (latents, probabilities, labels):
        values[copies] = values[at]
    predictions = Predictions(latents, probabilities)
    again = replace(
        guide, labels=labels, predictions=predictions, positions=latents[:, :2]
    )
    group = next(p.indices for p in doubted(again) if np.isin(p.indices, copies).any())
    assert np.isin(group, [*copies, at]).all()
    assert len(group) == GROUP_SIZE


def test_the_place_is_where_the_class_is_at_home(make_guide, noisy):
    guide = make_guide(noisy)
    placed = [p for p in run_job(guide) if p.place is not None]
    assert placed
    for proposal in placed:
        nearest = np.linalg.norm(guide.positions - proposal.place, axis=1).argsort()
        around = noisy[nearest[~guide.held_out[nearest]][:15]]
        assert np.bincount(around).argmax() == NAMES.index(proposal.tag)


def test_the_same_guide_says_the_same_again(make_guide, few):
    one, two = run_job(make_guide(few)), run_job(make_guide(few))
    assert_array_equal(images(one), images(two))


@pytest.mark.parametrize("n", [1, 3, 50])
def test_there_are_no_more_proposals_than_asked_for(make_guide, few, n):
    assert len(run_job(make_guide(few, n_proposals=n))) <= n


def test_where_all_is_settled_nothing_is_proposed(make_guide, truth):
    assert run_job(make_guide(truth, settled=np.ones(N, bool))) == []


def test_without_any_label_there_are_groups_to_name(make_guide):
    proposals = run_job(make_guide(np.full(N, -1)))
    assert {p.kind for p in proposals} == {ProposalKind.GROUP}
    assert all(p.tag is None and p.place is None for p in proposals)
    assert "what are they?" in proposals[0].reason


def test_without_any_class_there_are_groups_to_name(make_guide):
    assert run_job(make_guide(np.full(N, -1), class_names=()))


def test_a_class_that_the_network_does_not_know_yet(make_guide, truth):
    # The user has named a class since the training, and most of its images.
    labels = np.where(truth == 3, 10, truth)
    forgotten = np.flatnonzero(truth == 3)[::6]
    labels[forgotten] = 5
    guide = make_guide(np.where(truth == 3, 5, truth))
    guide = replace(guide, labels=labels, class_names=(*NAMES, "three"))
    probabilities = guide.predictions.probabilities.copy()
    probabilities[:, 5] = 0
    predictions = replace(guide.predictions, probabilities=probabilities)
    proposals = run_job(replace(guide, predictions=predictions))
    # Its own images are doubted as any others, for classes that the network knows.
    of = [p for p in proposals if p.kind is ProposalKind.MISLABELLED]
    assert any((labels[p.indices] == 10).any() for p in of)
    assert {p.tag for p in proposals} <= set(NAMES)


@pytest.mark.parametrize("label", [-1, 0])
def test_two_images_are_no_trouble(label):
    guide = Guide(
        class_names=("a", "b"),
        labels=np.full(2, label),
        settled=np.zeros(2, bool),
        held_out=np.zeros(2, bool),
        predictions=Predictions(
            np.zeros((2, 3), np.float32), np.full((2, 2), 0.5, np.float32)
        ),
        margins=np.full(2, np.nan, np.float32),
        positions=np.zeros((2, 2), np.float32),
    )
    proposals = run_job(guide)
    assert np.isin([0, 1], images(proposals)).all()


def test_equal_images_are_no_trouble(make_guide, few):
    guide = make_guide(few)
    same = Predictions(np.ones((N, 4), np.float32), np.full((N, 10), 0.1, np.float32))
    assert run_job(
        replace(guide, predictions=same, positions=np.ones((N, 2), np.float32))
    )


# Answers


def answers_to(
    proposals: list[Proposal], *, accepted: bool, again: int = 1
) -> tuple[Answer, ...]:
    return tuple(
        Answer(p.kind, p.indices, accepted, p.signs)
        for p in proposals
        for _ in range(again)
    )


def share_of(proposals: list[Proposal], kind: ProposalKind) -> float:
    return sum(p.kind is kind for p in proposals) / len(proposals)


@pytest.mark.parametrize("kind", [ProposalKind.GROUP, ProposalKind.AMBIGUOUS])
def test_a_kind_that_is_always_refused_falls_back_but_stays(make_guide, few, kind):
    guide = make_guide(few)
    usual = run_job(guide)
    first = [p for p in usual if p.kind is kind][:1]
    now = run_job(replace(guide, answers=answers_to(first, accepted=False, again=1000)))
    assert 0 < share_of(now, kind) < 0.6 * share_of(usual, kind)
    others = {ProposalKind.GROUP, ProposalKind.AMBIGUOUS} - {kind}
    liked = [p for p in usual if p.kind in others][:1]
    answers = answers_to(first, accepted=False, again=1000) + answers_to(
        liked, accepted=True, again=1000
    )
    assert share_of(run_job(replace(guide, answers=answers)), kind) > 0


def test_a_kind_that_is_agreed_with_comes_more_often(make_guide, few):
    guide = make_guide(few)
    usual = run_job(guide)
    doubt = [p for p in usual if p.kind is ProposalKind.AMBIGUOUS][:1]
    now = run_job(replace(guide, answers=answers_to(doubt, accepted=True, again=20)))
    kind = ProposalKind.AMBIGUOUS
    assert share_of(now[:20], kind) > share_of(usual[:20], kind)


@pytest.mark.parametrize("labels", ["noisy", "few"])
@pytest.mark.parametrize("accepted", [False, True])
def test_what_was_answered_is_not_proposed_for_the_same_reason_again(
    make_guide, labels, accepted, request
):
    guide = make_guide(request.getfixturevalue(labels))
    proposals = run_job(guide)
    answered = answers_to(proposals[:10], accepted=accepted)
    again = run_job(replace(guide, answers=answered))
    assert again
    for kind in ProposalKind:
        known = [answer.indices for answer in answered if answer.kind is kind]
        if known:
            assert not np.isin(images(again, kind), np.concatenate(known)).any()


def test_images_like_no_other_are_proposed_where_they_are(make_guide, few):
    guide = make_guide(few)
    at = np.flatnonzero(~guide.settled)
    labelled = int(at[few[at] >= 0][0])
    unlabelled = int(at[few[at] < 0][0])
    latents = guide.predictions.latents.copy()
    spread = np.ptp(latents, axis=0).max()
    latents[labelled] += 3 * spread
    latents[unlabelled] -= 2 * spread
    guide = replace(guide, predictions=replace(guide.predictions, latents=latents))
    odd = [p for p in run_job(guide) if p.kind is ProposalKind.ISOLATED]
    assert [int(p.indices[0]) for p in odd[:2]] == [labelled, unlabelled]
    assert all(len(p.indices) == 1 and p.place is None for p in odd)
    assert odd[0].tag == NAMES[few[labelled]]
    guess = guide.predictions.probabilities[unlabelled].argmax()
    assert odd[1].tag == NAMES[guess]
    settled = guide.settled.copy()
    settled[labelled] = True
    rest = run_job(replace(guide, settled=settled))
    assert labelled not in images(rest, ProposalKind.ISOLATED)


def test_copies_of_one_image_are_not_isolated(make_guide, few):
    guide = make_guide(few)
    same = np.ones_like(guide.predictions.latents)
    guide = replace(guide, predictions=replace(guide.predictions, latents=same))
    assert not len(images(run_job(guide), ProposalKind.ISOLATED))
