"""The jobs: move images to another kind, and list the layers that can tell kinds."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.spec import ClassifierSpec, State
from napari_spaceediting.traversal.layers import Layer
from napari_spaceediting.traversal.result import Asked, Traversal
from napari_spaceediting.traversal.sets import TraversalSets
from napari_spaceediting.traversal.settings import TraversalError, TraverseSettings

if TYPE_CHECKING:
    from napari_spaceediting.data.dataset import ImageDataset

MOST_BYTES = 2 << 30
"""Of the images that are made, and of how they compare to each other."""


@dataclass(frozen=True, eq=False)
class Traverse:
    """Move images in the features of a network and show what would change.

    Parameters
    ----------
    dataset : ImageDataset
        The images.
    spec : ClassifierSpec
        The network.
    state : mapping of str to array
        Its weights.
    sets : TraversalSets
        Which images are moved, from where and to where.
    settings : TraverseSettings
        How.
    asked : Asked, optional
        What that means in classes; it changes nothing of the work.

    Attributes
    ----------
    notes : tuple of str
        What the user should know of the sets, one sentence each.

    Raises
    ------
    TraversalError
        If the sets cannot be used.
    """

    name: ClassVar[str] = "Traverse"

    dataset: ImageDataset = field(repr=False)
    spec: ClassifierSpec
    state: State = field(repr=False)
    sets: TraversalSets
    settings: TraverseSettings = field(default_factory=TraverseSettings)
    asked: Asked | None = None
    notes: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "notes", self.sets.check(self.dataset.ids))

    def run(self) -> Generator[Progress, None, Traversal]:
        """Move the images.

        Yields
        ------
        Progress
            With the finished `Traversal` of some images now and then, in their order:
            first with a preview of every part, then with the parts themselves.

        Raises
        ------
        TraversalError
            If a layer cannot be used, or the features are not finite.
        TrainingFailed
            If torch cannot run the network.
        DataError
            If an image cannot be read.
        """
        self._check_room()
        from napari_spaceediting.traversal.walk import walk

        return (
            yield from walk(
                self.dataset,
                self.spec,
                self.state,
                self.sets,
                self.settings,
                self.notes,
            )
        )

    def _check_room(self) -> None:
        n_images = len(self.sets.images)
        height, width = self.dataset.image_size
        made = n_images * (1 + self.settings.steps)
        needed = 4 * made * self.dataset.n_channels * height * width + 8 * n_images**2
        if needed > MOST_BYTES:
            raise TraversalError(
                f"To move {n_images:,} images at once takes {needed / 1e9:.1f} GB of "
                "memory: choose fewer."
            )


@dataclass(frozen=True)
class ListLayers:
    """Find the layers of a network, which is built for it but not trained.

    Parameters
    ----------
    spec : ClassifierSpec
        The network.
    """

    name: ClassVar[str] = "List the layers"

    spec: ClassifierSpec

    def run(self) -> Generator[Progress, None, tuple[Layer, ...]]:
        """Return the layers, from the image on.

        Raises
        ------
        SpaceEditingError
            If the network cannot be built.
        TrainingFailed
            If torch cannot run it.
        """
        yield Progress(0, 1, "Build the network")
        from napari_spaceediting.network.classifier import classifier_from
        from napari_spaceediting.traversal.features import usable_layers

        return usable_layers(classifier_from(replace(self.spec, weights=None)))
