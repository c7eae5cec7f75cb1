"""Fashion-MNIST: found on this computer, or fetched once."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Generator, Sequence
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.cache import cache_dir
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.data.splits import FRACTIONS, Split, stratified_split
from napari_spaceediting.data.steps import Steps
from napari_spaceediting.data.writing import write_file
from napari_spaceediting.errors import DataError, reason_of
from napari_spaceediting.jobs.job import Progress

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
LOOK_ALIKES = ("T-shirt/top", "Pullover", "Dress", "Coat", "Shirt")
"""Classes that are easily mistaken for each other."""

MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
"""Checksums that the authors publish for their files."""

_URL = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"

_PROTOCOL = "https:"
"""Files come by no other one, wherever the address leads."""

_FOLDERS = (
    Path("/usr/share/datasets/fashion-mnist"),  # Debian's dataset-fashion-mnist
    Path("data/FashionMNIST/raw"),  # where torchvision's examples put it
)


def load_fashion_mnist(
    n_train: int = 2000,
    n_test: int = 2000,
    classes: Sequence[str] | None = None,
    seed: int = 0,
    folder: Path | None = None,
) -> Steps:
    """Open a balanced part of Fashion-MNIST.

    Parameters
    ----------
    n_train : int
        Images of the authors' training part; an eighth of them is for validation.
    n_test : int
        Images of the authors' test part.
    classes : sequence of str, optional
        Some of `CLASSES`, such as `LOOK_ALIKES`; by default all.
    seed : int
        Chooses the images and the split.
    folder : Path, optional
        Where the four `.gz` files are. By default they are looked for on this
        computer, and else downloaded (30 MB) and kept in the user's cache.

    Returns
    -------
    ImageDataset
        28 x 28 px, grey, uint8.

    Raises
    ------
    DataError
        A class is unknown, more images are wanted than there are, or the files
        cannot be fetched or read.

    Notes
    -----
    H. Xiao, K. Rasul, R. Vollgraf (2017), Fashion-MNIST: a novel image dataset for
    benchmarking machine learning algorithms, arXiv:1708.07747; MIT licence.
    """
    chosen = tuple(CLASSES if classes is None else classes)
    unknown = [name for name in chosen if name not in CLASSES]
    if unknown or len(chosen) < 2:
        raise DataError(
            f"Fashion-MNIST has no class {unknown[0]!r}: choose from "
            f"{', '.join(CLASSES)}."
            if unknown
            else "Choose at least two classes of Fashion-MNIST."
        )
    if folder is None:
        folder = _local_folder()
    if folder is None:
        folder = yield from _download()

    rng = np.random.default_rng(seed)
    codes = np.array([CLASSES.index(name) for name in chosen])
    parts = []
    for name, wanted in (("train", n_train), ("t10k", n_test)):
        images = read_idx(folder / f"{name}-images-idx3-ubyte.gz")
        codes_here = read_idx(folder / f"{name}-labels-idx1-ubyte.gz")
        at = _balanced(codes_here, codes, wanted, rng)
        ids = np.array([f"{name}-{index:05d}" for index in at])
        index_of = np.full(len(CLASSES), -1, np.int64)
        index_of[codes] = np.arange(len(codes))
        parts.append((ids, images[at], index_of[codes_here[at]]))

    train, test = parts
    validation = FRACTIONS[1] / (FRACTIONS[0] + FRACTIONS[1])
    split = stratified_split(train[2], rng, (1 - validation, validation, 0.0))
    labels: NDArray[np.int64] = np.concatenate([train[2], test[2]])
    return ImageDataset(
        name="Fashion-MNIST",
        ids=np.concatenate([train[0], test[0]]),
        labels=labels,
        class_names=chosen,
        split=np.concatenate([split, np.full(len(test[2]), Split.TEST, np.int8)]),
        pixels=ArrayPixels(np.concatenate([train[1], test[1]])),
        scaling=IntensityScaling("dtype"),
        image_size=(28, 28),
        columns={"truth": labels},
    )


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read a gzipped IDX file of unsigned bytes.

    The format is the one of MNIST (Y. LeCun, C. Cortes, C. Burges): two zeros, the
    type (8 for bytes), the number of axes, their lengths as big-endian int32, data.

    Raises
    ------
    DataError
        The file is missing, broken, or of another type.
    """
    try:
        raw = gzip.decompress(path.read_bytes())
        n_axes = raw[3]
        shape = np.frombuffer(raw, ">i4", n_axes, offset=4)
        if raw[:3] != b"\x00\x00\x08":
            raise ValueError("it holds no unsigned bytes")
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * n_axes).reshape(shape)
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise DataError(
            f"The file {path} cannot be read ({error}): delete it and open the sample "
            f"again."
        ) from error


def _balanced(
    labels: NDArray[np.uint8],
    codes: NDArray[np.int_],
    wanted: int,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Draw about `wanted` images, equally many of each class, in random order."""
    per_class = wanted // len(codes)
    drawn = []
    for code in codes:
        members = np.flatnonzero(labels == code)
        if not 0 < per_class <= len(members):
            raise DataError(
                f"{wanted:,} images of {len(codes)} classes are not possible: each "
                f"class of Fashion-MNIST has {len(members):,}."
            )
        drawn.append(rng.permutation(members)[:per_class])
    return rng.permutation(np.concatenate(drawn))


def _cache_folder() -> Path:
    """Return where downloads are kept."""
    return cache_dir() / "fashion-mnist"


def _local_folder() -> Path | None:
    """Return a folder that has all four files.

    Those of the system may be packed anew; those of the cache are as published.
    """
    for folder in _FOLDERS:
        if all((folder / name).is_file() for name in MD5):
            return folder
    folder = _cache_folder()
    return folder if all(_is_right(folder / name) for name in MD5) else None


def _is_right(path: Path) -> bool:
    with suppress(OSError):
        return path.is_file() and _has_checksum(path.read_bytes(), path.name)
    return False


def _has_checksum(content: bytes | bytearray, name: str) -> bool:
    return hashlib.md5(content, usedforsecurity=False).hexdigest() == MD5[name]


def _download() -> Generator[Progress, None, Path]:
    """Fetch the files that are missing, each checked by its MD5."""
    folder = _cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for name in MD5:
        if _is_right(folder / name):
            continue
        try:
            content = yield from _fetch(_URL + name, name)
            write_file(folder / name, content)
        except (OSError, HTTPException) as error:
            raise DataError(
                f"Fashion-MNIST cannot be downloaded ({reason_of(error)}): check the "
                f"network, or put its four .gz files into {folder}."
            ) from error
    return folder


def _fetch(url: str, name: str) -> Generator[Progress, None, bytes]:
    """Download one file; an OSError says why that failed."""
    content = bytearray()
    with urlopen(url, timeout=30) as response:
        if not response.url.startswith(_PROTOCOL):
            raise OSError(f"{url} leads to {response.url}")
        total = int(response.headers.get("Content-Length", 0))
        while chunk := response.read1(1 << 16):
            content += chunk
            yield Progress(len(content), total, f"Downloading {name}")
    if not _has_checksum(content, name):
        raise OSError(f"{url} is not the file that the authors published")
    return bytes(content)
