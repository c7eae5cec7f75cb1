"""The layers of a network that can make the features of a traversal, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.spec import ClassifierSpec


@dataclass(frozen=True)
class Layer:
    """A layer of a backbone.

    Parameters
    ----------
    name : str
        Of its module in the backbone.
    shape : tuple of int
        Of its output for one image: such as (maps, height, width).
    is_image : bool
        Whether that is still the image, made ready for the network.
    is_default : bool
        Whether it is used where none is chosen.
    """

    name: str
    shape: tuple[int, ...]
    is_image: bool = False
    is_default: bool = False

    def describe(self) -> str:
        """Return such as "16 maps of 14 × 14 px"."""
        if len(self.shape) != 3:
            return f"{' × '.join(f'{size:,}' for size in self.shape)} values"
        count, height, width = self.shape
        if self.is_image:
            return f"The image, {height} × {width} px"
        maps = "1 map" if count == 1 else f"{count:,} maps"
        return f"{maps} of {height} × {width} px"


def in_words(layers: Sequence[Layer]) -> list[str]:
    """Describe layers; those that would sound alike are numbered.

    Returns
    -------
    list of str
        Such as "512 maps of 8 × 8 px, 2 of 4".
    """
    words = [layer.describe() for layer in layers]
    total, seen = Counter(words), Counter[str]()
    for at, text in enumerate(words):
        seen[text] += 1
        if total[text] > 1:
            words[at] = f"{text}, {seen[text]} of {total[text]}"
    return words


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
