from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_spaceediting.traversal.whitening import Whitening, learn_whitening

CPU = torch.device("cpu")


def differences(channels: int, height: int, width: int, n: int = 60):
    """Yield soft differences, most along the mean of the channels."""
    rng = np.random.default_rng(0)
    for _ in range(n):
        noise = gaussian_filter(rng.normal(size=(channels, height, width)), (0, 2, 2))
        noise += 3 * noise.mean(axis=0)
        yield noise[None].astype(np.float32)


@pytest.mark.parametrize(
    ("channels", "height", "width"), [(1, 20, 20), (3, 24, 33), (8, 34, 26)]
)
def test_unknowns_of_unit_size_make_changes_as_real_ones_are(channels, height, width):
    usual = learn_whitening(differences(channels, height, width), CPU)
    assert usual.shape == (channels, height, width)
    torch.manual_seed(0)
    made = usual.change(torch.randn(60, usual.n_unknowns) / 2**0.5).numpy()
    assert made.shape == (60, channels, height, width)
    real = np.concatenate(list(differences(channels, height, width)))
    assert made.std() == pytest.approx(real.std(), rel=0.25)
    # They are as soft, and of the same colours.
    for axis in (2, 3):
        slopes = [np.diff(some, axis=axis).std() / some.std() for some in (made, real)]
        assert slopes[0] == pytest.approx(slopes[1], rel=0.35)
    shared = [some.mean(axis=1).std() / some.std() for some in (made, real)]
    assert shared[0] == pytest.approx(shared[1], rel=0.1)


def test_a_change_is_linear_in_its_unknowns():
    usual = learn_whitening(differences(2, 12, 10), CPU)
    one, other = torch.randn(2, 1, usual.n_unknowns)
    torch.testing.assert_close(
        usual.change(2 * one + other),
        2 * usual.change(one) + usual.change(other),
        atol=1e-4,
        rtol=1e-4,
    )


def test_it_cannot_be_learnt_of_nothing():
    with pytest.raises(ValueError, match="no differences"):
        learn_whitening([], CPU)


def test_colours_that_never_differ_stay():
    flat = Whitening(torch.eye(2), torch.zeros(2, 4, 3), 4)
    assert not flat.change(torch.ones(1, flat.n_unknowns)).any()
