"""Looking at images closely: large, and beside what tells what they are."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLabel

from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.session.state import RoundStatus

LEFT = Qt.MouseButton.LeftButton


def look_at_first(window, images):
    """Select images on the map, and look at the first with the keyboard."""
    window.state.select(np.asarray(images))
    grid = window.bench.gallery.grid
    QTest.keyClick(grid, Qt.Key.Key_Home)
    QTest.keyClick(grid, Qt.Key.Key_Space)
    return window.bench.gallery.compare


def shown(part) -> list[int]:
    return part.grid.items.tolist() if part.isVisible() else []


def test_an_image_is_as_large_as_the_dock_beside_its_classes(window):
    labels = window.session.edits.labels
    group = window.movable[labels[window.movable] >= 0][:5]
    compare = look_at_first(window, group)
    assert window.bench.gallery.is_close
    assert shown(compare.question) == [group[0]]
    assert window.state.selected.tolist() == [group[0]]
    room, tile = compare.question.grid.viewport(), compare.question.grid._tile(0)
    assert tile.height() > 0.6 * min(room.height(), room.width())

    names = window.session.edits.class_names
    said = window.session.shown.network.predictions.probabilities[group[0]]
    own = int(labels[group[0]])
    other = next(kind for kind in np.argsort(-said) if kind != own)
    for part, kind in ((compare.first, own), (compare.second, other)):
        assert part.title.text() == names[kind]
        assert (labels[shown(part)] == kind).all()
    neighbours = window.session.shown.map.neighbours[group[0]][:15]
    assert shown(compare.nearest) == neighbours.tolist()


def test_arrows_walk_and_escape_leads_back(window):
    group = window.movable[:3].tolist()
    compare = look_at_first(window, group)
    seen = []
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Left):
        QTest.keyClick(compare, key)
        seen += shown(compare.question)
    assert seen == [group[1], group[2], group[2], group[1]]
    QTest.keyClick(compare, Qt.Key.Key_Escape)
    grid = window.bench.gallery.grid
    assert grid.isVisible()
    assert grid.items.tolist() == group
    assert grid.current == group[1]
    assert "3 selected" in window.bench.gallery.count


def test_a_key_names_what_is_looked_at_and_goes_on(window):
    group = window.movable[:3].tolist()
    compare = look_at_first(window, group)
    compare.setFocus()
    QTest.keyClick(compare, "3")
    (edit,) = window.session.state.log.done
    assert isinstance(edit, Relabel)
    assert (edit.indices.tolist(), edit.tag) == (group[:1], "3")
    assert shown(compare.question) == [group[1]]
    QTest.keyClick(compare, Qt.Key.Key_Backspace)
    assert window.session.state.log.done == ()
    assert shown(compare.question) == [group[0]]


def test_what_stands_beside_can_be_looked_at_in_turn(window):
    compare = look_at_first(window, window.movable[:3])
    index = shown(compare.nearest)[1]
    place = compare.nearest.grid._tile(1).center()
    QTest.mouseClick(compare.nearest.grid.viewport(), LEFT, pos=place)
    assert shown(compare.question) == [index]
    assert window.state.selected.tolist() == [index]
    place = compare.question.grid._tile(0).center()
    QTest.mouseClick(compare.question.grid.viewport(), LEFT, pos=place)
    assert not window.bench.gallery.is_close


def test_a_selection_on_the_map_is_followed(window):
    compare = look_at_first(window, window.movable[:3])
    window.state.select(window.movable[7:8])
    assert shown(compare.question) == [window.movable[7]]
    window.state.select(window.movable[7:9])
    assert not window.bench.gallery.is_close


def test_the_proposal_stands_between_the_classes_in_question(window):
    window.bench.review.find()
    window.wait(lambda: window.bench.review.proposal is not None)
    window.wait_idle()
    names, compare = window.session.edits.class_names, window.bench.gallery.compare
    for _ in range(3):
        proposal = window.bench.review.proposal
        assert shown(compare.question) == proposal.indices.tolist()
        titles = [part.title.text() for part in (compare.first, compare.second)]
        assert proposal.tag is None or proposal.tag in titles
        assert len(set(titles)) == 2
        assert set(titles) <= set(names)
        QTest.keyClick(window.panels.guidance, ".")


def is_in_front(view) -> bool:
    return not view.visibleRegion().isEmpty()


@pytest.mark.parametrize("button", ["fixed", "broken", "cell", "map"])
def test_what_is_asked_for_after_a_round_brings_the_gallery_to_the_front(
    window, button
):
    window.take_round(RoundStatus.PROPOSED)
    window.wait(lambda: is_in_front(window.bench.evidence))
    evidence = window.session.state.rounds[-1].evidence
    if button == "map":
        expected = window.movable[:2]
        window.state.select(expected)
    elif button == "cell":
        window.bench.evidence.confusion.cell_clicked.emit("after", 0, 0)
        expected = window.bench.gallery.grid.items
    else:
        window.bench.evidence.image_buttons[button].click()
        expected = getattr(evidence, button)
    window.wait(lambda: is_in_front(window.bench.gallery))
    assert window.bench.gallery.grid.items.tolist() == expected.tolist()


def test_contrast_is_the_same_for_all_pictures(window):
    window.unfold("guidance")
    gallery = window.bench.gallery
    window.state.select(window.movable[:3])

    def brightest() -> int:
        picture = gallery.grid.viewport().grab().toImage()
        inside = gallery.grid._tile(0).adjusted(6, 6, -6, -6)
        return max(
            picture.pixelColor(x, y).lightness()
            for x in range(inside.left(), inside.right(), 3)
            for y in range(inside.top(), inside.bottom(), 3)
        )

    before = brightest()
    gallery.bar.look_button.click()
    (row,) = gallery.look.rows
    row.limits.setValue((0, 1))
    with window.new_pictures():
        row.colour.setCurrentIndex(row.colour.findData("hidden"))
    window.wait(lambda: brightest() < before / 4)
    (picture, *_) = window.map.overlay.scene.pictures
    assert picture.pixmap.toImage().pixelColor(20, 20).lightness() == 0
    gallery.look.reset_button.click()
    window.wait(lambda: brightest() > before / 2)
    gallery.look.close()


def test_the_proposal_is_drawn_from_its_original(window):
    window.bench.review.find()
    window.wait(lambda: window.bench.review.proposal is not None)
    (first, *_) = window.bench.review.proposal.indices
    pictures = window.state.pictures
    window.wait(lambda: pictures.at(first, 400).shape[0] != 64)
    QApplication.processEvents()
    labels = window.panels.guidance.findChildren(QLabel)
    assert any(not label.pixmap().isNull() for label in labels)
