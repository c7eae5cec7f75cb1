"""Outputs of the frozen part of a network, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_spaceediting.data.cache import cache_dir
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.kept import KeptRows, row_shape_of
from napari_spaceediting.data.prepared import Prepared
from napari_spaceediting.errors import DataError, SpaceEditingError
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.memory import rows_at_once
from napari_spaceediting.network.classifier import LatentClassifier
from napari_spaceediting.network.device import (
    mixed_precision,
    pick_device,
    torch_errors_in_words,
)
from napari_spaceediting.network.processes import processes
from napari_spaceediting.network.spec import EMBEDDINGS, FILE, Trainable, check_trains

Fetch = Callable[[NDArray[np.intp]], NDArray[np.float32]]
"""From dataset indices to the inputs of the end of a network that trains."""

FrozenUpTo = Literal["head", "last_block"]
"""Values of `Trainable` with a frozen part."""

_FORMAT = 2
"""Part of every key: to be raised when the same weights come to compute otherwise."""

_CACHE_LIMIT = 20 << 30
"""Bytes of activations that are kept; beyond it, those unused for longest go."""


def activations(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    trainable: FrozenUpTo = "head",
    *,
    device: str = "auto",
    batch_size: int = 256,
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Compute what the tail of a network takes, for every image, or find it on disk.

    The file's name is a digest of the images and of the frozen weights, so whatever
    has been computed once is found again by any training, round or session. If the
    work is interrupted, it goes on from the last finished row the next time (see
    `KeptRows`). Several processes (see `processes`) share the images out; they need a
    common folder. What has not been used for longest is deleted when the folder holds
    more than 20 GiB.

    Parameters
    ----------
    classifier : LatentClassifier
        Moved to the device.
    dataset : ImageDataset
        N images.
    trainable : {"head", "last_block"}
        Which activations: what `classifier.body(trainable)` gives.
    device : str
        As for `pick_device`.
    batch_size : int
        Images per step, at most. On processors it is as many as leave what they take
        on the way in fast memory, which spares the system most of its work.

    Returns
    -------
    (N, ...) float32 array
        Memory-mapped, read-only; or the embeddings of the data set, where these are
        the features.

    Raises
    ------
    TrainingFailed
        If torch cannot run the network, such as for lack of memory.
    DataError
        If an image cannot be read, or there are no images or embeddings.
    SpaceEditingError
        If the disk has no room for them.
    """
    target = pick_device(device)
    classifier.to(target)
    if not classifier.spec.sees_images:
        return _embeddings(classifier, dataset, trainable)
    _check_images(dataset)
    body = classifier.body(trainable)
    rows, taken = _kept(classifier, dataset, trainable, target)
    prepared = Prepared(dataset)
    crew = processes()

    def compute(at: NDArray[np.intp], n_before: int) -> Generator[Progress, None, None]:
        if not len(at):
            return
        at_once = batch_size
        if target.type == "cpu":
            needed = taken or _probe(body, classifier, dataset, target)[1]
            at_once = min(batch_size, rows_at_once(needed))
        is_large = at_once < batch_size
        for start in range(0, len(at), at_once):
            batch = at[start : start + at_once]
            images = torch.from_numpy(prepared.images(batch))
            if is_large:  # saves processors a tenth
                images = images.contiguous(memory_format=torch.channels_last)
            with torch_errors_in_words(), torch.inference_mode():
                with mixed_precision(target):
                    found = body(images.to(target))
                rows.put(batch, found.float().cpu().numpy())
            # The others are about as far.
            done = n_before + (start + len(batch)) * crew.size
            yield Progress(min(done, len(dataset)), len(dataset), "Read the images")

    if crew.rank == 0:
        rows.begin(_CACHE_LIMIT, "activations, train only the head")
    crew.wait()
    rows.begin(_CACHE_LIMIT, "activations, train only the head")  # for the others
    missing = yield from rows.missing()
    crew.wait()
    n_before = len(dataset) - len(missing)
    yield from compute(missing[crew.share(len(missing))], n_before)
    crew.wait()
    if crew.size > 1:
        # What the others have written; should some of it be lost, each helps itself.
        rows.open()
        rows.begin(_CACHE_LIMIT, "activations, train only the head")
        missing = yield from rows.missing()
        yield from compute(missing, len(dataset) - len(missing))
    return rows.array()


def n_unfinished(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    trainable: FrozenUpTo = "head",
) -> int:
    """Return how many images `activations` would have to compute."""
    if not classifier.spec.sees_images:
        return 0
    device = next(classifier.parameters()).device
    rows, _ = _kept(classifier, dataset, trainable, device)
    return len(dataset) - rows.n_recorded


