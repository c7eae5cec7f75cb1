from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_spaceediting.data.dataset import UNLABELLED, Split
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.data.samples import digits
from napari_spaceediting.errors import TrainingFailed
from napari_spaceediting.memory import limited_to
from napari_spaceediting.network.classifier import classifier_from, state_of
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from napari_spaceediting.network.training import (
    epoch_plan,
    rows_that_fit,
    shuffled_batches,
    train,
)

SPEC = ClassifierSpec(latent_dim=8, n_classes=2, image_size=(12, 12))
SETTINGS = TrainSettings(epochs=4, batch_size=16, learning_rate=3e-3, device="cpu")


def same(first, second) -> bool:
    return all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("trainable", ["head", "last_block", "all"])
def test_learns_bars(make_bars, drain, trainable):
    dataset = make_bars(120)
    settings = replace(SETTINGS, trainable=trainable, epochs=15, patience=15)
    classifier = classifier_from(SPEC)
    before = state_of(classifier)
    result, progress = drain(train(classifier, dataset, settings))
    best = result.history[result.best_epoch]
    assert best.validation_accuracy > 0.75  # 0.5 by chance
    assert result.history[-1].loss < result.history[0].loss
    assert progress[-1].metrics.keys() == {"loss", "validation_accuracy"}
    frozen = {"head": "backbone", "last_block": "backbone.trunk", "all": "nothing"}
    for name, value in result.state.items():
        assert value.dtype == np.float32
        if name.startswith(frozen[trainable]):
            np.testing.assert_array_equal(value, before[name])
        elif name.endswith("weight"):
            assert not np.array_equal(value, before[name])


def test_kept_weights_are_those_of_the_best_epoch(make_bars, drain):
    dataset = make_bars(80)
    classifier = classifier_from(SPEC)
    result, _ = drain(train(classifier, dataset, SETTINGS))
    accuracies = [epoch.validation_accuracy for epoch in result.history]
    assert accuracies[result.best_epoch] == max(accuracies)
    assert same(result.state, state_of(classifier))
    at = np.flatnonzero(dataset.split == Split.VALIDATION)
    with torch.inference_mode():
        _, logits = classifier(torch.from_numpy(dataset.images(at)))
    accuracy = (logits.argmax(1).numpy() == dataset.labels[at]).mean()
    assert accuracy == pytest.approx(accuracies[result.best_epoch])


def test_same_seed_same_weights(make_bars, drain):
    settings = replace(SETTINGS, augment=True)

    def weights(seed: int):
        torch.rand(seed + 1)  # the global generator must not matter
        chosen = replace(settings, seed=seed)
        classifier = classifier_from(SPEC, seed=0)
        return drain(train(classifier, make_bars(), chosen))[0].state

    assert same(weights(1), weights(1))
    assert not same(weights(1), weights(2))


def test_stops_early_when_nothing_gets_better(make_bars, drain):
    dataset = make_bars()
    validation = dataset.split == Split.VALIDATION
    # Wrong validation labels: the better the network, the worse the accuracy.
    wrong = np.where(validation, 1 - dataset.labels, dataset.labels)
    settings = replace(SETTINGS, epochs=30, patience=3)
    result, _ = drain(
        train(
            classifier_from(SPEC),
            dataset.with_labels(wrong),
            settings,
        )
    )
    assert len(result.history) < 30
    assert len(result.history) == result.best_epoch + 1 + 3


def test_runs_all_epochs_without_validation_images(make_bars, drain):
    dataset = make_bars()
    split = np.where(dataset.split == Split.VALIDATION, Split.TEST, dataset.split)
    result, progress = drain(
        train(
            classifier_from(SPEC),
            replace(dataset, split=split.astype(np.int8)),
            SETTINGS,
        )
    )
    assert len(result.history) == 4
    assert result.best_epoch == 3
    assert all(math.isnan(epoch.validation_accuracy) for epoch in result.history)
    assert progress[-1].done == progress[-1].total
    assert progress[-1].metrics.keys() == {"loss"}


def test_unlabelled_and_test_images_do_not_matter(make_bars, drain):
    dataset = make_bars()
    labels = dataset.labels.copy()
    labels[:10] = UNLABELLED
    first = dataset.with_labels(labels)
    second = replace(
        first,
        labels=np.where(first.split == Split.TEST, 1 - first.labels, first.labels),
    ).subset(np.r_[0:3, 10:60])
    results = [
        drain(train(classifier_from(SPEC), data, SETTINGS))[0]
        for data in (first, second)
    ]
    assert same(results[0].state, results[1].state)
    known = (first.split == Split.TRAIN) & first.is_labelled
    np.testing.assert_array_equal(np.isfinite(results[0].margins), known)


