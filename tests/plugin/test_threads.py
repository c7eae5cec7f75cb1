"""Work beside the window: what comes of it arrives once, on the window's thread."""

from __future__ import annotations

import threading
import warnings

import pytest

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.plugin.threads import FAULT, in_thread, start


def on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def test_progress_and_result_arrive_in_order_on_the_window_s_thread(qtbot):
    heard = []

    def work(tell):
        assert not on_main_thread()
        for step in range(3):
            tell(step)
        return "done"

    def hear(what):
        heard.append((what, on_main_thread()))

    start(work, hear, hear)
    qtbot.waitUntil(lambda: len(heard) == 4)
    assert heard == [(what, True) for what in (0, 1, 2, "done")]


def test_an_error_for_the_user_arrives_as_such(qtbot):
    heard = []

    def work():
        raise SpaceEditingError("The disk is full.")

    in_thread(work, pytest.fail, heard.append)
    qtbot.waitUntil(lambda: bool(heard))
    assert [str(error) for error in heard] == ["The disk is full."]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_ends_the_work_too(qtbot):
    heard = []
    in_thread(lambda: 1 / 0, pytest.fail, heard.append)
    qtbot.waitUntil(lambda: bool(heard))
    assert [str(error) for error in heard] == [FAULT]


def test_work_that_overlaps_leaves_warnings_as_they_were(qtbot):
    """Of two napari workers, the second would leave those of the first behind."""
    before, ended = warnings.showwarning, []
    begun = [threading.Event() for _ in range(2)]
    gates = [threading.Event() for _ in range(2)]
    for at in range(2):
        in_thread(
            lambda at=at: (begun[at].set(), gates[at].wait()), ended.append, pytest.fail
        )
        assert begun[at].wait(10)
    for at, gate in enumerate(gates):
        gate.set()
        qtbot.waitUntil(lambda at=at: len(ended) == at + 1)
    assert warnings.showwarning is before
