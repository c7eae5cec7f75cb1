"""Long work in the window: it fails, is cancelled, is overtaken, and ends with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from napari import current_viewer
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDockWidget

from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.jobs.job import StandIn
from napari_spaceediting.plugin.status import BUSY
from napari_spaceediting.plugin.workbench import workbench_of
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.state import RoundStatus

pytestmark = pytest.mark.own_process
FOLDER = Path(__file__).parents[2] / "jobs"
sys.path.insert(0, str(FOLDER))

import worker_jobs as jobs  # noqa: E402

CONTROL = Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def _jobs_of_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let worker processes import the jobs of the tests."""
    monkeypatch.setenv("PYTHONPATH", str(FOLDER), prepend=os.pathsep)


@pytest.fixture
def endless(window, tmp_path: Path) -> Path:
    """Run a job that does not end by itself; return the trace that it leaves."""
    trace = tmp_path / "trace"
    with window.hears(window.state.training.progressed):
        window.state.training.run(jobs.CountForever(trace), fail_if_called)
    return trace


def pid_of(runner):
    return runner._process.pid


def fail_if_called(_result):
    raise AssertionError("a result was handed over")


def picks(window):
    """Return whether the map can be worked on: click an image and see it chosen."""
    image = int(window.loners(window.movable)[0])
    window.click(window.empty_ground())
    window.click(window.of_image(image))
    return window.state.selected.tolist() == [image]


# Failing


@pytest.mark.parametrize(
    ("job", "says"),
    [
        (jobs.Fail(), "CUDA out of memory"),
        (jobs.FailForUser(), "The folder is empty"),
        (jobs.Crash(3), "exit code 3"),
    ],
    ids=["RuntimeError", "DataError", "death"],
)
def test_a_failure_is_told_and_changes_nothing(window, messages, job, says):
    before = window.session.state
    window.state.training.run(job, fail_if_called)
    window.wait(lambda: messages)
    assert len(messages) == 1
    assert says in messages[0]
    bar = window.editor.job_bar
    assert bar.isVisible()
    assert not bar.cancel_button.isVisible()
    assert says in bar._message.text()
    assert window.session.state is before
    assert picks(window)
    # The next job runs as if nothing had been.
    done = []
    window.state.training.run(jobs.Count(3), done.append)
    window.wait(lambda: done)


def test_what_is_kept_of_work_that_ends_early_is_said(window, messages, tmp_path):
    training, bar = window.state.training, window.editor.job_bar
    kept = "Three are kept."
    training.run(jobs.FailForUser(), fail_if_called, rescue=lambda: kept)
    window.wait(lambda: messages)
    assert "The folder is empty" in bar._message.text()
    assert bar._message.text().endswith(kept)
    with window.hears(training.progressed):
        endless = jobs.CountForever(tmp_path / "trace")
        training.run(endless, fail_if_called, rescue=lambda: kept)
    window.state.cancel()
    window.wait(lambda: not training.is_running)
    assert bar._message.text() == kept


def test_a_killed_process_is_told(window, messages, endless):
    before = window.session.state
    psutil.Process(pid_of(window.state.training)).kill()
    window.wait(lambda: messages)
    assert len(messages) == 1
    assert "stopped" in messages[0]
    assert window.session.state is before
    assert picks(window)


def test_a_result_that_cannot_be_taken_ends_the_work_all_the_same(window, messages):
    def stumble(_result):
        raise ZeroDivisionError

    with window.qtbot.captureExceptions() as raised:
        window.state.training.run(jobs.Count(1), stumble)
        window.wait(lambda: raised)
    assert [kind for kind, *_ in raised] == [ZeroDivisionError]
    assert len(messages) == 1
    assert not window.editor.job_bar.cancel_button.isVisible()
    assert picks(window)


# Cancelling


def test_cancel_by_the_button(window, messages, endless):
    before = window.session.state
    bar = window.editor.job_bar
    window.wait(bar.cancel_button.isVisible)
    QTest.mouseClick(bar.cancel_button, LEFT)
    window.wait(lambda: not window.state.training.is_running)
    window.wait(endless.exists)
    assert not messages
    assert "Cancelled" in bar._message.text()
    assert window.session.state is before
    assert picks(window)


