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
from napari_spaceediting.editing.guidance import GROUP_SIZE, Guide, Proposal
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


def test_labels_doubted_alike_come_together(make_guide, truth):
    # A third of the fours has been taken for nines.
    fours = np.flatnonzero(truth == 4)
    labels = truth.copy()
    labels[fours[::3]] = 9
    guide = make_guide(labels)
    found = [p for p in run_job(guide) if p.kind is ProposalKind.MISLABELLED]
    largest = max(found, key=lambda p: len(p.indices))
    assert 1 < len(largest.indices) <= GROUP_SIZE
    assert largest.tag == "4"
    assert largest.reason.startswith(f"{len(largest.indices)} images labelled 9 that")
    for proposal in found:
        assert len(set(labels[proposal.indices])) == 1
    scores = [p.score for p in found]
    assert scores == sorted(scores, reverse=True)


def test_a_small_margin_adds_to_the_suspicion(make_guide, noisy):
    guide = make_guide(noisy)
    doubted = images(run_job(guide), ProposalKind.MISLABELLED)
    margins = np.ones(N, np.float32)
    margins[doubted[-1]] = -5
    again = images(run_job(replace(guide, margins=margins)), ProposalKind.MISLABELLED)
    assert np.flatnonzero(again == doubted[-1])[0] < len(doubted) - 1


def test_groups_are_what_can_be_named_together(make_guide, few, truth):
    guide = make_guide(few)
    proposals = run_job(guide)
    assert proposals[0].kind is ProposalKind.GROUP
    groups = [p for p in proposals if p.kind is ProposalKind.GROUP]
    assert len(groups) > 10
    for group in groups:
        assert len(group.indices) == GROUP_SIZE
        assert (few[group.indices] < 0).all()
        assert not guide.settled[group.indices].any()
        assert str(len(group.indices)) in group.reason
    purity = [np.bincount(truth[g.indices]).max() / len(g.indices) for g in groups]
    assert np.mean(purity) > 0.8
    together = images(groups)
    assert len(np.unique(together)) == len(together), "every image is in one group"


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
    assert bool(groups) == (np.count_nonzero(is_open) >= GROUP_SIZE)


@quick
@given(seeds, st.integers(2, 4))
def test_the_neighbourhoods_in_doubt_come_first(seed, n_classes):
    guide = scattered(seed, 90, n_classes)
    groups = groups_of(guide)
    latents, probabilities = (
        guide.predictions.latents,
        guide.predictions.probabilities,
    )
    best = np.sort(probabilities, axis=1)
    doubt = 1 - (best[:, -1] - best[:, -2])
    is_open = np.flatnonzero((guide.labels < 0) & ~guide.settled)

    def around(image: int) -> np.ndarray:
        away = np.linalg.norm(latents[is_open] - latents[image], axis=1)
        return is_open[away.argsort()[:GROUP_SIZE]]

    for group in groups:
        assert set(group.indices) == set(around(group.indices[0]))
        assert group.score == pytest.approx(doubt[group.indices[0]], abs=1e-5)
    assert groups[0].score == pytest.approx(doubt[is_open].max(), abs=1e-5)
    # No image that is left out is in more doubt than all whose groups it overlaps.
    for image in is_open:
        near = around(image)
        overlaps = [g.score for g in groups if np.isin(g.indices, near).any()]
        assert doubt[image] <= max(overlaps) + 1e-5


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


@pytest.mark.parametrize("labels", ["noisy", "few"])
def test_no_two_proposals_of_a_kind_lie_side_by_side(make_guide, labels, request):
    guide = make_guide(request.getfixturevalue(labels))
    radius = 0.01 * np.ptp(guide.positions, axis=0).max()
    proposals = run_job(guide)
    for kind in (ProposalKind.MISLABELLED, ProposalKind.AMBIGUOUS):
        first = [p.indices[0] for p in proposals if p.kind is kind]
        places = guide.positions[first]
        apart = np.linalg.norm(places[:, None] - places, axis=2)
        assert (apart[np.triu_indices(len(places), 1)] > radius).all()


def test_no_image_is_proposed_twice(make_guide, few):
    proposed: set[int] = set()
    for proposal in run_job(make_guide(few)):
        new = set(proposal.indices.tolist())
        assert not new <= proposed
        proposed |= new


def test_copies_of_an_image_are_proposed_once(make_guide, noisy):
    guide = make_guide(noisy)
    at = images(run_job(guide), ProposalKind.MISLABELLED)[0]
    copies = np.flatnonzero(~guide.held_out)[:20]
    latents = guide.predictions.latents.copy()
    probabilities = guide.predictions.probabilities.copy()
    labels = noisy.copy()
    for values in (latents, probabilities, labels):
        values[copies] = values[at]
    predictions = Predictions(latents, probabilities)
    again = replace(
        guide, labels=labels, predictions=predictions, positions=latents[:, :2]
    )
    proposed = images(run_job(again), ProposalKind.MISLABELLED)
    assert np.isin(proposed, [*copies, at]).sum() <= 1


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


def test_right_labels_leave_little_to_doubt(make_guide, truth, noisy):
    right, wrong = (
        images(run_job(make_guide(labels, n_proposals=200)), ProposalKind.MISLABELLED)
        for labels in (truth, noisy)
    )
    assert len(right) < 0.4 * len(wrong)


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
    assert "three" in {p.tag for p in proposals}


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
    assert len(proposals) == (1 if label < 0 else 0)


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


@pytest.mark.parametrize("deciding", [0, 1, 2])
def test_doubted_labels_come_in_the_order_that_answers_support(
    make_guide, noisy, deciding
):
    rng = np.random.default_rng(0)
    guide = make_guide(noisy, margins=rng.normal(size=N).astype(np.float32))
    guide = replace(guide, n_proposals=200)
    taught = []
    for _ in range(60):
        signs = rng.uniform(0.4, 1, 3)
        wrong = bool(signs[deciding] > 0.7)
        indices = np.empty(0, np.int64)
        answer = Answer(ProposalKind.MISLABELLED, indices, wrong, tuple(signs))
        taught.append(answer)

    def agreement(guide: Guide) -> float:
        """Return how far the order follows the deciding sign, at most 1."""
        found = [p for p in run_job(guide) if p.kind is ProposalKind.MISLABELLED]
        scores = [p.score for p in found]
        assert scores == sorted(scores, reverse=True)
        return np.corrcoef(scores, [p.signs[deciding] for p in found])[0, 1]

    now = agreement(replace(guide, answers=tuple(taught)))
    assert 1 - now < 0.5 * (1 - agreement(guide))


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
