"""Making axes of what the user has arranged."""

from __future__ import annotations

import numpy as np

from napari_spaceediting.editing.axis import Axis
from napari_spaceediting.editing.edits import EditKind
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.plugin.edits.panel import EditsPanel
from napari_spaceediting.plugin.map.controller import MapController
from napari_spaceediting.plugin.map.display import axis_key
from napari_spaceediting.plugin.state import Change, WindowState, complain
from napari_spaceediting.plugin.status import BUSY
from napari_spaceediting.session.axes import NO_ARRANGEMENT

_WHEN = (
    Change.SESSION | Change.EDITS | Change.SHOWN | Change.ROUNDS | Change.PAST
    | Change.JOBS
)  # fmt: skip


class MakeAxes:
    """Has the arranged images looked at, and shows the axis on the map if it holds.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    panel : EditsPanel
        It has the button and the verdict.
    on_map : MapController
        Colours the images by the axis.
    """

    def __init__(
        self, window: WindowState, panel: EditsPanel, on_map: MapController
    ) -> None:
        self._window = window
        self._panel = panel
        self._map = on_map
        panel.axis_button.clicked.connect(self.make)
        window.changed.connect(self._on_change)

    def _on_change(self, change: Change) -> None:
        if change & (Change.SESSION | Change.EDITS):
            self._panel.show_verdict("")
        if change & _WHEN:
            window = self._window
            kinds = window.edits.kinds if window.has_map else np.empty(0)
            busy = BUSY if window.training.is_running else window.locked
            self._panel.offer_axis(bool((kinds == EditKind.ARRANGED).any()), busy)

    def make(self) -> None:
        """Find the axes, keep those that hold, and colour by the first."""
        session, panel = self._window.session, self._panel
        if session is None:
            return
        name = panel.axis_name.text().strip() or _free_name(
            {one.name for one in session.state.axes}
        )
        try:
            job = session.finding_axes()
        except SpaceEditingError as error:
            complain(error)
            return

        def take(axes: tuple[Axis, ...]) -> None:
            said = " ".join(axis.verdict for axis in axes) or NO_ARRANGEMENT
            holds = any(axis.holds for axis in axes)
            panel.show_verdict(said, holds=holds)
            if holds:
                kept = session.keep_axes(axes, name)
                panel.axis_name.clear()
                self._map.colour_by(axis_key(kept[0]))

        self._window.training.run(job, take)


def _free_name(taken: set[str]) -> str:
    number = 1
    while f"axis {number}" in taken:
        number += 1
    return f"axis {number}"
