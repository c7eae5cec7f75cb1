"""Open whatever the user points at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_spaceediting.data.arrays import ARRAY_SUFFIXES, find_in_array, is_zarr
from napari_spaceediting.data.assemble import Found, LoadSettings, assemble
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.folder import find_class_folders
from napari_spaceediting.data.intensity import IntensityScaling, Mode
from napari_spaceediting.data.samples import SAMPLES
from napari_spaceediting.data.steps import Steps
from napari_spaceediting.data.table import TABLE_SUFFIXES, find_in_table
from napari_spaceediting.errors import DataError
from napari_spaceediting.jobs.job import Progress, run_job


@dataclass(frozen=True, eq=False)
class OpenDataset:
    """Job: open images.

    Parameters
    ----------
    path : str or Path
        A folder with one subfolder per class, a table that lists image files, or
        an array with all images.
    settings : LoadSettings
        What the user decides.
    labels, split : optional
        For arrays only: see `find_in_array`.
    """

    path: str | Path
    settings: LoadSettings = field(default_factory=LoadSettings)
    labels: NDArray[Any] | Path | None = None
    split: NDArray[Any] | None = None
    name: ClassVar[str] = "Open the images"

    def run(self) -> Steps:
        """Open them.

        Yields
        ------
        Progress
            In images looked at.

        Returns
        -------
        ImageDataset

        Raises
        ------
        DataError
            The path is missing, of no kind that we read, or holds nothing usable.
        """
        path = Path(self.path).expanduser()
        try:
            return (yield from assemble(self._found(path), self.settings))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DataError(
                f"{error.filename or path} cannot be read ({reason}): check that you "
                f"have access to it."
            ) from error

    def _found(self, path: Path) -> Found:
        """Look for images in the way that suits the path."""
        if not path.exists():
            raise DataError(f"There is nothing at {path}: check the path.")
        suffix = path.suffix.lower()
        if is_zarr(path) or (path.is_file() and suffix in ARRAY_SUFFIXES):
            return find_in_array(path, self.labels, self.split)
        if self.labels is not None or self.split is not None:
            raise DataError(
                f"Labels and splits of {path} come from its folders or its table: "
                f"they can be given only with an array."
            )
        if path.is_dir():
            return find_class_folders(path)
        if suffix in TABLE_SUFFIXES:
            return find_in_table(path)
        raise DataError(
            f"{path.name} cannot be opened: choose a folder of images, a table "
            f"({', '.join(sorted(TABLE_SUFFIXES))}) or an array "
            f"({', '.join(sorted(ARRAY_SUFFIXES))})."
        )


@dataclass(frozen=True)
class OpenLayers:
    """Job: take images from layers.

    Parameters
    ----------
    make : callable
        Returns the data set: `from_stack` or `from_labels_layer` with its arguments.
    """

    make: Callable[[], ImageDataset]
    name: ClassVar[str] = "Open the layers"

    def run(self) -> Steps:
        """Take them; yields one step and returns an `ImageDataset`."""
        yield Progress(0, 1, "Looking at the images")
        return self.make()


def open_dataset(
    path: str | Path,
    *,
    seed: int = 0,
    scaling: Mode | IntensityScaling | None = None,
    image_size: tuple[int, int] | None = None,
    labels: ArrayLike | str | Path | None = None,
    split: ArrayLike | None = None,
) -> ImageDataset:
    """Open images now, in this process; see `OpenDataset`."""
    if isinstance(labels, str):
        labels = Path(labels)
    elif labels is not None and not isinstance(labels, Path):
        labels = np.asarray(labels)
    parts = None if split is None else np.asarray(split)
    settings = LoadSettings(seed, scaling, image_size)
    return run_job(OpenDataset(path, settings, labels, parts))


@dataclass(frozen=True)
class OpenSample:
    """Job: open one of the samples.

    Parameters
    ----------
    sample : str
        A key of `SAMPLES`.
    seed : int
        Chooses images, split and the labels that are kept.
    labels_per_class : int, optional
        Training labels that each class keeps; the others are hidden. By default all.
    """

    sample: str
    seed: int = 0
    labels_per_class: int | None = None
    name: ClassVar[str] = "Open a sample"

    def run(self) -> Steps:
        """Open it.

        Yields
        ------
        Progress
            In bytes fetched, or images drawn.

        Returns
        -------
        ImageDataset

        Raises
        ------
        DataError
            There is no such sample, or it cannot be fetched.
        """
        if self.sample not in SAMPLES:
            raise DataError(
                f"There is no sample {self.sample!r}: choose from {', '.join(SAMPLES)}."
            )
        dataset = yield from SAMPLES[self.sample].steps(self.seed)
        if self.labels_per_class is None:
            return dataset
        rng = np.random.default_rng(self.seed)
        return dataset.keep_labels(self.labels_per_class, rng)
