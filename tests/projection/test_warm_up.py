"""Getting a worker process ready."""

from __future__ import annotations

import sys

from napari_spaceediting.jobs.job import Progress, run_job
from napari_spaceediting.projection.warm_up import WarmUp


def test_it_loads_what_jobs_need() -> None:
    seen: list[Progress] = []
    run_job(WarmUp(), seen.append)
    assert {"torch", "torchvision", "umap"} <= set(sys.modules)
    done = [progress.done for progress in seen]
    assert done == sorted(done)
    assert [progress.message for progress in seen][:3] == [
        "Loading torch",
        "Loading torchvision",
        "Compiling the map",
    ]
