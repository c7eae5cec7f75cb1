import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_spaceediting.plugin.opening.panel import DataPanel, Layers

LEFT = Qt.MouseButton.LeftButton
SUMMARY = (
    "Moths",
    "2,000 images in 10 classes.",
    ("Intensities are as they were.", "Sizes differ."),
    (("a.png", "cannot be read"), ("b.png", "has NaN pixels")),
)


@pytest.fixture
def panel(shown):
    return shown(DataPanel)


def test_it_begins_with_ways_to_open_and_nothing_to_save(panel):
    assert panel.folder_button.isVisible()
    assert not panel.save_button.isVisible()


def test_a_sample_is_asked_for_by_name(panel, qtbot, told):
    assert not panel.sample_button.isEnabled()
    panel.set_samples([("digits", "Digits"), ("poses", "Head poses")])
    calls = told(panel.sample_requested)
    qtbot.mouseClick(panel.sample_button, LEFT)
    assert panel.sample_menu.isVisible()
    at = panel.sample_menu.actionGeometry(panel.sample_menu.actions()[1]).center()
    qtbot.mouseClick(panel.sample_menu, LEFT, pos=at)
    assert calls == [("poses",)]


@pytest.fixture
def docked(panel, make_napari_viewer):
    """Return a window with an image and a labels layer, and the panel in its dock."""
    viewer = make_napari_viewer(show=True)
    viewer.add_image(np.zeros((3, 8, 8)), name="scan")
    viewer.add_labels(np.ones((8, 8), int), name="cells")
    # napari has it follow the layers, as any widget of magicgui.
    viewer.window.add_dock_widget(panel)
    return viewer


def test_layers_need_an_image_layer(panel, docked):
    docked.layers.remove("scan")
    assert not panel.layers_button.isEnabled()
    assert "no image layer" in panel.layers_button.toolTip()


def test_a_stack_of_images_is_the_first_offer(panel, docked, qtbot, told):
    calls = told(panel.layers_requested)
    qtbot.mouseClick(panel.layers_button, LEFT)
    assert not panel.form.field("padding").box.isVisible()
    qtbot.mouseClick(panel.open_layers_button, LEFT)
    assert calls == [(Layers(docked.layers["scan"]),)]


def test_objects_come_with_padding_mask_and_channels(panel, docked, qtbot, told):
    docked.add_image(np.zeros((3, 8, 8)), name="other")
    calls = told(panel.layers_requested)
    qtbot.mouseClick(panel.layers_button, LEFT)
    form = panel.form
    qtbot.keyClick(form.field("image").native, Qt.Key.Key_Down)
    qtbot.keyClick(form.field("labels").native, Qt.Key.Key_Down)
    assert form.field("padding").box.isVisible()
    qtbot.keyClick(form.field("padding").box, Qt.Key.Key_Up)
    qtbot.keyClick(form.field("channel_axis").box, Qt.Key.Key_Up)
    mask = form.field("mask_outside").native
    qtbot.mouseClick(mask, LEFT, pos=mask.rect().center())
    qtbot.mouseClick(panel.open_layers_button, LEFT)
    other, cells = docked.layers["other"], docked.layers["cells"]
    assert calls == [(Layers(other, cells, 0, 25, mask_outside=True),)]


def test_a_layer_that_goes_away_keeps_the_choice_of_the_other(panel, docked):
    image, labels = panel.form.field("image"), panel.form.field("labels")
    labels.value = docked.layers["cells"]
    docked.add_image(np.zeros((3, 8, 8)), name="new")
    docked.layers.remove("scan")
    assert image.value is docked.layers["new"]
    assert labels.value is docked.layers["cells"]
    docked.layers["new"].name = "newer"
    assert image.native.currentText() == "newer"


def test_a_data_set_is_summed_up(panel, qtbot):
    panel.show_dataset(*SUMMARY)
    assert panel._heading.text() == "Moths"
    assert panel._note.text() == "2,000 images in 10 classes."
    assert not panel.folder_button.isVisible()
    assert not panel._skipped.isVisible()
    assert not panel._lines.isVisible()
    qtbot.mouseClick(panel._details_title, LEFT)
    assert panel._lines.text() == "Intensities are as they were.\nSizes differ."
    assert panel._skipped.isVisible()
    assert panel._skipped.item(1).toolTip() == "b.png\nhas NaN pixels"
    qtbot.mouseClick(panel._other, LEFT)
    assert panel.folder_button.isVisible()


def test_the_next_data_set_leaves_nothing_of_the_last(panel):
    panel.show_dataset(*SUMMARY)
    panel._details_title.click()
    panel.show_dataset("Ants", "5 images.")
    assert panel._heading.text() == "Ants"
    assert not panel._lines.isVisible()
    panel._details_title.click()
    assert not panel._skipped.isVisible()
    assert not panel._lines.text()


def test_ten_thousand_skipped_images_are_counted_and_some_are_listed(panel):
    skipped = tuple((f"{number}.png", "cannot be read") for number in range(10_000))
    panel.show_dataset("Moths", skipped=skipped)
    assert panel._skipped.count() == 501
    assert panel._skipped.item(500).text() == "and 9,500 more"


def test_saving_says_where_and_whether_there_is_anything_new(panel, qtbot, told):
    panel.show_dataset(*SUMMARY)
    calls = told(panel.save_button.clicked)
    panel.show_saved("/data/moths.spaceediting", unsaved=False)
    assert panel._saved.text() == "Saved in moths.spaceediting"
    assert not panel.save_button.isEnabled()
    assert "nothing new" in panel.save_button.toolTip()
    panel.show_saved("/data/moths.spaceediting", unsaved=True)
    assert panel._saved.text().startswith("●")
    qtbot.mouseClick(panel.save_button, LEFT)
    assert len(calls) == 1


def test_while_disabled_every_button_says_why(panel, qtbot, told):
    panel.set_samples([("digits", "Digits")])
    calls = told(panel.folder_button.clicked)
    panel.gate.close("A training is running")
    for button in (panel.folder_button, panel.sample_button, panel.layers_button):
        assert not button.isEnabled()
        assert button.toolTip().startswith("A training is running")
    qtbot.mouseClick(panel.folder_button, LEFT)
    assert calls == []