def _embeddings(
    classifier: LatentClassifier, dataset: ImageDataset, trainable: FrozenUpTo
) -> NDArray[np.float32]:
    """Return what a network without a backbone is given, as a trunk would give it."""
    wanted, given = classifier.backbone.n_features, dataset.features
    if given is None or given.shape[1] != wanted:
        has = "none" if given is None else f"such of {given.shape[1]:,}"
        raise DataError(
            f"This network starts from embeddings of {wanted:,} numbers, and "
            f"{dataset.name} has {has}: open a table or matrix with them."
        )
    if trainable == "head":
        return given
    return given.reshape(len(given), 1, 1, wanted)


def _check_images(dataset: ImageDataset) -> None:
    if not dataset.has_images:
        raise DataError(
            f"{dataset.name} has embeddings but no images for this backbone to see: "
            f"choose “{EMBEDDINGS}” as the backbone."
        )


def _kept(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    trainable: FrozenUpTo,
    device: torch.device,
) -> tuple[KeptRows, int | None]:
    """Return what is kept of these activations, and bytes that an image takes.

    Where something is kept, no image is run, and the second is None.
    """
    body = classifier.body(trainable)
    weights = hashlib.sha256()
    for name, value in body.state_dict().items():
        weights.update(name.encode())
        weights.update(np.ascontiguousarray(value.cpu().numpy()).tobytes())
    backbone = classifier.spec.backbone
    if backbone.startswith(FILE):  # has more in it than weights
        weights.update(Path(backbone.removeprefix(FILE)).read_bytes())

    @cache  # to look at every file takes a while
    def path_of(images: ImageDataset) -> Path:
        key = weights.copy()
        facts = [_FORMAT, images.content_key(), len(images), backbone]
        seen: list[object] = ["mirror"] if classifier.spec.mirror else []
        if trainable == "head" and classifier.backbone.layout is not None:
            seen.append("layout")
        if classifier.spec.image_size != images.image_size:
            seen.append(list(classifier.spec.image_size))
        key.update(json.dumps([*facts, trainable, "float32", *seen]).encode())
        return cache_dir() / "activations" / f"{key.hexdigest()[:32]}.npy"

    known = row_shape_of(path_of(dataset))
    if known is not None:
        rows = KeptRows(dataset, path_of, known, np.float32)
        if rows.open():
            return rows, None
    shape, taken = _probe(body, classifier, dataset, device)
    return KeptRows(dataset, path_of, shape, np.float32), taken


def _probe(
    body: nn.Module,
    classifier: LatentClassifier,
    dataset: ImageDataset,
    device: torch.device,
) -> tuple[tuple[int, ...], int]:
    """Return the shape of what a network gives of an image, and bytes that it takes.

    These are inputs and outputs of the module that has the largest.
    """
    taken = 0

    def note(_: nn.Module, given: tuple[object, ...], result: object) -> None:
        nonlocal taken
        tensors = [x for x in (*given, result) if isinstance(x, Tensor)]
        taken = max(taken, sum(tensor.nbytes for tensor in tensors))

    image = torch.zeros(1, classifier.spec.in_channels, *dataset.image_size)
    modules = (m for m in body.modules() if not isinstance(m, torch.jit.ScriptModule))
    hooks = [module.register_forward_hook(note) for module in modules]
    try:
        with torch_errors_in_words(), torch.inference_mode():
            row_shape = body(image.to(device)).shape[1:]
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(row_shape), taken


def tail_inputs(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    trainable: Trainable,
    *,
    device: str = "auto",
    batch_size: int = 256,
) -> Generator[Progress, None, Fetch]:
    """Return what gives the inputs of `classifier.tail(trainable)` by dataset index.

    That is the images themselves where the whole network trains, and cached
    activations else; parameters, progress and errors as for `activations`.
    """
    check_trains(classifier.spec, trainable)
    if trainable == "last_block" and not classifier.backbone.is_split:
        raise SpaceEditingError(
            f"No last block is split off {classifier.spec.backbone}: train only the "
            "head, or everything."
        )
    if trainable == "all":
        _check_images(dataset)
        prepared = Prepared(dataset)
        if processes().size == 1:
            yield from prepared.fill()
        return prepared.images
    rows = yield from activations(
        classifier,
        dataset,
        trainable,
        device=device,
        batch_size=batch_size,
    )
    return rows.__getitem__
