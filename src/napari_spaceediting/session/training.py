"""Training the network of a session: with a map to show at once."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.anchors import find_anchors
from napari_spaceediting.editing.edits import EditState
from napari_spaceediting.editing.retrain import Retrain
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.editing.task import RetrainResult
from napari_spaceediting.jobs.job import Progress, StandIn, relayed
from napari_spaceediting.network.jobs import TrainedNetwork, TrainNetwork
from napari_spaceediting.projection.layout import MapJob, MapResult
from napari_spaceediting.projection.pca import pca_map
from napari_spaceediting.projection.quality import UNKNOWN
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.classes import ready_to_train, reclassed
from napari_spaceediting.session.state import Checkpoint

if TYPE_CHECKING:
    from napari_spaceediting.data.dataset import ImageDataset

AS_IT_WAS = (
    "The map was not drawn: every image lies where it was. Accept the round, and draw "
    "the map anew."
)


@dataclass(frozen=True, eq=False)
class MappedNetwork(TrainedNetwork):
    """A trained network and the first map of its latents.

    Parameters
    ----------
    coordinates : (N, 2) float32 array
        Their principal components, as `pca_map` gives them.
    """

    coordinates: NDArray[np.float32] = field(kw_only=True, repr=False)


@dataclass(frozen=True, eq=False)
class TrainAndMap(TrainNetwork):
    """Train a network; then work out its first map, where nobody waits for it."""

    def run(self) -> Generator[Progress, None, MappedNetwork]:
        """Train, predict all images, and map them."""
        trained = yield from super().run()
        coordinates = pca_map(trained.predictions.latents)
        return MappedNetwork(**vars(trained), coordinates=coordinates)


@dataclass(frozen=True, eq=False)
class MappedRound:
    """A finished retraining and the map of its latents.

    Parameters
    ----------
    map : MapResult
        Its map. If that could not be drawn, its `note` says so and where the images
        lie instead.
    """

    result: RetrainResult
    map: MapResult


@dataclass(frozen=True, eq=False)
class RetrainAndMap:
    """Retrain with edits, and draw the map anew from where the images lie.

    Parameters
    ----------
    dataset : ImageDataset
        The images, those that are rejected in no part that trains or measures.
    edits : EditState
        What the edits add up to; the new map is laid over the images that none of them
        touches.
    before : Checkpoint
        What they were made on; it has a network and a map.
    """

    dataset: ImageDataset = field(repr=False)
    edits: EditState = field(repr=False)
    before: Checkpoint = field(repr=False)
    settings: RetrainSettings
    map: MapSettings
    looks: int = 1

    name = Retrain.name

    @cached_property
    def retrain(self) -> Retrain:
        """The retraining; what the edits ask of it is found when it is first asked for.

        With many edits that takes a second, which belongs into the job.
        """
        edits, before = self.edits, reclassed(self.before, self.edits)
        network, dataset = before.network, before.labelled(self.dataset)
        assert network is not None
        spec, state = ready_to_train(network, edits)
        return Retrain(
            dataset=dataset,
            class_names=edits.class_names,
            labels=edits.labels,
            soft_labels=edits.soft_labels,
            anchors=find_anchors(
                edits,
                network.predictions.probabilities,
                dataset.held_out,
            ),
            confirmed=before.confirmed,
            spec=spec,
            state=state,
            predictions=network.predictions,
            settings=self.settings,
            looks=self.looks,
        )

    def run(self) -> Generator[Progress, None, MappedRound]:
        """Retrain and draw.

        A finished retraining is never lost. It is handed over as a `StandIn` at once,
        with every image where it is, and then with every image among its neighbours;
        that is also the result if the map cannot be drawn. Of several processes that
        share the work, only the first draws.

        Raises
        ------
        TrainingFailed
            As `Retrain`.
        """
        result = yield from self.retrain.run()
        kept = MappedRound(result, self._as_it_was())
        yield Progress(0, 0, "Drawing the map", finished=StandIn(kept))
        from napari_spaceediting.network.processes import processes

        if processes().rank:
            return kept

        def hand_on(progress: Progress) -> Progress:
            nonlocal kept
            if not isinstance(progress.finished, StandIn):
                return progress
            kept = MappedRound(result, progress.finished.result)
            return replace(progress, finished=StandIn(kept))

        drawing = MapJob(
            result.predictions.latents,
            self.map,
            previous=self.edits.positions,
            fixed_weight=(~self.edits.edited).astype(np.float32),
        )
        try:
            drawn = yield from relayed(drawing.run(), hand_on)
        except Exception as error:
            note = f"{kept.map.note} The reason was: {error}"
            return replace(kept, map=replace(kept.map, note=note))
        return MappedRound(result, drawn)

    def _as_it_was(self) -> MapResult:
        drawn, positions = self.before.map, self.edits.positions
        assert drawn is not None
        return MapResult(
            coordinates=positions,
            neighbours=np.empty((len(positions), 0), np.int32),
            method=drawn.method,
            seconds=0.0,
            quality=UNKNOWN,
            note=AS_IT_WAS,
        )
