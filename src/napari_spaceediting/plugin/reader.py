"""Opens what is dropped on napari, a session or folders of images, and its samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_spaceediting.data.folder import has_class_folders
from napari_spaceediting.data.mitosis import MITOSIS
from napari_spaceediting.data.samples import SAMPLES
from napari_spaceediting.data.stores import is_zarr
from napari_spaceediting.session.files import is_session

if TYPE_CHECKING:
    from napari_spaceediting.plugin.workbench import Workbench

Paths = str | list[str]
Nothing = list[tuple[None]]
"""What napari takes for "read, but there is no layer to add"."""

SAMPLE_SUFFIX = ".spaceediting-sample"


def get_reader(path: Paths) -> Callable[[Paths], Nothing] | None:
    """Return a reader for a session, a sample or folders of images, else None.

    A folder counts as such if it has folders with images in it. One that has images
    itself is left to others, who show them as layers.
    """
    first = Path(path[0] if isinstance(path, list) else path)
    if first.suffix == SAMPLE_SUFFIX and first.stem == MITOSIS:
        return lambda _: _open(_open_mitosis)
    if first.suffix == SAMPLE_SUFFIX and first.stem in SAMPLES:
        return lambda _: _open(lambda bench: bench.opening.open_sample(first.stem))
    if is_session(first):
        return lambda _: _open(lambda bench: bench.opening.open_session(first))
    if has_class_folders(first) and not is_zarr(first):
        return lambda _: _open(lambda bench: bench.opening.open_path(first))
    return None


def _open_mitosis(bench: Workbench) -> None:
    from napari_spaceediting.plugin.objects.mitosis import open_mitosis

    open_mitosis(bench.state)


def _open(on: Callable[[Workbench], None]) -> Nothing:
    from napari import current_viewer

    from napari_spaceediting.plugin.workbench import workbench_of

    bench = workbench_of(current_viewer())
    bench.show_docks()
    on(bench)
    return [(None,)]