def test_a_cancelled_job_hands_nothing_over_however_late_it_is(window):
    # Its result may be on its way already.
    window.state.training.run(jobs.Count(1), fail_if_called)
    window.wait(lambda: pid_of(window.state.training))
    window.state.training.cancel()
    window.wait(lambda: not window.state.training.is_running)


def test_a_job_that_is_replaced_hands_nothing_over(window):
    done = []
    for _ in range(3):
        window.state.training.run(jobs.Count(50), fail_if_called)
    window.state.training.run(jobs.Count(2), done.append)
    window.wait(lambda: done)
    assert done[0][0] == 2


def test_what_is_asked_quietly_waits_for_the_work_and_does_not_show(window, endless):
    runner, heard = window.state.training, []
    runner.ask(jobs.Double(20), fail_if_called, fail_if_called)
    runner.ask(jobs.Double(21), heard.append, fail_if_called)
    assert isinstance(runner.running, jobs.CountForever)
    assert not heard
    runner.cancel()
    window.wait(lambda: heard)
    assert heard == [42], "only the last question is answered"
    assert not runner.is_running
    runner.ask(jobs.FailForUser(), fail_if_called, heard.append)
    window.wait(lambda: len(heard) == 2)
    assert "The folder is empty" in str(heard[1])
    runner.ask(jobs.Double(1), fail_if_called, fail_if_called)
    window.bench.shutdown()


def test_cancel_while_opening_keeps_the_open_session(window, messages):
    before = window.session.state
    window.bench.opening.open_sample("poses")
    window.wait(lambda: pid_of(window.state.reading))
    window.bench.state.cancel()
    window.wait(lambda: not window.state.reading.is_running)
    assert window.session.state is before
    assert not messages
    assert picks(window)


def test_other_work_does_not_cost_the_pictures(make_window, saved, tmp_path, messages):
    window = make_window()
    window.bench.opening.open_session(saved)
    window.wait(lambda: window.state.session is not None)
    # The pictures are being drawn; something else is wanted meanwhile.
    window.bench.opening.open_path(tmp_path / "nothing-here.csv")
    window.wait(lambda: messages)
    window.wait(lambda: window.state.thumbnails is not None)
    assert len(window.state.thumbnails) == len(window.session.dataset)


@pytest.mark.trains
def test_cancel_while_training_and_while_mapping(make_window, messages):
    window = make_window()
    bench, state = window.bench, window.state
    bench.opening.open_sample("digits", 5)
    window.wait(lambda: state.training.is_running)
    opened = window.session.state
    bench.state.cancel()
    window.wait(lambda: not state.is_busy)
    assert window.session.state is opened
    window.wait_idle()
    assert window.panels.network.train_button.isEnabled()

    bench.training.train(*window.panels.network.settings())
    window.wait(lambda: state.has_map)
    mapped = window.session.state
    assert mapped.checkpoint.map.method == "pca"
    bench.state.cancel()
    window.wait(lambda: not state.is_busy)
    assert window.session.state.checkpoint is mapped.checkpoint
    assert window.panels.map.redraw_button.isEnabled()
    assert picks(window)
    assert not [text for text in messages if "fail" in text.lower()]


@pytest.mark.trains
def test_a_round_whose_map_is_cancelled_is_kept_and_says_so(window):
    session, training = window.session, window.state.training
    session.set_map_settings(MapSettings(method="umap", epochs=100_000))
    window.bench.map.naming.apply(Pin(window.movable[:4], "3"))
    parts = []
    training.progressed.connect(lambda progress, _: parts.append(progress.finished))
    window.bench.training.retrain()
    window.wait(lambda: any(isinstance(part, StandIn) for part in parts))
    window.state.cancel()
    window.wait(lambda: not training.is_running)
    assert session.state.proposal is not None
    said = window.editor.job_bar._message.text()
    assert said.startswith("The round is kept. The map was not drawn")
    assert "not drawn" in window.panels.map.quality.text()
    window.bench.evidence.accept_button.click()
    assert session.state.rounds[0].status is RoundStatus.ACCEPTED
    assert window.panels.map.redraw_button.isEnabled()