@pytest.mark.parametrize("class_weights", [True, False])
def test_soft_labels_are_learnt_as_shares(make_bars, drain, class_weights):
    dataset = make_bars(120)
    soft = np.full((120, 2), 0.25, np.float32)
    soft[np.arange(120), dataset.labels] = 0.75
    settings = replace(SETTINGS, epochs=15, patience=15, class_weights=class_weights)
    said = []
    for data in (dataset, replace(dataset, soft_labels=soft)):
        classifier = classifier_from(SPEC)
        drain(train(classifier, data, settings))
        with torch.inference_mode():
            _, logits = classifier(torch.from_numpy(dataset.images(np.arange(120))))
        said.append(logits.softmax(1).amax(1).mean().item())
    assert said[1] < 0.8 < said[0]


@pytest.fixture(scope="module")
def mislabelled():
    """Return 600 digits, 15% of them with a wrong label, and which these are."""
    dataset = digits(labels_per_class=None, seed=0)
    at = np.flatnonzero(dataset.split == Split.TRAIN)[:600]
    dataset = dataset.subset(at)
    rng = np.random.default_rng(0)
    wrong = rng.random(600) < 0.15
    others = (dataset.columns["truth"] + rng.integers(1, 10, 600)) % 10
    return dataset.with_labels(np.where(wrong, others, dataset.columns["truth"])), wrong


@pytest.mark.parametrize("knows_by_heart", [True, False])
def test_margins_come_from_what_has_not_learnt_the_label(
    mislabelled, drain, knows_by_heart
):
    dataset, wrong = mislabelled
    spec = ClassifierSpec(n_classes=10, image_size=dataset.image_size)
    settings = TrainSettings(device="cpu", learning_rate=3e-3, epochs=30)
    if not knows_by_heart:
        split = np.where(np.arange(600) % 6 == 0, Split.VALIDATION, Split.TRAIN)
        dataset = replace(dataset, split=split.astype(np.int8))
    classifier = classifier_from(spec)
    result, _ = drain(train(classifier, dataset, settings))
    known = np.isfinite(result.margins)
    np.testing.assert_array_equal(known, dataset.split == Split.TRAIN)
    with torch.inference_mode():
        _, logits = classifier(torch.from_numpy(dataset.images(np.arange(600))))
    agrees = (logits.argmax(1).numpy() == dataset.labels)[known & wrong]
    assert agrees.mean() > 0.95 if knows_by_heart else agrees.mean() < 0.5
    margins, wrong = result.margins[known], wrong[known]
    assert wrong[np.argsort(margins)[:50]].mean() > 0.9
    assert (margins[wrong] < 0).mean() > 0.9, "the other labels speak against them"
    assert (margins[~wrong] < 0).mean() < 0.1


def test_features_with_weights_are_asked_before_they_learn(make_bars, drain, tmp_path):
    dataset = make_bars(160)
    path = tmp_path / "weights.pth"
    torch.save(classifier_from(SPEC, seed=8).backbone.state_dict(), path)
    spec = replace(SPEC, weights=str(path))
    margins = {
        (trainable, rate): drain(
            train(
                classifier_from(spec, seed=2),
                dataset,
                replace(SETTINGS, trainable=trainable, learning_rate=rate),
            )
        )[0].margins
        for trainable, rate in [("last_block", 0.03), ("all", 0.003)]
    }
    first, second = margins.values()
    np.testing.assert_allclose(first, second, atol=1e-4)


def test_rare_class_counts_as_much_as_a_common_one(make_bars, drain):
    dataset = make_bars(100)
    blank = ArrayPixels(np.zeros((100, 12, 12), np.float32))  # nothing but the prior
    labels = (np.arange(100) % 10 == 0).astype(np.int64)
    dataset = replace(dataset, pixels=blank, labels=labels)
    split = np.where(dataset.split == Split.VALIDATION, Split.TEST, dataset.split)
    dataset = replace(dataset, split=split.astype(np.int8))
    chances = []
    for weighted in (True, False):
        settings = replace(
            SETTINGS,
            trainable="head",
            epochs=30,
            batch_size=64,  # all images: a smaller batch has too few of the rare class
            class_weights=weighted,
        )
        classifier = classifier_from(SPEC)
        drain(train(classifier, dataset, settings))
        with torch.inference_mode():
            _, logits = classifier(torch.zeros(1, 1, 12, 12))
        chances.append(logits.softmax(dim=1)[0, 1].item())
    assert chances == pytest.approx([0.5, 0.1], abs=0.05)


