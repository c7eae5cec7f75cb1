from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

import numpy as np
import pytest

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.jobs.job import Progress

R = TypeVar("R")


@pytest.fixture
def drain() -> Callable[[Generator[Progress, None, R]], tuple[R, list[Progress]]]:
    """Return a function that runs a generator to its end: result, progress."""

    def drain(steps: Generator[Progress, None, R]) -> tuple[R, list[Progress]]:
        seen = []
        while True:
            try:
                seen.append(next(steps))
            except StopIteration as end:
                return end.value, seen

    return drain


@pytest.fixture
def make_bars() -> Callable[..., ImageDataset]:
    """Return a function that makes images of upright and level bars with noise."""

    def make_bars(
        n: int = 60, *, channels: int = 1, seed: int = 0, size: int = 12
    ) -> ImageDataset:
        rng = np.random.default_rng(seed)
        labels = np.arange(n) % 2
        images = rng.random((n, size, size, channels)).astype(np.float32) * 0.3
        for image, label, at in zip(
            images, labels, rng.integers(2, size - 2, n), strict=True
        ):
            image[(slice(None), at) if label else (at, slice(None))] = 1.0
        split = np.zeros(n, np.int8)
        split[n // 2 : 3 * n // 4] = 1
        split[3 * n // 4 :] = 2
        return ImageDataset(
            name="Bars",
            ids=np.arange(n).astype(str),
            labels=labels.astype(np.int64),
            class_names=("level", "upright"),
            split=split,
            pixels=ArrayPixels(images[..., 0] if channels == 1 else images),
            scaling=IntensityScaling("range", (0.0,) * channels, (1.0,) * channels),
            image_size=(size, size),
            columns={"truth": labels.astype(np.int64)},
        )

    return make_bars
