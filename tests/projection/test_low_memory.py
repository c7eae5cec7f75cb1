"""Latents that are larger than the memory that images may take."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_spaceediting.projection.neighbours import among, extended
from napari_spaceediting.projection.pca import check_latents, compact, pca_map
from napari_spaceediting.projection.placing import place

N, DIMENSIONS = 6_000, 256
LIMIT = 4_000_000
"""Bytes; as float32 the latents take 6 MB."""


@pytest.fixture
def latents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NDArray[np.float16]:
    rng = np.random.default_rng(0)
    some = rng.standard_normal((N, 4)) @ rng.standard_normal((4, DIMENSIONS))
    noise = 0.1 * rng.standard_normal((N, DIMENSIONS))
    np.save(tmp_path / "latents.npy", (some + noise).astype(np.float16))
    monkeypatch.setenv("SPACEEDITING_MEMORY", str(LIMIT))
    return np.load(tmp_path / "latents.npy", mmap_mode="r")


def peak(work: Callable[[], object]) -> int:
    """Return the most bytes that some work takes at once."""
    work()  # what is imported and compiled at first counts for nothing
    tracemalloc.start()
    work()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def test_work_on_latents_keeps_to_the_limit(latents: NDArray[np.float16]) -> None:
    layout = np.zeros((N, 2), np.float32)
    neighbours = np.zeros((N, 5), np.int32)
    few = np.asarray(latents[:50], np.float32)
    work: dict[str, Callable[[], object]] = {
        "check": lambda: check_latents(latents),
        "map": lambda: pca_map(latents),
        "compact": lambda: compact(latents),
        "place": lambda: place(few, latents, layout),
        "among": lambda: among(latents, few, 5),
        "extended": lambda: extended(latents, neighbours, few),
    }
    most = {name: peak(one) for name, one in work.items()}
    assert {name: size for name, size in most.items() if size > LIMIT} == {}


def test_the_map_is_the_same_in_blocks(
    latents: NDArray[np.float16], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_blocks = pca_map(latents)
    monkeypatch.delenv("SPACEEDITING_MEMORY")
    at_once = pca_map(np.asarray(latents, np.float32))
    np.testing.assert_allclose(in_blocks, at_once, atol=1e-2)


def test_fewer_dimensions_keep_who_is_near(latents: NDArray[np.float16]) -> None:
    found = compact(latents)
    assert found.dtype == np.float32
    assert found.nbytes <= LIMIT / 4 < 4 * N * DIMENSIONS
    near, _ = among(found[:100], found, 2)
    expected, _ = among(latents[:100], np.asarray(latents), 2)
    np.testing.assert_array_equal(near[:, 0], np.arange(100))
    assert (near[:, 1] == expected[:, 1]).mean() > 0.5