# While it runs


def test_nothing_can_be_edited_while_the_session_is_waited_for(
    window, messages, endless
):
    before = window.session.state
    image = window.loners(window.movable)[0]
    start = window.of_image(image)
    window.drag(start, start + QPoint(60, 30))
    assert messages == [BUSY]
    assert not len(window.map.overlay.scene.dragged.ends)
    for key in (Qt.Key.Key_C, Qt.Key.Key_R):
        window.key(key)
    window.key(Qt.Key.Key_Z, CONTROL)
    assert messages == [BUSY] * 4
    assert not window.bench.map.naming.picker.isVisible()
    panel = window.panels.edits
    assert not panel.pin_button.isEnabled()
    assert not window.bench.map.naming.apply(Pin(np.array([image]), "3"))
    assert window.session.state is before
    assert picks(window)
    window.bench.state.cancel()
    window.wait(lambda: not window.state.is_busy)
    assert panel.pin_button.isEnabled()
    window.key(Qt.Key.Key_C)
    window.answer(Qt.Key.Key_3, Qt.Key.Key_Return)
    assert len(window.session.state.log.done) == 1


def test_another_session_drops_the_work_on_the_last(window, saved, endless):
    window.open(saved)
    window.wait(endless.exists)
    assert picks(window)


# The end


CLOSED_BY_ITS_BUTTON = """
import sys
import napari
import worker_jobs as jobs
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow
from napari_spaceediting.plugin.workbench import workbench_of
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.state import RoundStatus

viewer = napari.Viewer()
bench = workbench_of(viewer)
bench.show_docks()
main = bench.editor.window()

def close(*_):
    bench.state.training.progressed.disconnect(close)
    for runner in (bench.state.reading, bench.state.training):
        print(runner._process.pid)
    if {docks_first}:
        for view in (bench.editor, bench.gallery, bench.evidence):
            view.parent().titleBarWidget().close_button.click()
    QTimer.singleShot(0, main.close)

bench.state.reading.progressed.connect(
    lambda *_: bench.state.training.run(jobs.CountForever({trace!r}), print)
)
bench.state.training.progressed.connect(close)
bench.state.reading.run(jobs.NeverYieldAgain(), print)
napari.run()
"""


@pytest.mark.parametrize("docks_first", [False, True])
def test_closing_the_window_ends_its_processes(qapp, tmp_path: Path, docks_first):
    code = CLOSED_BY_ITS_BUTTON.format(docks_first=docks_first, trace=tmp_path / "t")
    code = "from pathlib import Path, PosixPath, WindowsPath\n" + code
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    pids = [int(line) for line in done.stdout.split()]
    assert len(pids) == 2
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_closing_the_viewer_in_the_middle_of_work(window, endless):
    process = psutil.Process(pid_of(window.state.training))
    window.viewer.close()
    window.wait(lambda: not process.is_running())


def test_closing_the_window_while_a_class_is_asked_for(window):
    image = window.loners(window.movable)[0]
    window.click(window.of_image(image))
    window.key(Qt.Key.Key_C)
    window.wait(window.bench.map.naming.picker.isVisible)
    window.viewer.close()
    QApplication.processEvents()


# Docks


def dock_of(view):
    parent = view.parent()
    while not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent


def listeners(window):
    """Return how many listen to what the window can do to the docks."""
    events = window.viewer.layers.events
    return (
        len(window.viewer.mouse_drag_callbacks),
        len(window.viewer.mouse_move_callbacks),
        len(events.removed.callbacks),
        len(window.viewer.events.theme.callbacks),
    )


