"""A sample that opens as a picture and its segmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_spaceediting.data.mitosis import human_mitosis
from napari_spaceediting.plugin.state import WindowState, complain, tell

if TYPE_CHECKING:
    from numpy.typing import NDArray


def open_mitosis(window: WindowState) -> None:
    """Add the layers as soon as they are there."""

    def add(found: tuple[NDArray[Any], NDArray[Any]]) -> None:
        picture, nuclei = found
        window.viewer.add_image(picture, name="Cells")
        window.viewer.add_labels(nuclei, name="Nuclei")
        tell("Open their objects in the section Data: image Cells, labels Nuclei.")

    window.in_thread(human_mitosis, add, complain)
