from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from napari_spaceediting.editing.calibration import at_temperature, calibrate, errors
from napari_spaceediting.editing.certainty import calibration_error


@pytest.fixture
def overconfident():
    """Return what a network says that states three times too much, and what is so."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 4)) * 1.5
    honest = softmax(logits, axis=1)
    labels = (honest.cumsum(axis=1) > rng.random((4000, 1))).argmax(axis=1)
    return softmax(3 * logits, axis=1).astype(np.float32), np.eye(4)[labels]


def test_the_temperature_is_found_and_makes_certainty_honest(overconfident):
    said, classes = overconfident
    made = calibrate(said[:2000], classes[:2000], 0.05)
    assert made.temperature == pytest.approx(3, rel=0.1)
    after = at_temperature(said[2000:], made.temperature)
    assert calibration_error(after, classes[2000:]) < 0.03
    before, measured = errors(said, classes, np.arange(4000) < 2000)
    assert measured == pytest.approx(calibration_error(after, classes[2000:]))
    assert before == pytest.approx(calibration_error(said[2000:], classes[2000:]))


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_known_images_are_called_none_of_these_as_rarely_as_asked(share):
    rng = np.random.default_rng(1)
    refused = []
    for _ in range(200):
        said = softmax(rng.normal(size=(300, 3)), axis=1)
        made = calibrate(said[:150], np.eye(3)[said[:150].argmax(axis=1)], share)
        refused.append(np.mean(~made.is_known(said[150:])))
    assert share / 3 < np.mean(refused) < share * 1.1


def test_what_has_no_likeness_is_none_of_these(overconfident):
    said, classes = overconfident
    made = calibrate(said, classes, 0.05)
    assert not made.is_known(np.full((1, 4), 0.25)).any()


def test_with_too_few_images_nothing_is_none_of_these():
    made = calibrate(np.full((18, 2), 0.5), np.eye(2)[[0, 1] * 9], 0.05)
    assert made.is_known(np.full((1, 2), 0.5)).all()
    assert "takes 19 labelled" in made.caution
    assert calibrate(np.full((19, 2), 0.5), np.eye(2)[[0] * 19], 0.05).caution == ""
    nobody = calibrate(np.empty((0, 2)), np.empty((0, 2)), 0.05)
    assert (nobody.temperature, nobody.threshold) == (1, 0)


def test_where_all_images_tell_the_temperature_halves_measure_each_other(overconfident):
    said, classes = overconfident
    before, after = errors(said, classes, np.ones(len(said), bool))
    assert after < 0.03 < before
    assert np.isnan(errors(said[:0], classes[:0], np.ones(0, bool))).all()
