"""Outputs of the frozen part of a network, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_spaceediting.data.cache import cache_dir, make_room
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.prepared import Prepared
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.memory import blocks, rows_at_once
from napari_spaceediting.network.classifier import LatentClassifier
from napari_spaceediting.network.device import (
    mixed_precision,
    pick_device,
    torch_errors_in_words,
)
from napari_spaceediting.network.processes import processes
from napari_spaceediting.network.spec import Trainable

Fetch = Callable[[NDArray[np.intp]], NDArray[np.float32]]
"""From dataset indices to the inputs of the end of a network that trains."""

FrozenUpTo = Literal["head", "last_block"]
"""Values of `Trainable` with a frozen part."""

_FORMAT = 1
"""Part of every key: to be raised when the same weights come to compute otherwise."""

_CACHE_LIMIT = 20 << 30
"""Bytes of activations that are kept; beyond it, those unused for longest go."""

_SAVE_EVERY = 1024
"""Images after which those that are finished are written down."""


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
    work is interrupted, it goes on from the last finished row the next time. Several
    processes (see `processes`) share the images out; they need a common folder. What
    has not been used for longest is deleted when the folder holds more than 20 GiB.

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

    Yields
    ------
    Progress
        In images, after each batch; nothing where all is on disk.

    Returns
    -------
    (N, ...) float32 array
        Memory-mapped, read-only.

    Raises
    ------
    TrainingFailed
        If torch cannot run the network, such as for lack of memory.
    DataError
        If an image cannot be read.
    SpaceEditingError
        If the disk has no room for them.
    """
    body = classifier.body(trainable)
    path = _path(classifier, dataset, trainable)
    path.parent.mkdir(parents=True, exist_ok=True)
    crew = processes()
    crew.wait()
    if not _finished(path, len(dataset)).all():
        target = pick_device(device)
        classifier.to(target)
        row_shape, taken = _probe(body, classifier, dataset, target)
        is_large = target.type == "cpu" and rows_at_once(taken) < batch_size
        if is_large:
            batch_size = rows_at_once(taken)
        if crew.rank == 0:
            _begin(path, row_shape, body, classifier, dataset, trainable)
        crew.wait()
        todo = np.flatnonzero(~_finished(path, len(dataset)))
        n_before = len(dataset) - len(todo)
        mine = todo[crew.share(len(todo))]
        crew.wait()
        prepared = Prepared(dataset)
        file = _RowFile(path)
        try:
            for start in range(0, len(mine), batch_size):
                at = mine[start : start + batch_size]
                images = torch.from_numpy(prepared.images(at))
                if is_large:  # saves processors a tenth
                    images = images.contiguous(memory_format=torch.channels_last)
                with torch_errors_in_words(), torch.inference_mode():
                    with mixed_precision(target):
                        rows = body(images.to(target))
                    batch = rows.float().cpu().numpy()
                file.write(at, batch)
                # The others are about as far.
                done = n_before + (start + len(at)) * crew.size
                yield Progress(min(done, len(dataset)), len(dataset), "Read the images")
        finally:
            file.close()
        crew.wait()
    if crew.rank == 0:
        path.touch()
    found: NDArray[np.float32] = np.load(path, mmap_mode="r")
    return found


def n_unfinished(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    trainable: FrozenUpTo = "head",
) -> int:
    """Return how many images `activations` would have to compute."""
    path = _path(classifier, dataset, trainable)
    return int(np.sum(~_finished(path, len(dataset))))


def _path(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    trainable: FrozenUpTo,
) -> Path:
    """Return the file that holds these activations, or is to hold them."""
    key = _key(classifier.body(trainable), classifier, dataset, trainable)
    return cache_dir() / "activations" / f"{key}.npy"


def _finished(path: Path, n_rows: int) -> NDArray[np.bool_]:
    """Return which rows of a file of activations are finished.

    The file ends in a byte for each row that says so, which `np.load` does not see.
    """
    with suppress(OSError, ValueError, EOFError):
        rows = np.load(path, mmap_mode="r")
        marks = np.fromfile(path, bool, offset=rows.offset + rows.nbytes)
        if len(marks) == n_rows:
            return marks
    return np.zeros(n_rows, bool)


class _RowFile:
    """A file of activations that several processes may write to at once.

    Not by memory maps: on several machines they would overwrite each other's pages.
    """

    def __init__(self, path: Path) -> None:
        rows = np.load(path, mmap_mode="r")
        self._start, self._end = rows.offset, rows.offset + rows.nbytes
        self._file = path.open("r+b")
        self._unsafe: list[int] = []

    def write(self, at: NDArray[np.intp], rows: NDArray[np.float32]) -> None:
        """Write rows; now and then, make them safe and mark them as finished."""
        for index, row in zip(at.tolist(), rows, strict=True):
            self._file.seek(self._start + index * row.nbytes)
            self._file.write(row.tobytes())
        self._unsafe += at.tolist()
        if len(self._unsafe) >= _SAVE_EVERY:
            self._mark()

    def close(self) -> None:
        """Mark what is left, and close the file."""
        self._mark()
        self._file.close()

    def _mark(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        for index in self._unsafe:
            self._file.seek(self._end + index)
            self._file.write(b"\1")
        self._file.flush()
        self._unsafe.clear()


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
    hooks = [module.register_forward_hook(note) for module in body.modules()]
    try:
        with torch_errors_in_words(), torch.inference_mode():
            row_shape = body(image.to(device)).shape[1:]
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(row_shape), taken


def _begin(
    path: Path,
    row_shape: tuple[int, ...],
    body: nn.Module,
    classifier: LatentClassifier,
    dataset: ImageDataset,
    trainable: str,
) -> None:
    """Make the file of rows unless it is there, with what is known of them already."""
    if _finished(path, len(dataset)).any():
        return
    shape = len(dataset), *row_shape
    needed = 4 * math.prod(shape)
    make_room(path, needed, _CACHE_LIMIT, "activations, train only the head")
    rows = open_memmap(path, "w+", np.float32, shape)
    earlier = _earlier(body, classifier, dataset, trainable, path.parent)
    for part in blocks(len(earlier), rows[:1].nbytes):
        rows[part] = earlier[part]
    rows.flush()
    with path.open("ab") as file:
        file.write((np.arange(len(rows)) < len(earlier)).tobytes())


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
    if trainable == "all":
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


def _key(
    body: nn.Module, classifier: LatentClassifier, dataset: ImageDataset, trainable: str
) -> str:
    digest = hashlib.sha256()
    facts = [_FORMAT, dataset.content_key(), len(dataset), classifier.spec.backbone]
    digest.update(json.dumps([*facts, trainable, "float32"]).encode())
    for name, value in body.state_dict().items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value.cpu().numpy()).tobytes())
    return digest.hexdigest()[:32]


def _earlier(
    body: nn.Module,
    classifier: LatentClassifier,
    dataset: ImageDataset,
    trainable: str,
    folder: Path,
) -> NDArray[np.float32]:
    """Return what is known of the images that were there before others joined them."""
    before = dataset.before_joined()
    while before is not None:
        path = folder / f"{_key(body, classifier, before, trainable)}.npy"
        if _finished(path, len(before)).all():
            found: NDArray[np.float32] = np.load(path, mmap_mode="r")
            return found
        before = before.before_joined()
    return np.empty(0, np.float32)