def test_cancelled_training_leaves_the_given_state(make_bars):
    state = state_of(classifier_from(SPEC, seed=4))
    before = {name: value.copy() for name, value in state.items()}
    steps = train(classifier_from(SPEC, state), make_bars(), SETTINGS)
    for _ in range(15):
        next(steps)
    steps.close()
    assert same(before, state)


def test_images_that_are_not_finite(make_bars, drain):
    dataset = make_bars()

    class Broken(type(dataset)):
        def images(self, indices):
            images = super().images(indices)
            images[..., 0, 0] = np.nan
            return images

    broken = Broken(**{name: getattr(dataset, name) for name in dataset.__dict__})
    for trainable in ("head", "all"):
        settings = replace(SETTINGS, trainable=trainable)
        with pytest.raises(TrainingFailed, match="lower the learning rate"):
            drain(train(classifier_from(SPEC), broken, settings))


def test_errors_of_torch_become_sentences(make_bars, drain):
    wrong_channels = classifier_from(replace(SPEC, in_channels=3))
    # One channel is repeated by nothing that small_cnn has a use for.
    with torch.no_grad():
        wrong_channels.backbone.trunk[0] = torch.nn.Identity()
    for trainable in ("head", "all"):
        settings = replace(SETTINGS, trainable=trainable)
        with pytest.raises(
            TrainingFailed, match=r"could not be run: .*channels"
        ) as error:
            drain(train(wrong_channels, make_bars(), settings))
        assert "\n" not in str(error.value)


def test_too_little_memory_says_what_to_do(make_bars, drain):
    classifier = classifier_from(SPEC)

    def hungry(module, inputs):
        torch.empty(1 << 60)

    classifier.backbone.trunk.register_forward_pre_hook(hungry)
    with pytest.raises(
        TrainingFailed, match="smaller batch size or train only the head"
    ):
        drain(train(classifier, make_bars(), SETTINGS))


@pytest.mark.parametrize("n_classes", [0, 1])
def test_needs_two_classes(make_bars, drain, n_classes):
    dataset = make_bars()
    labels = np.where(dataset.labels < n_classes, dataset.labels, UNLABELLED)
    with pytest.raises(TrainingFailed, match="second class"):
        drain(
            train(
                classifier_from(SPEC),
                dataset.with_labels(labels),
                SETTINGS,
            )
        )


def test_inputs_that_do_not_fit_in_memory(make_bars, drain, monkeypatch):
    results, settings = [], replace(SETTINGS, batch_size=2)  # which always fit
    for limit in ("1GB", "1KB"):
        monkeypatch.setenv("SPACEEDITING_MEMORY", limit)
        result, _ = drain(train(classifier_from(SPEC), make_bars(), settings))
        results.append(result.state)
    assert same(*results)


@pytest.mark.parametrize("n", [2, 7, 40, 1000, 1001])
def test_every_image_is_in_every_epoch(n):
    batch_size, n_steps = epoch_plan(n, 32)
    batches = shuffled_batches(n, batch_size, n_steps, np.random.default_rng(0))
    assert len(batches) == n_steps >= 10
    assert {len(batch) for batch in batches} <= set(range(1, 33))
    counts = np.bincount(np.concatenate(batches), minlength=n)
    assert counts.min() >= 1
    assert counts.max() - counts.min() <= 0  # all alike
    if n > 320:
        assert counts.max() == 1


def test_what_learns_at_once_fits_into_the_memory(make_bars, drain):
    wide = torch.nn.Sequential(torch.nn.Linear(4, 1000), torch.nn.ReLU())
    rows = torch.ones(2, 4)
    with limited_to("400kB"):  # a quarter of it, and 1,000 + 4 numbers a row
        assert rows_that_fit(wide, rows) == 100_000 // (4 * 1004)
    with limited_to("1kB"):
        assert rows_that_fit(wide, rows) == 2
    dataset, settings = make_bars(80), replace(SETTINGS, epochs=1, batch_size=40)

    def steps() -> int:
        _, progress = drain(train(classifier_from(SPEC), dataset, settings))
        return max(at.total for at in progress if at.message.startswith("Epoch"))

    at_will = steps()
    with limited_to("400kB"):
        assert steps() > at_will
