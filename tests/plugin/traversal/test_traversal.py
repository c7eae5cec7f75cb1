"""What would make images those of another kind, asked for in the real window."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QMenu, QMessageBox

from napari_spaceediting.editing.answers import ProposalKind
from napari_spaceediting.editing.guidance import Proposal
from napari_spaceediting.editing.image_edits import Move, Pin
from napari_spaceediting.jobs.job import Progress, run_job
from napari_spaceediting.plugin.docks import dock_of
from napari_spaceediting.plugin.state import Change
from napari_spaceediting.plugin.traversal import controller, sending
from napari_spaceediting.session.history import describe_kept
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import Network
from napari_spaceediting.session.storage import load_session
from napari_spaceediting.traversal.filmstrip import to_rgb
from napari_spaceediting.traversal.jobs import Traverse

ALT = Qt.KeyboardModifier.AltModifier
LEFT = Qt.MouseButton.LeftButton


def threes_of(session: Session) -> np.ndarray:
    """Return four images that are threes, also to the network."""
    truth = session.dataset.columns["truth"]
    kinds = session.kinds(np.arange(len(truth)))
    free = ~session.dataset.held_out
    return np.flatnonzero((truth == 3) & (kinds == 3) & free)[:4]


@pytest.fixture
def threes(window) -> np.ndarray:
    return threes_of(window.session)


@pytest.fixture
def panel(window):
    window.bench.show_traversal()
    window.wait(lambda: window.bench.traversal.is_seen)
    window.map.zoom_to_fit()  # into what the dock leaves of the canvas
    return window.bench.traversal


@pytest.fixture(scope="module")
def outcome(trained_state):
    """Return the job that moves the threes to the eights, and what came of it."""
    session = Session(trained_state)
    job = session.traversing(threes_of(session), "8")
    return job, run_job(job)


def begin(window, outcome):
    """Let the job of the outcome begin in the window; return its controller."""
    job, _ = outcome
    network = window.session.shown.network
    traversals = window.bench.traversals
    traversals._begin(job.asked, job.sets.images, job.settings.steps)
    traversals._running = replace(job, state=network.state)
    return traversals


def show(window, outcome) -> None:
    """Let the outcome be what a job in the window came to."""
    begin(window, outcome)._take(outcome[1])


def come(window, outcome, made: int, images: slice = slice(0, 4)) -> None:
    """Let some images have come so far, in the regime of photographs."""
    part = outcome[1].part(images)
    part = replace(part, regime="features", made=np.full(len(part.indices), made))
    progress = Progress(made, 9, "Make the images", finished=part)
    window.bench.traversals._on_progress(progress, None)


@pytest.fixture
def moved(window, panel, outcome):
    """Show the outcome, and return the panel."""
    show(window, outcome)
    return panel


def ask(window, images, target: str) -> None:
    """Ask by the mouse what would make images those of a class."""
    window.state.select(images)
    panel = window.bench.traversal
    panel.choose_target(target)
    panel.targets.activated.emit(0)
    QTest.mouseClick(panel.run_button, LEFT)


def wait_done(window) -> None:
    window.wait(lambda: not window.state.training.is_running)


def asked(window) -> Traverse:
    """Return the job that runs, and stop it."""
    job = window.bench.traversals._running
    assert isinstance(window.state.training.running, Traverse)
    window.bench.traversals.cancel()
    wait_done(window)
    return job


def routes(window):
    return window.map.overlay.scene.route


# In a process


def test_before_there_is_a_map_it_says_what_to_do(make_window):
    window = make_window()
    window.bench.show_traversal()
    panel = window.bench.traversal
    assert panel._empty.text().startswith("Open images and train a network first")
    assert not panel.run_button.isEnabled()


def test_from_the_question_to_the_answer(window, panel, threes):
    before = window.session.state
    assert not panel.run_button.isEnabled()
    assert "Select images first" in panel.run_button.toolTip()
    assert panel._empty.isVisible()
    ask(window, threes, "8")
    window.wait(lambda: panel.progress._progress.maximum() > 0)
    assert panel.progress.cancel_button.isVisible()
    assert not panel.run_button.isEnabled()
    wait_done(window)
    assert not panel.progress.isVisible()
    assert "only 8 images" in panel.notice.text(), "the fixture has eight labels each"
    done = window.bench.traversals.traversal
    assert done.indices.tolist() == threes.tolist()
    n_steps = done.settings.steps
    assert (panel.image, panel.step) == (0, panel._strip.arrival)
    assert panel._strip.last == panel._strip.steps == n_steps
    own, goal = panel._strip.chances
    assert (own.name, goal.name) == ("3", "8")
    np.testing.assert_array_equal(goal.values, done.probabilities[0, :, 8])
    (kept,) = window.session.state.traversals
    assert describe_kept(kept, window.session.state) == "3 → 8, 4 images, start"
    assert kept_results(panel) == [("3 → 8, 4 images, start", True)]
    # Nothing else of the session is another one.
    assert replace(window.session.state, traversals=()).log is before.log
    assert window.session.state.checkpoint is before.checkpoint
    # It is saved by itself.
    window.wait(lambda: load_session(window.state.path).traversals)


def test_cancelling_keeps_what_is_finished_and_one_can_edit_meanwhile(
    window, panel, threes, monkeypatch
):
    monkeypatch.setattr(controller, "_BATCH", 1)
    ask(window, threes, "8")
    other = window.movable[~np.isin(window.movable, threes)][:1]
    assert window.bench.map.naming.apply(Pin(other, "5"))
    assert not window.panels.retrain.retrain_button.isEnabled()
    assert "running" in window.panels.retrain.retrain_button.toolTip()
    window.wait(lambda: window.bench.traversals._shown.finished)
    QTest.mouseClick(panel.progress.cancel_button, LEFT)
    wait_done(window)
    assert window.panels.retrain.retrain_button.isEnabled()
    done = window.bench.traversals.traversal
    count = len(done.indices)
    assert 1 <= count < 4
    assert done.indices.tolist() == threes[:count].tolist()
    verb = "was" if count == 1 else "were"
    says = f"{count} of 4 images {verb} finished when it stopped."
    assert says in panel.notice.text()
    assert panel.way.isVisible()
    assert panel._count == count
    assert "kept" in window.editor.job_bar._message.text()
    (kept,) = window.session.state.traversals
    noun = "image" if count == 1 else "images"
    assert kept_results(panel) == [(f"3 → 8, {count} {noun}, start", True)]
    assert kept.outcome.read().seconds > 0
    # What is finished can be used like any other.
    QTest.mouseClick(panel.send_button, LEFT)
    assert len(window.viewer.layers[-1].data) == 1 + done.settings.steps
    assert panel.run_button.isEnabled()


def test_originals_are_there_at_once_and_steps_as_they_are_made(
    window, panel, outcome, threes
):
    begin(window, outcome)
    film, way = panel.way.filmstrip, panel.way
    assert (panel._count, panel._strip.last, film.count()) == (4, 0, 9)
    assert panel._strip.name == window.session.dataset.ids[threes[0]]
    said = window.session.shown.network.predictions.probabilities[threes[0]]
    assert panel._strip.leaves.values == [said[3]]
    image = window.session.dataset.images(threes[:1])
    window.wait(lambda: np.array_equal(panel._strip.pictures.draw(0), to_rgb(image)[0]))
    assert "Wait for the first step" in panel.save_button.toolTip()
    assert not len(routes(window).paths)

    come(window, outcome, 0)
    assert panel._strip.last == 0
    assert not panel.send_button.isEnabled()
    assert panel.way.real_images.count() == 0, "not known yet"
    for made in (1, 2):
        come(window, outcome, made, slice(0, 2))
        assert (panel.step, panel._strip.last, film.count()) == (made, made, 9)
    assert panel.send_button.isEnabled()
    assert len(routes(window).paths) == 2
    # An image of which nothing has come yet.
    for _ in range(2):
        QTest.mouseClick(panel.next_button, LEFT)
    assert panel._strip.name == window.session.dataset.ids[threes[2]]
    assert (panel.step, panel._strip.last) == (0, 0)
    assert not len(routes(window).paths)
    come(window, outcome, 3, slice(2, 4))
    assert (panel.step, routes(window).at, routes(window).step) == (3, 2, 3)
    # The nearest real images are seen in full.
    nearest = int(panel._strip.nearest[3, 0])
    window.wait(lambda: window.bench.traversals._pictures.get(nearest) is not None)
    assert way.real_images.picture._pictures[0].shape == (28, 28, 3)


def test_what_is_made_is_kept_when_it_stops(window, panel, outcome, saved, tmp_path):
    traversals = begin(window, outcome)
    come(window, outcome, 0)
    assert traversals._rescue() == ""
    assert "Nothing was finished" in panel.notice.text()
    assert not window.session.state.traversals

    begin(window, outcome)
    come(window, outcome, 8, slice(0, 1))
    come(window, outcome, 3, slice(1, 3))
    come(window, outcome, 0, slice(3, 4))
    assert "kept" in traversals._rescue()
    says = "1 of 4 images was finished when it stopped, 2 in part."
    assert says in panel.notice.text()
    assert panel._count == 3
    window.bench.saving.save()
    window.wait(lambda: load_session(saved).traversals)
    window.open(saved)
    choose_kept(window, panel, 0)
    assert says in panel.notice.text()
    assert panel._strip.last == 8
    QTest.mouseClick(panel.next_button, LEFT)
    assert (panel._strip.last, panel.way.filmstrip.count()) == (3, 9)
    assert panel.way.filmstrip.item(4).toolTip() == "Step 4 is not made"
    window.bench.traversals.save_to(tmp_path)
    window.wait(lambda: (tmp_path / "traversal.json").exists())
    widths = [Image.open(path).width for path in sorted(tmp_path.glob("*.png"))]
    assert widths == [1510, 760, 760], "nothing that is not made"


# What is shown of it


def test_steps_images_and_the_route_on_the_map(window, moved, threes):
    np.testing.assert_allclose(
        routes(window).paths[:, 0], window.places[threes], atol=1e-3
    )
    assert (routes(window).at, routes(window).step) == (0, moved._strip.arrival)
    moved.way.slider.setValue(2)
    assert routes(window).step == 2
    QTest.mouseClick(moved.next_button, LEFT)
    assert moved._strip.name == window.session.dataset.ids[threes[1]]
    assert (routes(window).at, moved.step) == (1, 2)
    # The images lie elsewhere after an edit.
    place = window.places[threes[:1]]
    window.bench.map.naming.apply(Move(threes[:1], place, place + 1, tag="8"))
    np.testing.assert_allclose(routes(window).paths[0, 0], place[0] + 1, atol=1e-3)

    dock_of(window.bench.gallery).raise_()
    window.wait(lambda: not moved.is_seen)
    assert not len(routes(window).paths), "only while one looks at it"
    window.key("w")
    window.wait(lambda: moved.is_seen)
    assert len(routes(window).paths) == 4
    # Also where its dock was closed.
    dock = dock_of(moved)
    QTest.mouseClick(dock.titleBarWidget().close_button, LEFT)
    window.wait(lambda: not moved.is_seen)
    assert not len(routes(window).paths)
    window.key("w")
    window.wait(lambda: moved.is_seen)
    assert dock_of(moved) is not dock
    assert len(routes(window).paths) == 4


def test_the_stack_as_a_layer_and_as_files(window, moved, outcome, tmp_path, messages):
    _, done = outcome
    moved.way.slider.setValue(3)
    QTest.mouseClick(moved.send_button, LEFT)
    layer = window.viewer.layers[-1]
    np.testing.assert_array_equal(layer.data, done.images[:, :, 0].swapaxes(0, 1))
    assert layer.axis_labels == ("step", "image", "y", "x")
    assert layer.name == "4 images → 8"
    assert layer.metadata["spaceediting"]["target"] == "8"
    assert window.viewer.dims.current_step[0] == 3
    # It covers no point of the map, which is still the layer that one works on.
    assert layer.extent.world[0, -1] > window.places[:, 1].max()
    assert window.viewer.layers.selection.active is window.map.layer
    window.qtbot.wait(50)
    image = int(window.loners(window.movable)[0])
    window.click(window.of_image(image))
    assert window.state.selected.tolist() == [image]

    window.bench.traversals.save_to(tmp_path / "out")
    window.wait(lambda: any(str(tmp_path) in text for text in messages))
    report = json.loads((tmp_path / "out" / "traversal.json").read_text("utf-8"))
    assert [entry["to"] for entry in report["images"]] == ["8"] * 4
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "images.npy"), done.images)
    (tmp_path / "file").write_text("")
    window.bench.traversals.save_to(tmp_path / "file")
    window.wait(lambda: "could not be written" in messages[-1])

    # Another session.
    window.state.notify(Change.SESSION)
    assert moved._empty.isVisible()
    assert window.bench.traversals.traversal is None


@pytest.mark.parametrize(
    ("shape", "rgb", "axes"),
    [
        ((1, 7, 1, 5, 4), False, ("step", "y", "x")),
        ((3, 7, 1, 5, 4), False, ("step", "image", "y", "x")),
        ((3, 7, 3, 5, 4), True, ("step", "image", "y", "x")),
        ((1, 7, 2, 5, 4), False, ("step", "channel", "y", "x")),
    ],
)
def test_the_axes_of_a_stack(shape, rgb, axes):
    images = np.random.default_rng(0).random(shape, np.float32)
    stack, names, is_rgb = sending._stack(images)
    assert (tuple(names), is_rgb) == (axes, rgb)
    assert stack.ndim == len(axes) + rgb
    assert stack.shape[0] == 7
    last = stack[-1, -1] if shape[0] > 1 else stack[-1]
    wanted = np.moveaxis(images[-1, -1], 0, -1) if rgb else images[-1, -1].squeeze()
    np.testing.assert_array_equal(last, wanted)


# What was found before


def kept_results(panel) -> list[tuple[str, bool]]:
    """Return the results that the menu offers, and whether each is the one shown."""
    actions = panel.kept_menu.actions()
    return [(a.text(), a.isChecked()) for a in actions if a.isCheckable()]


def choose_kept(window, panel, number: int) -> None:
    """Choose one of the results that were kept, by the mouse."""
    QTest.mouseClick(panel.kept_button, LEFT)
    menu = panel.kept_menu
    window.wait(menu.isVisible)
    action = menu.actions()[number]
    QTest.mouseClick(menu, LEFT, pos=menu.actionGeometry(action).center())
    window.wait(lambda: not menu.isVisible())


def test_earlier_results_are_shown_again_after_the_session_was_opened_anew(
    window, moved, outcome, saved, tmp_path, messages
):
    job, done = outcome
    show(window, (job, done.part(slice(0, 1))))
    newest, oldest = "3 → 8, 1 image, start", "3 → 8, 4 images, start"
    assert kept_results(moved) == [(newest, True), (oldest, False)]
    window.bench.saving.save()
    window.wait(lambda: len(load_session(saved).traversals) == 2)
    window.open(saved)
    assert moved._empty.isVisible()
    assert not moved.send_button.isVisible()
    assert moved.kept_button.text() == "Earlier (2) ▾"
    assert kept_results(moved) == [(newest, False), (oldest, False)]
    assert len(moved.kept_menu.actions()) == 2, "nothing to remove"

    choose_kept(window, moved, 1)
    assert kept_results(moved) == [(newest, False), (oldest, True)]
    assert "Made on" in moved._title.toolTip()
    assert "trunk.3" in moved._title.toolTip()
    assert moved.way.isVisible()
    assert moved._strip.name == window.session.dataset.ids[done.indices[0]]
    np.testing.assert_array_equal(
        moved._strip.nears.values, done.probabilities[0, :, 8]
    )
    assert moved.step == moved._strip.arrival
    np.testing.assert_allclose(
        routes(window).paths[:, 0], window.places[done.indices], atol=1e-3
    )
    assert "only 8 images" in moved.notice.text()
    assert "earlier network" not in moved.notice.text()
    QTest.mouseClick(moved.send_button, LEFT)
    assert window.viewer.layers[-1].name == "4 images → 8"
    window.bench.traversals.save_to(tmp_path / "out")
    window.wait(lambda: any(str(tmp_path) in text for text in messages))
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "images.npy"), done.images)


def test_a_result_of_an_earlier_network_says_so(window, moved):
    session = window.session
    state, network = session.state, session.shown.network
    anew = Network(
        network.spec, dict(network.state), network.predictions, network.margins
    )
    checkpoint = replace(state.checkpoint, network=anew)
    session._change(replace(state, checkpoint=checkpoint))
    session.shown_changed.emit()
    assert "Made by an earlier network" in moved.notice.text()
    assert "network that is gone" in kept_results(moved)[0][0]
    assert moved.way.isVisible()


def test_a_result_is_removed_after_a_question(window, moved, outcome, monkeypatch):
    show(window, outcome)
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    asked: list[str] = []

    def question(_parent, _title, text):
        asked.append(text)
        return answers.pop(0)

    monkeypatch.setattr(QMessageBox, "question", question)
    choose_kept(window, moved, -1)
    assert len(window.session.state.traversals) == 2
    assert moved.way.isVisible()
    choose_kept(window, moved, -1)
    assert len(window.session.state.traversals) == 1
    assert "cannot be brought back" in asked[1]
    assert not moved.way.isVisible()
    assert not len(routes(window).paths)
    assert moved.kept_button.text() == "Earlier (1) ▾"


def test_a_result_that_cannot_be_read_is_told(window, moved, saved):
    window.bench.saving.save()
    window.wait(lambda: load_session(saved).traversals)
    window.open(saved)
    (kept,) = window.session.state.traversals
    source = kept.outcome.source
    for key in source.values["arrays"].values():
        source.store.path(key).unlink(missing_ok=True)
    choose_kept(window, moved, 0)
    assert "cannot be read" in moved.notice.text()
    assert moved._empty.isVisible()
    assert not len(routes(window).paths)
    assert "Remove" in moved.kept_menu.actions()[-1].text()


def test_of_a_session_without_a_folder_a_copy_is_kept(window, panel, outcome):
    window.state.take_session(Session(window.session.state), None)
    window.bench.opening._draw_thumbnails()
    window.wait_idle()
    show(window, outcome)
    assert window.bench.saving.is_unsaved
    window.bench.saving.autosave()
    window.wait(lambda: window.bench.saving._copied is window.session.state)
    state = load_session(window.bench.saving._copy.folder.path)
    (kept,) = state.traversals
    assert describe_kept(kept, state) == "3 → 8, 4 images, start"
    np.testing.assert_array_equal(kept.outcome.read().images, outcome[1].images)
    # The arrays are no longer in memory, but seen as before.
    assert kept_results(panel) == [("3 → 8, 4 images, start", True)]
    choose_kept(window, panel, 0)
    assert panel.way.isVisible()


# Which layers


def test_layers_are_listed_when_asked_for_and_can_be_chosen(window, panel, threes):
    assert panel.layers.chosen is None
    assert not panel.layers.checks
    QTest.mouseClick(panel.options_button, LEFT)
    window.wait(lambda: panel.layers.checks)
    words = {name: check.text() for name, check in panel.layers.checks.items()}
    assert words["trunk.0"] == "The image, 28 × 28 px"
    assert words["trunk.3"] == "16 maps of 14 × 14 px"
    ticked = [n for n, check in panel.layers.checks.items() if check.isChecked()]
    assert ticked == ["trunk.0", "trunk.3", "trunk.6", "last_block.2"]
    assert panel.layers.chosen is None, "these are used anyway"

    window.state.select(threes[:1])
    panel.choose_target("8")
    panel.targets.activated.emit(0)
    for name in ticked:
        check = panel.layers.checks[name]
        window.wait(check.isVisible)
        QTest.mouseClick(check, LEFT, pos=QPoint(8, check.height() // 2))
    assert panel.layers.chosen == ()
    assert not panel.run_button.isEnabled()
    assert "Tick at least one layer" in panel.run_button.toolTip()
    window.click(QPoint(8, 8), widget=panel.layers.checks["trunk.6"])
    QTest.mouseClick(panel.run_button, LEFT)
    settings = asked(window).settings
    assert (settings.layers, settings.regime) == (("trunk.6",), None)


@pytest.mark.parametrize("regime", ["features", "mixtures"])
def test_how_images_are_made_can_be_chosen(window, panel, threes, regime):
    QTest.mouseClick(panel.options_button, LEFT)
    panel._regime.setFocus()
    for _ in range(1 + (regime == "mixtures")):
        QTest.keyClick(panel._regime, Qt.Key.Key_Down)
    ask(window, threes, "8")
    assert asked(window).settings.regime == regime


# The ways that lead to it


def test_dropping_on_another_class_offers_what_would_change(window, panel, threes):
    image = int(window.loners(threes)[0])
    start = window.of_image(image)
    picker = window.bench.map.naming.picker

    def put_off() -> None:
        window.drag(start, start + QPoint(60, 30))
        window.wait(picker.isVisible)
        QTest.keyClick(picker._text, "8")
        QTest.keyClick(picker._text, Qt.Key.Key_W, ALT)
        assert not picker.isVisible()

    window.drag(start, start + QPoint(60, 30))
    window.wait(picker.isVisible)
    QTest.keyClick(picker._text, "3")
    assert not picker.change_button.isEnabled()
    assert "3 already" in picker.change_button.toolTip()
    QTest.keyClick(picker._text, "8")
    QTest.mouseClick(picker.change_button, LEFT)
    assert not picker.isVisible()
    assert not window.session.state.log.done, "nothing is decided"
    ghost = window.map.overlay.scene.dragged
    assert len(ghost.ends) == 1, "nor lost"
    assert "waits" in panel._waiting_text.text()
    job = asked(window)
    assert (job.sets.images.tolist(), job.asked.goal) == ([image], "8")

    QTest.mouseClick(panel.decide_button, LEFT)
    window.answer("8", Qt.Key.Key_Return)
    (edit,) = window.session.state.log.done
    assert isinstance(edit, Move)
    assert (edit.indices.tolist(), edit.tag) == ([image], "8")
    np.testing.assert_allclose(edit.end, ghost.ends, atol=1e-5)
    assert not panel._waiting.isVisible()
    assert not len(window.map.overlay.scene.dragged.ends)

    window.bench.edits.undo()
    put_off()
    QTest.mouseClick(panel.put_back_button, LEFT)
    assert not panel._waiting.isVisible()
    assert not len(window.map.overlay.scene.dragged.ends)
    asked(window)
    # What happens to the image otherwise answers the question, too.
    put_off()
    asked(window)
    assert panel._waiting.isVisible()
    place = window.places[[image]]
    window.bench.map.naming.apply(Move(np.array([image]), place, place + 1, tag="5"))
    assert not panel._waiting.isVisible()


def test_guidance_and_the_gallery_lead_to_it(window, panel, threes):
    guidance = window.panels.guidance
    window.unfold("guidance")
    kind = ProposalKind.MISLABELLED
    same = Proposal(kind, threes[:1], "Why?", "3", None, 1.0)
    other = Proposal(kind, threes[:1], "Why?", "8", None, 1.0)
    window.bench.review._take([same])
    assert not guidance.change_button.isVisible()
    window.bench.review._take([other])
    assert guidance.change_button.text() == "What separates 3 from 8?"
    QTest.mouseClick(guidance.change_button, LEFT)
    job = asked(window)
    assert (job.sets.images.tolist(), job.asked.goal) == (threes[:1].tolist(), "8")
    assert window.bench.review.proposal is other, "nothing is decided"

    wavering = Proposal(ProposalKind.AMBIGUOUS, threes[:1], "Why?", "3", None, 1.0)
    window.bench.review._take([wavering])
    chances = window.session.shown.network.predictions.probabilities[threes[0]]
    second = np.argsort(-chances)[1]
    assert guidance.change_button.text() == f"What separates 3 from {second}?"

    labels = window.session.edits.labels
    eight = np.flatnonzero((labels == 8) & ~window.session.dataset.held_out)[:1]
    window.bench.galleries._on_context(np.concatenate([threes, eight]), QPoint(5, 5))
    menu = window.bench.gallery.findChild(QMenu)
    offer = next(a.menu() for a in menu.actions() if "would make" in a.text())
    assert offer.title() == "Show what would make them"
    next(a for a in offer.actions() if a.text() == "8").trigger()
    menu.close()
    assert window.state.selected.tolist() == threes.tolist(), "not the eight itself"
    assert asked(window).sets.images.tolist() == threes.tolist()


def test_groups_as_targets_and_bad_input_in_words(window, panel, threes):
    labels = window.session.edits.labels
    eights = np.flatnonzero((labels == 8) & ~window.session.dataset.held_out)
    ask(window, eights[:2], "8")
    assert not panel.run_button.isEnabled()
    assert "All of these are 8 already" in panel.run_button.toolTip()
    # One of them is: told when it is asked for.
    ask(window, np.concatenate([threes[:1], eights[:1]]), "8")
    assert "1 of the images are of the target's class" in panel.notice.text()
    window.state.select(eights[:2])
    QTest.mouseClick(panel.group_button, LEFT)
    window.state.select(threes[:1])
    QTest.mouseClick(panel.run_button, LEFT)
    assert "The target has 2 images" in panel.notice.text()
    assert not window.state.training.is_running
    assert panel._empty.isVisible()

    window.state.select(eights)
    QTest.mouseClick(panel.group_button, LEFT)
    assert panel.target is None
    assert not len(window.state.selected)
    window.state.select(eights[:2])
    assert "in the target" in panel.run_button.toolTip()
    window.state.select(threes[:2])
    QTest.mouseClick(panel.run_button, LEFT)
    job = asked(window)
    assert job.asked.goal == "group of 8 (mostly 8)"
    np.testing.assert_array_equal(job.sets.target, eights)
    assert "Nothing was finished" in panel.notice.text()
