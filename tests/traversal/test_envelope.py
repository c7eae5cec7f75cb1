from __future__ import annotations

import numpy as np
import torch

from napari_spaceediting.traversal.envelope import envelope
from napari_spaceediting.traversal.table import FeatureTable

CPU = torch.device("cpu")
SHAPES = (3, 8, 6), (5,)


def table(difference: float) -> FeatureTable:
    """Return 40 rows of random maps; in the left upper corner, kinds differ."""
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(40, 3, 8, 6))
    maps[20:, :, :4, :3] += difference
    rest = rng.normal(size=(40, 5))
    rows = np.concatenate([maps.reshape(40, -1), rest], axis=1)
    return FeatureTable(rows.astype(np.float32), CPU)


def test_what_differs_may_change_and_the_rest_stays():
    where = envelope(table(2.0), SHAPES, np.arange(20), np.arange(20, 40), (32, 24))
    assert where.shape == (32, 24)
    assert where.dtype == np.float32
    assert where.max() == 1
    assert where[:14, :10].min() > 0.7
    assert where[20:].mean() < 0.05


def test_where_nothing_differs_everything_may_change():
    for shapes in (SHAPES, ((149,),)):
        where = envelope(
            table(0.0), shapes, np.arange(0, 40, 2), np.arange(1, 40, 2), (8, 6)
        )
        # A place or two may differ by chance, but not the whole.
        assert where.max() == 1
    np.testing.assert_array_equal(where, 1)