def test_docks_can_be_closed_and_opened_again(window):
    image = int(window.loners(window.movable)[0])
    before = window.session.state
    heard = listeners(window)
    bench = window.bench
    for view in (window.editor, bench.gallery, bench.evidence, bench.traversal):
        dock = dock_of(view)
        QTest.mouseClick(dock.titleBarWidget().close_button, LEFT)
        QApplication.processEvents()
        assert not view.isVisible()
    # The map goes on without them.
    window.click(window.of_image(image))
    assert window.state.selected.tolist() == [image]
    name = "Space Editor"
    _, widget = window.viewer.window.add_plugin_dock_widget("napari-spaceediting", name)
    assert widget is window.editor
    for view in (bench.evidence, bench.traversal):
        window.wait(lambda view=view: view.parent() is not None)
    assert window.session.state is before
    assert workbench_of(window.viewer) is window.bench
    assert window.bench.gallery.grid.items.tolist() == [image]
    # The docks that were added count as children of napari's own.
    now = listeners(window)
    assert now[:2] == heard[:2]
    assert now[3] - heard[3] <= 3
    window.key(Qt.Key.Key_C)
    window.answer(Qt.Key.Key_3, Qt.Key.Key_Return)
    assert len(window.session.state.log.done) == 1


def test_hidden_docks_come_back_when_they_are_asked_for(window):
    dock = dock_of(window.editor)
    dock.hide()
    window.bench.show_docks()
    assert dock.isVisible()


def test_a_floating_editor_does_everything(make_window, saved):
    window = make_window()
    dock_of(window.editor).setFloating(True)
    QApplication.processEvents()
    window.open(saved)
    assert picks(window)
    window.bench.show_docks()


# Around it


def test_two_windows_share_nothing(make_window, saved):
    one, other = make_window(), make_window()
    copied = shutil.copytree(saved, saved.with_name("copied.spaceediting"))
    one.open(saved)
    other.open(copied)
    assert one.bench is not other.bench
    image = int(one.loners(one.movable)[0])
    one.click(one.of_image(image))
    assert one.state.selected.tolist() == [image]
    assert not len(other.state.selected)
    one.bench.map.naming.apply(Pin(np.array([image]), "7"))
    assert len(one.session.state.log.done) == 1
    assert not other.session.state.log.done
    assert len(one.map.overlay.scene.pinned.places) == 1
    assert not len(other.map.overlay.scene.pinned.places)


def test_the_theme_can_be_switched_while_open(window):
    image = window.loners(window.movable)[0]
    window.click(window.of_image(image))
    for theme in ("light", "dark"):
        window.viewer.theme = theme
        QApplication.processEvents()
        palette = window.state.palette
        assert palette.text in window.editor.styleSheet()
        assert palette.text in window.bench.evidence.styleSheet()
        assert palette.background in window.bench.map.naming.picker.styleSheet()
        assert window.map.overlay.ink.name() == palette.text
    assert window.state.selected.tolist() == [image]


@pytest.fixture
def commands(npe2pm):
    """Return the commands of the plugin, as napari finds them."""
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution("napari-spaceediting")
    with npe2pm.tmp_plugin(manifest=manifest):
        yield npe2pm.commands


def test_widgets_by_their_commands(commands, make_window):
    window = make_window()
    assert current_viewer() is window.viewer
    run = "napari-spaceediting.open_{}"
    assert commands.execute(run.format("editor")) is window.editor
    assert commands.execute(run.format("gallery")) is window.bench.gallery
    assert commands.execute(run.format("evidence")) is window.bench.evidence
    assert commands.execute(run.format("traversal")) is window.bench.traversal


def test_the_sample_opens_in_the_editor(commands, make_window):
    window = make_window()
    window.viewer.open_sample("napari-spaceediting", "poses")
    window.wait(lambda: window.state.session is not None)
    assert window.session.dataset.name
    window.wait(lambda: window.state.training.is_running)
    window.bench.state.cancel()
    window.wait(lambda: not window.state.is_busy)


def test_a_session_is_read_by_napari(npe2pm, commands, make_window, saved):
    window = make_window()
    window.viewer.open(str(saved), plugin="napari-spaceediting")
    window.wait(lambda: window.state.session is not None)
    window.wait_idle()
    assert [layer.name for layer in window.viewer.layers] == ["Map"]
    assert picks(window)
