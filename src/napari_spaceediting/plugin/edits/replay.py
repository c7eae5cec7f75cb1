"""The open edits played on the map, one after the other, as they were made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_spaceediting.editing.edits import Edit, images_of, standing_in
from napari_spaceediting.plugin.edits.panel import EditsPanel
from napari_spaceediting.plugin.map.controller import MapController
from napari_spaceediting.plugin.state import NOTHING, Change, WindowState
from napari_spaceediting.session.classes import folded

_SLOWEST_MS, _FASTEST_MS = 1000, 250
"""Milliseconds between two edits, of few and of many."""
_LONGEST_MS = 60_000
"""Milliseconds that all of them take at most, if `_FASTEST_MS` allows it."""
_ENDS = Change.SESSION | Change.EDITS | Change.SHOWN | Change.PAST | Change.SELECTION
"""Changes that end a replay."""


class Replay:
    """Shows the map as it was before the edits, and then after each of them.

    The session is not touched: what the user does meanwhile ends the replay, and so
    does its end; the map is then as it is in the session.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    panel : EditsPanel
        It has the button and the list.
    on_map : MapController
        Its view shows the replay.
    """

    def __init__(
        self, window: WindowState, panel: EditsPanel, on_map: MapController
    ) -> None:
        self._window = window
        self._panel = panel
        self._map = on_map
        self._numbers: list[int] = []
        self._edits: tuple[Edit, ...] = ()
        self._shown = 0
        self._camera: tuple[tuple[float, ...], float] | None = None
        self._timer = QTimer(panel)
        self._timer.timeout.connect(self._step)
        panel.replay_button.clicked.connect(self.toggle)
        window.changed.connect(self._on_change)
        window.training.started.connect(self.stop)

    def _on_change(self, change: Change) -> None:
        if change & _ENDS:
            self.stop()

    @property
    def is_running(self) -> bool:
        """Whether a replay is shown."""
        return self._camera is not None

    @staticmethod
    def steps(edits: Sequence[Edit]) -> list[int]:
        """Return the numbers of the edits that there is something to see of."""
        return [number for number, _ in standing_in(edits)]

    def toggle(self, on: bool) -> None:
        """Start from before the edits, or stop."""
        if on:
            self._start()
        else:
            self.stop()

    def stop(self, *_: object) -> None:
        """Show the map as it is in the session."""
        if self._camera is None:
            return
        (center, zoom), self._camera = self._camera, None
        self._timer.stop()
        self._panel.set_replaying(False)
        camera = self._window.viewer.scene.camera
        camera.center, camera.zoom = center, zoom
        self._map.refresh()

    def _start(self) -> None:
        session, view = self._window.mapped, self._map.view
        if session is None or view is None:
            return
        if self._window.past is not None:
            self._window.look_at(None)
        self._edits = session.state.log.done
        self._numbers = self.steps(self._edits)
        self._shown = 0
        camera = self._window.viewer.scene.camera
        self._camera = tuple(camera.center), float(camera.zoom)
        self._panel.set_replaying(True)
        view.zoom_to_fit(None)
        self._show(NOTHING)
        pace = np.clip(
            _LONGEST_MS / max(len(self._numbers), 1), _FASTEST_MS, _SLOWEST_MS
        )
        self._timer.start(int(pace))

    def _step(self) -> None:
        if self._shown == len(self._numbers):
            self.stop()
            return
        number = self._numbers[self._shown]
        self._shown += 1
        edit = self._edits[number]
        self._panel.list.setCurrentRow(number)
        self._show(images_of(edit))

    def _show(self, images: NDArray[np.int64]) -> None:
        """Show what the edits so far add up to, with the images of the last one."""
        session = self._window.opened
        so_far = [self._edits[number] for number in self._numbers[: self._shown]]
        self._map.refresh(folded(so_far, session.state.shown), images)
