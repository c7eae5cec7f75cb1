"""A look at the images that edits speak for, before the network learns from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_spaceediting.editing.edits import Edit, Spare
from napari_spaceediting.editing.propagation import Propagate, Propagation
from napari_spaceediting.plugin.map.view import Followers
from napari_spaceediting.plugin.state import BUSY, NOTHING, Desk
from napari_spaceediting.plugin.training.retrain_panel import RetrainPanel
from napari_spaceediting.plugin.widgets.palette import label_colours

NO_CLASS = "Give some images a class first: only an edit with a class speaks for others"
NONE_SELECTED = "Select some of them first, on the map or in the gallery"
_LOOKING = "Looking for images that are the same case…"
_NONE = "No other image is like enough to follow your edits."
_SETTLED_MS = 300
"""Milliseconds after the last edit at which the preview is worked out anew."""
_NAMED = 4
"""Classes that the summary counts one by one."""
_FAINTEST = 0.5
"""Opacity of a ring that counts nothing."""


class FollowingController:
    """Connects the preview in the retrain panel with the session and the map.

    While it is switched on it follows the edits.

    Parameters
    ----------
    desk : Desk
        What the controllers share.
    panel : RetrainPanel
        Its preview belongs here.
    show : callable
        Marks images on the map.
    apply : callable
        Applies an edit.
    """

    def __init__(
        self,
        desk: Desk,
        panel: RetrainPanel,
        show: Callable[[Followers], None],
        apply: Callable[[Edit], bool],
    ) -> None:
        self._desk = desk
        self._panel = panel
        self._mark = show
        self._apply = apply
        self._is_on = False
        self._is_stale = False
        self._waits = False
        self._found: Propagation | None = None
        self._later = QTimer(panel)
        self._later.setSingleShot(True)
        self._later.setInterval(_SETTLED_MS)
        self._later.timeout.connect(self._look)
        panel.preview_toggled.connect(self.toggle)
        panel.select_requested.connect(self.select)
        panel.leave_out_requested.connect(self.leave_out)
        desk.edits_changed.connect(self._on_edits)
        for signal in (desk.session_changed, desk.shown_changed):
            signal.connect(lambda: self.toggle(on=False))
        desk.selection_changed.connect(self._update)
        desk.reading.started.connect(self._on_reading)
        desk.reading.cancelled.connect(self._on_given_up)
        desk.reading.failed.connect(self._on_given_up)
        for runner in (desk.reading, desk.training):
            runner.started.connect(self._update)
            for ended in (runner.finished, runner.cancelled, runner.failed):
                ended.connect(self._on_free)
        self._update()

    @property
    def followers(self) -> Propagation | None:
        """What is shown: images that nothing has been done to since."""
        session, found = self._desk.session, self._found
        if session is None or found is None:
            return None
        edits = session.edits
        gone = edits.edited | edits.spared
        stands = ~gone[found.indices] & edits.edited[found.sources]
        stands &= found.classes < len(edits.class_names)
        return Propagation(
            found.indices[stands],
            found.classes[stands],
            found.weights[stands],
            found.sources[stands],
        )

    def toggle(self, on: bool) -> None:
        """Switch the preview on or off."""
        self._is_on = on
        self._panel.set_preview(on)
        if on:
            self._look()
            return
        self._later.stop()
        self._is_stale, self._found = False, None
        if self._waits:
            self._waits = False
            self._desk.reading.cancel()
        self._show()

    def select(self) -> None:
        """Select all images that would follow."""
        if self.followers is not None:
            self._desk.select(np.sort(self.followers.indices))

    def leave_out(self) -> None:
        """Let no edit speak for those that are selected."""
        chosen = self._chosen()
        if len(chosen):
            self._apply(Spare(chosen))

    def describe(self, index: int) -> list[str]:
        """Say in a line what an image would follow; no line if nothing."""
        session, found = self._desk.session, self.followers
        at = NOTHING if found is None else np.flatnonzero(found.indices == index)
        if session is None or found is None or not len(at):
            return []
        name = session.edits.class_names[found.classes[at[0]]]
        return [f"Would follow an edit: {name}, counts {found.weights[at[0]]:.0%}"]

    def _chosen(self) -> NDArray[np.int64]:
        found = self.followers
        return (
            NOTHING
            if found is None
            else np.intersect1d(found.indices, self._desk.selected)
        )

    # Looking

    def _look(self) -> None:
        """Work the preview out, or do so when what is being read has been read."""
        session = self._desk.session
        if session is None or not self._is_on:
            return
        self._is_stale = self._desk.reading.is_running
        if not self._is_stale:
            self._desk.reading.run(session.propagating(), self._take)
        self._show()

    def _take(self, found: Propagation) -> None:
        self._waits = False
        if self._is_on:
            self._found = found
            self._show()

    def _on_edits(self) -> None:
        if self._is_on and not self._can_speak():
            self.toggle(on=False)
        elif self._is_on:
            self._show()
            self._later.start()
        self._update()

    def _on_reading(self, name: str) -> None:
        """Notice when other work takes the preview's turn."""
        ours = name == Propagate.name
        if self._waits and not ours:
            self._is_stale = True
        self._waits = ours

    def _on_given_up(self, _what: str) -> None:
        if self._waits:
            self.toggle(on=False)

    def _on_free(self, _what: str) -> None:
        if self._is_stale and not self._desk.reading.is_running:
            self._later.start()
        self._update()

    # Showing

    def _can_speak(self) -> bool:
        session = self._desk.session
        if session is None or not self._desk.has_map:
            return False
        edits = session.edits
        said = edits.tagged & (edits.labels >= 0) & ~session.dataset.held_out
        return bool(said.any())

    def _show(self) -> None:
        session, found = self._desk.session, self.followers
        if session is None or found is None:
            self._mark(Followers())
            self._panel.show_following(_LOOKING if self._is_on else "")
        else:
            names = session.edits.class_names
            colours = label_colours(found.classes, len(names))
            colours[:, 3] = _FAINTEST + (1 - _FAINTEST) * found.weights
            self._mark(Followers(found.indices, found.sources, colours))
            self._panel.show_following(
                summarise(found.classes, names), any_found=bool(len(found))
            )
        self._update()

    def _update(self, *_: object) -> None:
        """Say what can be done now."""
        reason = ""
        if not self._is_on:
            reason = BUSY if self._desk.is_busy else ""
            reason = reason if self._can_speak() else NO_CLASS
        self._panel.block_preview(reason)
        self._panel.block_leave_out("" if len(self._chosen()) else NONE_SELECTED)


def summarise(classes: NDArray[np.int64], names: Sequence[str]) -> str:
    """Return such as "23 images would follow: 14 × coat, 9 × shirt".

    Parameters
    ----------
    classes : (n,) int64 array
        The class that each image would get.
    names : sequence of str
        Names of the classes.
    """
    if not len(classes):
        return _NONE
    if len(classes) == 1:
        return f"1 image would follow: {names[classes[0]]}"
    counts = np.bincount(classes, minlength=len(names))
    most = [at for at in np.argsort(-counts, kind="stable").tolist() if counts[at]]
    named = most if len(most) <= _NAMED + 1 else most[:_NAMED]
    parts = [f"{counts[at]:,} × {names[at]}" for at in named]
    if len(most) > len(named):
        rest = int(counts[most[_NAMED:]].sum())
        parts.append(f"{rest:,} of {len(most) - len(named)} more classes")
    return f"{len(classes):,} images would follow: {', '.join(parts)}"
