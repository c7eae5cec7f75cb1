"""What lies in a folder at any depth, linked or not, each place once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from napari_spaceediting.data.dataset import Skipped
from napari_spaceediting.data.files import is_image_file
from napari_spaceediting.data.names import listed, readable
from napari_spaceediting.data.stores import STORE, is_zarr
from napari_spaceediting.errors import reason_of

_SYSTEM = frozenset(
    {
        "@eadir",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "__macosx",
        "__pycache__",
        "lost+found",
        "system volume information",
    }
)
"""Folders that systems keep beside the user's, in lower case. They hold thumbnails,
copies and what was deleted. Those that begin with a point are hidden."""


@dataclass(frozen=True)
class Tree:
    """A folder with images somewhere below it, or none.

    Parameters
    ----------
    folders : tuple of Tree
        The folders in it, by name.
    """

    path: Path
    images: tuple[Path, ...] = ()
    folders: tuple[Tree, ...] = ()

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.name

    @cached_property
    def full(self) -> tuple[Tree, ...]:
        """The folders in it with images at any depth."""
        return tuple(folder for folder in self.folders if folder.images or folder.full)

    def files(self) -> Iterator[Path]:
        """Yield all images at any depth."""
        yield from self.images
        for folder in self.full:
            yield from folder.files()


@dataclass
class Walk:
    """A walk through a folder, which keeps what it passes over.

    Attributes
    ----------
    hidden : list of str
        Folders that are hidden or the system's.
    skipped : list of Skipped
        Folders that cannot be read.
    followed : set
        Links that were followed: each is once.
    """

    root: Path
    hidden: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    followed: set[tuple[int | Path, str]] = field(default_factory=set)

    def tree(self) -> Tree:
        """Walk through all of the folder.

        Raises
        ------
        OSError
            The folder itself cannot be read.
        """
        return self._below(self.root, frozenset())

    def notes(self) -> tuple[str, ...]:
        """Return what the user should know of it."""
        if not self.hidden:
            return ()
        return (f"Hidden and system folders are passed over: {listed(self.hidden)}.",)

    def shown(self, path: Path) -> str:
        """Return a path below the root as text."""
        return readable(path.relative_to(self.root).as_posix())

    def _below(self, folder: Path, above: frozenset[int | Path]) -> Tree:
        images, folders = [], []
        here = identity(folder)
        above |= {here}
        for name, is_folder, is_link in sorted(_entries(folder)):
            path = folder / name
            is_store = is_folder and path.suffix.lower() == STORE and is_zarr(path)
            if not is_folder or is_store:
                if is_image_file(path):
                    images.append(path)
            elif name.startswith(".") or name.lower() in _SYSTEM:
                self.hidden.append(self.shown(path))
            elif identity(path) not in above:  # a link to what it lies in is a circle
                # Links among linked folders would lead through them in every order.
                if is_link and (here, name) in self.followed:
                    continue
                self.followed.add((here, name))
                try:
                    tree = self._below(path, above)
                except OSError as error:
                    reason = f"the folder cannot be read ({reason_of(error)})"
                    self.skipped.append(Skipped(self.shown(path), reason))
                    continue
                folders.append(tree)
                if is_image_file(path) and not (tree.images or tree.full):
                    images.append(path)  # whoever reads it says what is wrong with it
        return Tree(folder, tuple(images), tuple(folders))


def same_place(path: Path) -> int | Path:
    """Return what two paths have in common only if they lead to the same place.

    Raises
    ------
    OSError, ValueError
        There is nothing.
    """
    status = path.stat()
    # Some file systems number nothing.
    number = status.st_dev << 64 | status.st_ino
    return number if status.st_ino else path.resolve()


def identity(path: Path) -> int | Path:
    """Return `same_place`, or the path itself where there is nothing."""
    try:
        return same_place(path)
    except (OSError, ValueError):
        return path


def _entries(folder: Path) -> list[tuple[str, bool, bool]]:
    with os.scandir(folder) as entries:
        return [(e.name, e.is_dir(), e.is_symlink()) for e in entries]
