"""Whatever is closed to the user says why, whichever state the window is in."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QWidget,
)

from napari_spaceediting.editing.answers import ProposalKind
from napari_spaceediting.editing.guidance import Proposal
from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.plugin.status import Step
from napari_spaceediting.session.state import RoundStatus

CONTROLS = QAbstractButton, QComboBox, QAbstractSpinBox


def every_control(window) -> list[QWidget]:
    """Return the controls of all docks that can be seen once all is unfolded."""
    bench = window.bench
    for step in Step:
        window.unfold(step)
    panels = (window.panels.data, window.panels.network, window.panels.retrain)
    for fold in ("_other", "more"):
        for panel in panels:
            if hasattr(panel, fold) and not getattr(panel, fold).isHidden():
                getattr(panel, fold).setChecked(True)
    QApplication.processEvents()
    found = []
    for dock in (bench.editor, bench.gallery, bench.evidence, bench.traversal):
        for kind in CONTROLS:
            for widget in dock.findChildren(kind):
                if widget.isVisibleTo(dock):
                    found.append(widget)
    assert len(found) > 20
    return found


def check(window, tips: dict[QWidget, str]) -> list[str]:
    """Return the titles of closed controls, after checking that each says why.

    A reason is a text of its own before what the control does, or alone.
    """
    closed = []
    for widget in every_control(window):
        title = getattr(widget, "text", lambda: "")() or widget.accessibleName()
        tip = widget.toolTip().strip()
        assert tip or not isinstance(widget, QAbstractButton), f"{title} says nothing"
        if widget.isEnabled():
            tips[widget] = tip
            continue
        closed.append(title)
        assert tip, f"{title} does not say why it is closed"
        assert tip != tips.get(widget), f"{title} says what it does, not why not: {tip}"
        assert "Not available" not in tip, f"{title} gives no reason"
    return closed


@pytest.fixture
def states(make_window, saved):
    """Return a window, and functions that bring it into its states, one by one."""
    window = make_window()

    def opened() -> None:
        from napari_spaceediting.session.session import new_session
        from napari_spaceediting.session.storage import load_session

        bare = new_session(load_session(saved).dataset)
        window.state.take_session(bare, None)
        window.bench.opening._draw_thumbnails()
        window.wait_idle()

    def reviewed() -> None:
        images = window.movable[:2]
        proposal = Proposal(ProposalKind.GROUP, images, "Alike.", None, None, 1.0, ())
        window.bench.review._on_found([proposal])
        window.state.select(np.empty(0, np.int64))

    def edited() -> None:
        window.state.select(window.held_out[:2])
        assert window.bench.map.naming.apply(Pin(window.movable[:2], "3"))

    return window, {
        "opened": opened,
        "mapped": lambda: window.open(saved),
        "reviewed": reviewed,
        "edited": edited,
        "to decide": lambda: window.take_round(RoundStatus.PROPOSED),
        "decided": lambda: window.take_round(RoundStatus.ACCEPTED),
    }


def test_every_closed_control_says_why(states):
    window, steps = states
    tips: dict[QWidget, str] = {}
    assert len(check(window, tips)) > 10, "nothing is open yet"
    for name, go in steps.items():
        go()
        assert check(window, tips), name
    # Once more, now that it is known what most of them say while they are open.
    steps["opened"]()
    check(window, tips)
    steps["to decide"]()
    check(window, tips)
