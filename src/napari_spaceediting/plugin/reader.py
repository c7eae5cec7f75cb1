"""Opens a saved session that is dropped on napari."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

LayerData = tuple[Any, dict[str, Any], str]
Paths = str | list[str]


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return a reader for a session folder, or None for anything else."""
    first = path[0] if isinstance(path, list) else path
    return _read if (Path(first) / "session.json").is_file() else None


def _read(path: Paths) -> list[LayerData]:
    from napari import current_viewer

    from napari_spaceediting.plugin.workbench import workbench_of

    first = path[0] if isinstance(path, list) else path
    viewer = current_viewer()
    if viewer is not None:
        workbench = workbench_of(viewer)
        workbench.show_docks()
        workbench.work.open_session(Path(first))
    return [(None,)]  # type: ignore[list-item]
