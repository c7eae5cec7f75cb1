"""The job that retrains a network with edits, its control beside it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from napari_spaceediting.editing.task import RetrainResult, Task
from napari_spaceediting.jobs.job import Progress


@dataclass(frozen=True, eq=False)
class Retrain(Task):
    """Retrain a network with what edits ask of it."""

    name = "Retrain with edits"

    def run(self) -> Generator[Progress, None, RetrainResult]:
        """Train; raise `TrainingFailed` where the loss or torch fails."""
        from napari_spaceediting.editing.rounds import retrain

        return (yield from retrain(self))
