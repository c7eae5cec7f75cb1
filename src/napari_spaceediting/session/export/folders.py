"""Images in one folder for each part and class."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.folder import UNLABELLED_FOLDERS
from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.session.export.results import SPLITS, Results
from napari_spaceediting.session.export.tables import Exported, writing

_UNLABELLED = "unlabelled"
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]+')


@dataclass(frozen=True, eq=False)
class ExportFolders:
    """Job: write images into `PART/CLASS/`, as `find_class_folders` reads them.

    Parameters
    ----------
    results : Results
        Which images, with their parts and labels.
    images : ImageDataset
        The same n images, for those that have no files of their own.
    folder : Path
        Must not exist, or be empty.
    links : bool
        Whether to make links to the files in place of copies.
    n_rejected : int
        Images that were left out because they are rejected.
    """

    results: Results
    images: ImageDataset = field(repr=False)
    folder: Path
    links: bool = False
    n_rejected: int = 0
    name: ClassVar[str] = "Export class folders"

    def run(self) -> Generator[Progress, None, Exported]:
        """Write them.

        Raises
        ------
        SessionError
            If the folder has something in it or cannot be written, or a class has a
            name that no folder can have; nothing is written then.
        """
        folder, columns = self.folder, self.results.columns
        labels, ids = columns["label"].tolist(), columns["id"].tolist()
        _check_names(sorted(set(labels) - {""}))
        with writing(folder):
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise SessionError(
                    f"There is something at {folder} already: choose a new folder."
                )
            unfinished = folder.with_name(f"{secrets.token_hex(8)}.part")
            try:
                for part in SPLITS.values():
                    (unfinished / part).mkdir(parents=True)
                taken: set[str] = set()
                for at, (name, label) in enumerate(zip(ids, labels, strict=True)):
                    place = unfinished / columns["split"][at] / (label or _UNLABELLED)
                    place.mkdir(exist_ok=True)
                    self._write(at, _free(place, name, taken))
                    yield Progress(at + 1, len(ids), "Writing images")
                if folder.exists():
                    folder.rmdir()
                unfinished.replace(folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
        said = f"Wrote {len(ids):,} images into {folder}."
        if self.n_rejected:
            said += f" Those that are rejected, {self.n_rejected:,}, were left out."
        return Exported(folder, said)

    def _write(self, at: int, place: Path) -> None:
        file = self.results.files[at]
        if file is not None:
            place = place.with_name(place.name.removesuffix(file.suffix) + file.suffix)
            if self.links:
                place.symlink_to(file.absolute())
            else:
                shutil.copy2(file, place)
            return
        import tifffile
        from PIL import Image

        pixels = self.images.original(at)
        if pixels.dtype == np.uint8 and (pixels.ndim == 2 or pixels.shape[2] in (1, 3)):
            flat = pixels[..., 0] if pixels.shape[2:] == (1,) else pixels
            Image.fromarray(flat).save(f"{place}.png")
        else:
            axes = "YX" if pixels.ndim == 2 else "YXS"
            tifffile.imwrite(f"{place}.tif", pixels, metadata={"axes": axes})


def _check_names(classes: Sequence[str]) -> None:
    """Refuse classes that would not come back from their folders as they were."""
    seen: set[str] = set()
    for name in classes:
        flat = name.lower()
        is_odd = _UNSAFE.search(name) or name.startswith(".") or name[-1] in ". "
        if is_odd or flat in UNLABELLED_FOLDERS or flat in seen:
            raise SessionError(
                f'The class "{name}" cannot have a folder of its own: give it another '
                "name, or export a table."
            )
        seen.add(flat)


def _free(folder: Path, name: str, taken: set[str]) -> Path:
    """Return a path for an image, called after its id, that no other has."""
    stem = _UNSAFE.sub("_", name).strip(". ") or "image"
    free, number = stem, 1
    while (key := str(folder / Path(free).stem).lower()) in taken:
        number += 1
        free = f"{Path(stem).stem}_{number}{Path(stem).suffix}"
    taken.add(key)
    return folder / free
