"""Doing the slow first-time work of a worker process while nobody waits."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.projection.layout import FEWEST_FOR_UMAP, MapJob
from napari_spaceediting.projection.settings import MapSettings


@dataclass(frozen=True)
class WarmUp:
    """Import torch and compile the map's code in the process that runs this job.

    The approximate neighbour search for more than 20,000 images is left out: to
    compile it takes longer than anyone's first job should wait.
    """

    name = "Get ready"

    def run(self) -> Generator[Progress, None, None]:
        """Yield before each part; return nothing."""
        parts = 3
        for done, module in enumerate(("torch", "torchvision")):
            yield Progress(done, parts, f"Loading {module}")
            importlib.import_module(module)
        latents = np.random.default_rng(0).random((4 * FEWEST_FOR_UMAP, 4), np.float32)
        yield Progress(2, parts, "Compiling the map")
        for _ in MapJob(latents, MapSettings(epochs=2)).run():
            yield Progress(2, parts, "Compiling the map")
