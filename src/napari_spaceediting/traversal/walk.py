"""The work of a traversal: features, path, images."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator
from dataclasses import replace

import numpy as np

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.classifier import classifier_from
from napari_spaceediting.network.device import pick_device
from napari_spaceediting.network.spec import ClassifierSpec, State
from napari_spaceediting.traversal.arrival import Arrival, read_looks
from napari_spaceediting.traversal.changes import change_features
from napari_spaceediting.traversal.features import LayerFeatures
from napari_spaceediting.traversal.ground import Ground
from napari_spaceediting.traversal.mixtures import make_mixtures
from napari_spaceediting.traversal.regime import choose_regime
from napari_spaceediting.traversal.result import Traversal
from napari_spaceediting.traversal.sets import TraversalSets
from napari_spaceediting.traversal.settings import TraverseSettings
from napari_spaceediting.traversal.table import read_features

UNTRAINED = (
    "The network has learnt from nothing but these images: what is changed may be what "
    "fools it. For photographs, train one that comes with weights."
)


def walk(
    dataset: ImageDataset,
    spec: ClassifierSpec,
    state: State,
    sets: TraversalSets,
    settings: TraverseSettings,
    notes: tuple[str, ...],
) -> Generator[Progress, None, Traversal]:
    """Do the work of `Traverse`, whose fields these are; the sets were checked.

    Yields
    ------
    Progress
        In images, in features, then in iterations.
    """
    began = time.perf_counter()
    sets = sets.drawn(settings.most, settings.seed)
    rows = np.unique(np.concatenate([sets.images, *sets.sources, sets.target]))
    device = pick_device(settings.device)
    classifier = classifier_from(spec, state)
    features = LayerFeatures(classifier, settings.layers)
    classifier.to(device)
    n = settings.batch_size
    table, looks = yield from read_features(
        features,
        dataset,
        rows,
        device=device,
        batch_size=n,
        key=_key(dataset, spec, state, features.layers),
    )
    target = looks.of(np.isin(rows, sets.target))
    source = looks.of(np.isin(rows, sets.sources[0]))
    regime, reason = settings.regime, ""
    if regime is None:
        channels = (-1, dataset.n_channels, *(min(s, 32) for s in dataset.image_size))
        small = [some.pixels.reshape(channels) for some in (target, source)]
        regime, reason = choose_regime(small, spec)
    if regime == "features" and spec.weights is None:
        notes = UNTRAINED, *notes
    if reason:
        notes = reason, *notes
    others = source
    if regime == "mixtures":
        others = yield from read_looks(classifier, dataset, sets.unlike, device, n)
    by_layer = features.sizes if regime == "features" else None
    ground = Ground(
        dataset=dataset,
        settings=settings,
        device=device,
        classifier=classifier,
        features=features,
        sets=sets,
        table=table,
        looks=looks,
        gram=(yield from table.gram(by_layer)),
        rows=rows,
        arrival=Arrival(
            target, others, settings.typical, by_pixels=regime == "mixtures"
        ),
        began=began,
    )
    whole = ground.begin(regime, notes)
    make = make_mixtures if regime == "mixtures" else change_features
    yield from make(ground, whole)
    return replace(whole, seconds=time.perf_counter() - began)


def _key(
    dataset: ImageDataset, spec: ClassifierSpec, state: State, layers: tuple[str, ...]
) -> str:
    """Return a digest of all that features depend on."""
    digest = hashlib.sha256(repr((dataset.content_key(), spec, layers)).encode())
    for name in sorted(state):
        digest.update(np.ascontiguousarray(state[name]).tobytes())
    return digest.hexdigest()
