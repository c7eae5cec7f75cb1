"""A sample that opens as a picture and its segmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_spaceediting.data.mitosis import human_mitosis

if TYPE_CHECKING:
    from numpy.typing import NDArray


def open_mitosis() -> list[tuple[Any, ...]]:
    """Add the layers as soon as they are there; the Space Editor opens with them."""
    from napari import current_viewer

    from napari_spaceediting.plugin.runner import in_thread
    from napari_spaceediting.plugin.state import complain, tell
    from napari_spaceediting.plugin.workbench import workbench_of

    viewer = current_viewer()
    workbench_of(viewer).show_docks()

    def add(found: tuple[NDArray[Any], NDArray[Any]]) -> None:
        picture, nuclei = found
        viewer.add_image(picture, name="Cells")
        viewer.add_labels(nuclei, name="Nuclei")
        tell("Open their objects in the section Data: image Cells, labels Nuclei.")

    in_thread(human_mitosis, add, complain)
    return []
