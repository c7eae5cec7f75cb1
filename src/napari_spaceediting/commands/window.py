"""Opening a window from the terminal, and the command `open`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_spaceediting.commands.command import Commands, Report
from napari_spaceediting.errors import SpaceEditingError


def add_to(commands: Commands) -> None:
    """Add it."""
    parser = commands.add(
        "open", "Open a session or images in napari.", _open, has_outcome=False
    )
    parser.add_argument("path", type=Path)


@contextmanager
def napari_needed() -> Iterator[None]:
    """Say what to install where there is no napari or no Qt."""
    try:
        yield
    except ImportError as error:
        raise SpaceEditingError(
            f"There is no window to open ({error}): install napari with "
            "'pip install napari-spaceediting[all]'."
        ) from error


def _open(options: Namespace) -> Report:
    with napari_needed():
        from napari_spaceediting.plugin.launch import launch
    launch(options.path)
    return Report()
