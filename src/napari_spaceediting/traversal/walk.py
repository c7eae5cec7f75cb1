"""The work of a traversal: features, path, images."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
import torch

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.classifier import LatentClassifier, classifier_from
from napari_spaceediting.network.device import pick_device
from napari_spaceediting.network.spec import ClassifierSpec, State
from napari_spaceediting.traversal.arrival import Arrival, read_looks
from napari_spaceediting.traversal.changes import change_features, look_first
from napari_spaceediting.traversal.features import LayerFeatures
from napari_spaceediting.traversal.ground import Ground
from napari_spaceediting.traversal.mixtures import make_mixtures
from napari_spaceediting.traversal.regime import choose_regime, sees_photographs
from napari_spaceediting.traversal.result import Traversal
from napari_spaceediting.traversal.sets import TraversalSets
from napari_spaceediting.traversal.settings import TraverseSettings
from napari_spaceediting.traversal.table import is_read, read_features

UNTRAINED = (
    "The network has learnt from nothing but these images: what is changed may be what "
    "fools it. For photographs, train one that comes with weights."
)


_FEW = 25
"""Images of each set that the first look is by."""


def walk(
    dataset: ImageDataset,
    spec: ClassifierSpec,
    state: State,
    sets: TraversalSets,
    settings: TraverseSettings,
    notes: tuple[str, ...],
) -> Generator[Progress, None, Traversal]:
    """Do the work of `Traverse`, whose fields these are; the sets were checked.

    Of photographs whose sets must be read first, a few images of each show the first
    step of the first image, so that something is to be seen while all are read.

    Yields
    ------
    Progress
        In images, in features, then in iterations.
    """
    began = time.perf_counter()
    device = pick_device(settings.device)
    classifier = classifier_from(spec, state)
    features = LayerFeatures(classifier, settings.layers)
    classifier.to(device)
    key = _key(dataset, spec, state, features.layers)
    base = _Base(dataset, spec, settings, notes, device, classifier, features, key)
    first = TraversalSets(sets.images[:1], sets.sources[:1], sets.target)
    few = first.drawn(_FEW, settings.seed)
    sets = sets.drawn(settings.most, settings.seed)
    is_photograph = settings.regime == "features" or (
        settings.regime is None and sees_photographs(spec)
    )
    takes_long = not is_read(key) and len(sets.rows) > 2 * len(few.rows)
    if is_photograph and takes_long:
        ground, whole = yield from base.lay(few, began)
        yield from look_first(ground, whole)
    ground, whole = yield from base.lay(sets, began)
    if whole.regime == "mixtures":
        yield from make_mixtures(ground, whole)
    else:
        yield from change_features(ground, whole, is_shown=is_photograph and takes_long)
    return replace(whole, seconds=time.perf_counter() - began)


@dataclass(frozen=True, eq=False)
class _Base:
    """What does not depend on the sets."""

    dataset: ImageDataset
    spec: ClassifierSpec
    settings: TraverseSettings
    notes: tuple[str, ...]
    device: torch.device
    classifier: LatentClassifier
    features: LayerFeatures
    key: str

    def lay(
        self, sets: TraversalSets, began: float
    ) -> Generator[Progress, None, tuple[Ground, Traversal]]:
        """Read sets; return what work stands on, and a traversal to be filled in."""
        dataset, settings, n = self.dataset, self.settings, self.settings.batch_size
        rows = sets.rows
        table, looks = yield from read_features(
            self.features,
            dataset,
            rows,
            device=self.device,
            batch_size=n,
            key=self.key,
        )
        target = looks.of(np.isin(rows, sets.target))
        source = looks.of(np.isin(rows, sets.sources[0]))
        regime, reason = settings.regime, ""
        if regime is None:
            sides = (min(side, 32) for side in dataset.image_size)
            shape = -1, dataset.n_channels, *sides
            small = [some.pixels.reshape(shape) for some in (target, source)]
            regime, reason = choose_regime(small, self.spec)
        untrained = regime == "features" and self.spec.weights is None
        said = (reason, UNTRAINED * untrained, *self.notes)
        is_mixed = regime == "mixtures"
        others = source
        if is_mixed:
            others = yield from read_looks(
                self.classifier, dataset, sets.unlike, self.device, n
            )
        ground = Ground(
            dataset=dataset,
            settings=settings,
            device=self.device,
            classifier=self.classifier,
            features=self.features,
            sets=sets,
            table=table,
            looks=looks,
            gram=(yield from table.gram(None if is_mixed else self.features.sizes)),
            rows=rows,
            arrival=Arrival(target, others, settings.typical, by_pixels=is_mixed),
            began=began,
        )
        return ground, ground.begin(regime, tuple(note for note in said if note))


def _key(
    dataset: ImageDataset, spec: ClassifierSpec, state: State, layers: tuple[str, ...]
) -> str:
    """Return a digest of all that features depend on."""
    digest = hashlib.sha256(repr((dataset.content_key(), spec, layers)).encode())
    for name in sorted(state):
        digest.update(np.ascontiguousarray(state[name]).tobytes())
    return digest.hexdigest()
