"""The napari side: views, and controllers that connect them with the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_spaceediting.plugin.workbench import Workbench


def open_space_editor() -> QWidget:
    """Return the Space Editor of the current viewer; the other docks open with it."""
    workbench = _current()
    return _docked(workbench.editor, workbench.show_docks)


def open_gallery() -> QWidget:
    """Return the Image Gallery of the current viewer."""
    workbench = _current()
    return _docked(workbench.gallery, workbench.settle_in)


def open_evidence() -> QWidget:
    """Return the Evidence of the current viewer."""
    workbench = _current()
    return _docked(workbench.evidence, workbench.settle_in)


def open_traversal() -> QWidget:
    """Return the Manifold Traversal of the current viewer."""
    workbench = _current()
    return _docked(workbench.traversal, workbench.settle_in)


def show_results() -> None:
    """Show what can be taken out of the session of the current viewer."""
    _current().show_results()


def _docked(view: QWidget, then: Callable[[], None]) -> QWidget:
    """Return a view, and do something as soon as napari has docked it."""
    from qtpy.QtCore import QTimer

    QTimer.singleShot(0, then)
    return view


def _current() -> Workbench:
    # napari hands the viewer to widget functions in some of its ways to open a dock
    # and not in others; this one is the same in all of them.
    from napari import current_viewer

    from napari_spaceediting.plugin.workbench import workbench_of

    return workbench_of(current_viewer())
