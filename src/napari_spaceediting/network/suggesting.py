"""Which network to begin with, and why: the same for the window and the terminal."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.jobs.job import Progress, in_words
from napari_spaceediting.network.estimating import HowLong
from napari_spaceediting.network.spec import (
    EMBEDDINGS,
    LARGEST_FROM_SCRATCH,
    PUBLISHED,
    PUBLISHED_BACKBONES,
    SELF_SUPERVISED,
    ClassifierSpec,
    TrainSettings,
    seen_size,
)

_WHY = {
    SELF_SUPERVISED: "It has learnt from 142 million photographs without any labels, "
    "and its features suit most photographs.",
    "resnet18": "It has learnt from a million photographs; a small one that is quick.",
}


@dataclass(frozen=True)
class Suggestion:
    """A network to begin with.

    Parameters
    ----------
    spec : ClassifierSpec
        The network, but for what follows from the data set.
    is_quick : bool
        Whether it needs nothing from elsewhere and trains in a minute or so.
    """

    spec: ClassifierSpec
    why: str
    is_quick: bool = False


def suggested_at_once(dataset: ImageDataset) -> Suggestion | None:
    """Return what to begin with where nothing needs to be looked for, else None."""
    if dataset.features is not None:
        return Suggestion(
            ClassifierSpec(EMBEDDINGS),
            "The embeddings that came with the data are its features.",
            is_quick=True,
        )
    if max(dataset.image_size) <= LARGEST_FROM_SCRATCH:
        return Suggestion(
            ClassifierSpec(),
            f"Images of up to {LARGEST_FROM_SCRATCH} px teach a small network quickly. "
            "Where few of them have a label, a published one often knows more.",
            is_quick=True,
        )
    return None


@dataclass(frozen=True, eq=False)
class Suggest:
    """Look for a network to begin with: one that is in reach.

    Parameters
    ----------
    settings : TrainSettings
        How a small network would train, where there is no other.
    """

    name: ClassVar[str] = "Look for networks"

    dataset: ImageDataset = field(repr=False)
    settings: TrainSettings = field(default_factory=TrainSettings)

    def run(self) -> Generator[Progress, None, Suggestion]:
        """Look for it.

        Returns
        -------
        Suggestion
            For photographs a self-supervised transformer before a classifier, and
            whatever was fetched before where the network cannot be reached; else a
            small network for copies of the images, with the time that it takes here.
            For small images a small network, which is not quick where there is a
            choice: a published one was fetched before.

        Raises
        ------
        DataError
            If an image cannot be read.
        """
        found = suggested_at_once(self.dataset)
        if found is not None and not found.spec.sees_images:
            return found
        yield Progress(0, 0, "Looking for networks that are in reach")
        from napari_spaceediting.network.reach import has_timm, is_in_reach

        wanted = [SELF_SUPERVISED] * has_timm() + ["resnet18"]
        if found is not None:
            known = _fetched([*PUBLISHED_BACKBONES, *wanted])
            return _or_known(found, known) if known else found
        for backbone in wanted:
            if is_in_reach(backbone):
                return _published(backbone, _WHY[backbone])
        if known := _fetched(PUBLISHED_BACKBONES):
            why = "The network cannot be reached; this one was fetched before."
            return _published(known, why)
        return (yield from self._from_scratch())

    def _from_scratch(self) -> Generator[Progress, None, Suggestion]:
        dataset = self.dataset
        spec = ClassifierSpec(
            n_classes=dataset.n_classes,
            in_channels=dataset.n_channels,
            image_size=seen_size("small_cnn", dataset.image_size),
        )
        seconds = (yield from HowLong(dataset, spec, self.settings).run()).seconds
        takes = "a minute or less" if seconds < 60 else f"{in_words(seconds)} at most"
        return Suggestion(
            ClassifierSpec(),
            "No published network is in reach. A small one can learn from copies of "
            f"{LARGEST_FROM_SCRATCH} px, which takes {takes} here; weights in a file, "
            "or an exported network, need no connection and know more.",
            is_quick=seconds < 60,
        )


def _fetched(backbones: Iterable[str]) -> str:
    """Return the first of some networks that was fetched before; "" for none."""
    from napari_spaceediting.network.reach import cached_weights

    return next((name for name in backbones if cached_weights(name) is not None), "")


def _or_known(small: Suggestion, known: str) -> Suggestion:
    """Leave the choice between a small network and one that was fetched before."""
    return replace(
        small,
        why=f"{small.why} {known} was fetched before: choose it as Backbone, or train "
        "the small one.",
        is_quick=False,
    )


def _published(backbone: str, why: str) -> Suggestion:
    return Suggestion(ClassifierSpec(backbone, PUBLISHED), why)
