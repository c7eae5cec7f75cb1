"""Outputs of the frozen part of a network, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from platformdirs import user_cache_path
from torch import nn

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.memory import blocks
from napari_spaceediting.network.classifier import LatentClassifier
from napari_spaceediting.network.device import pick_device, torch_errors_in_words
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
"""Images after which the count of finished rows is written down."""


def default_cache_dir() -> Path:
    """Return the folder where caches of this program are kept."""
    return user_cache_path("napari-spaceediting")


def activations(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    trainable: FrozenUpTo = "head",
    *,
    cache_dir: Path | None = None,
    device: str = "auto",
    batch_size: int = 256,
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Compute what the tail of a network takes, for every image, or find it on disk.

    The file's name is a digest of the images and of the frozen weights, so whatever
    has been computed once is found again by any training, round or session. If the
    work is interrupted, it goes on from the last finished row the next time. What
    has not been used for longest is deleted when the folder holds more than 20 GiB.

    Parameters
    ----------
    classifier : LatentClassifier
        Moved to the device.
    dataset : ImageDataset
        N images.
    trainable : {"head", "last_block"}
        Which activations: what `classifier.body(trainable)` gives.
    cache_dir : Path, optional
        `default_cache_dir()` if not given.
    device : str
        As for `pick_device`.
    batch_size : int
        Images per step.

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
    folder = (cache_dir or default_cache_dir()) / "activations"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_key(body, classifier, dataset, trainable)}.npy"
    counter = path.with_suffix(".json")
    done = _finished_rows(path, counter, len(dataset))
    if done < len(dataset):
        target = pick_device(device)
        classifier.to(target)
        rows = open_memmap(path, mode="r+") if done else None
        earlier = (
            None if done else _earlier(body, classifier, dataset, trainable, folder)
        )
        if earlier is not None:
            done = len(earlier)
            rows = _new_file(path, (len(dataset), *earlier.shape[1:]))
            for part in blocks(done, earlier[:1].nbytes):
                rows[part] = earlier[part]
            _write_down(rows, counter, done)
        try:
            for start in range(done, len(dataset), batch_size):
                stop = min(start + batch_size, len(dataset))
                images = dataset.images(np.arange(start, stop))
                with torch_errors_in_words(), torch.inference_mode():
                    batch = body(torch.from_numpy(images).to(target)).cpu().numpy()
                if rows is None:
                    rows = _new_file(path, (len(dataset), *batch.shape[1:]))
                rows[start:stop] = batch
                if stop // _SAVE_EVERY > done // _SAVE_EVERY:
                    _write_down(rows, counter, stop)
                done = stop
                yield Progress(done, len(dataset), "Read the images")
        finally:
            if rows is not None:
                _write_down(rows, counter, done)
    path.touch()
    found: NDArray[np.float32] = np.load(path, mmap_mode="r")
    return found


def _new_file(
    path: Path, shape: tuple[int, ...]
) -> np.memmap[tuple[int, ...], np.dtype[np.float32]]:
    """Make room and a file for activations."""
    needed = 4 * math.prod(shape)
    others = [other for other in path.parent.glob("*.npy") if other != path]
    in_use = sum(other.stat().st_size for other in others)
    for other in sorted(others, key=lambda other: other.stat().st_mtime):
        if in_use + needed <= _CACHE_LIMIT:
            break
        in_use -= other.stat().st_size
        with suppress(OSError):  # Windows keeps a file that someone has open
            other.unlink()
            other.with_suffix(".json").unlink(missing_ok=True)
    # Writing to a memory map on a full disk would end the process.
    if shutil.disk_usage(path.parent).free < needed:
        raise SpaceEditingError(
            f"The disk has no room for {needed / 1e9:.1f} GB of activations in "
            f"{path.parent}: free some space, or train only the head."
        )
    return open_memmap(path, "w+", np.float32, shape)


def tail_inputs(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    trainable: Trainable,
    *,
    cache_dir: Path | None = None,
    device: str = "auto",
    batch_size: int = 256,
) -> Generator[Progress, None, Fetch]:
    """Return what gives the inputs of `classifier.tail(trainable)` by dataset index.

    That is the images themselves where the whole network trains, and cached
    activations else; parameters, progress and errors as for `activations`.
    """
    if trainable == "all":
        return dataset.images
    rows = yield from activations(
        classifier,
        dataset,
        trainable,
        cache_dir=cache_dir,
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
) -> NDArray[np.float32] | None:
    """Return what is known of the images that were there before others joined them."""
    before = dataset.before_joined()
    while before is not None:
        path = folder / f"{_key(body, classifier, before, trainable)}.npy"
        if _finished_rows(path, path.with_suffix(".json"), len(before)) == len(before):
            found: NDArray[np.float32] = np.load(path, mmap_mode="r")
            return found
        before = before.before_joined()
    return None


def _finished_rows(path: Path, counter: Path, n_images: int) -> int:
    """Return how many rows of a file are known to be finished."""
    try:
        done = json.loads(counter.read_text())["finished_rows"]
        rows = np.load(path, mmap_mode="r")
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return 0
    return int(done) if len(rows) == n_images else 0


def _write_down(
    rows: np.memmap[tuple[int, ...], np.dtype[np.float32]], counter: Path, done: int
) -> None:
    """Make the rows safe, then say so, in that order."""
    rows.flush()
    unfinished = counter.with_suffix(".tmp")
    unfinished.write_text(json.dumps({"finished_rows": done}))
    os.replace(unfinished, counter)  # noqa: PTH105
