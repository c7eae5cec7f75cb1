from __future__ import annotations

import shutil

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog
from skimage.io import imsave

from napari_spaceediting.plugin.opening.panel import Layers


@pytest.mark.trains
def test_pixels_are_mapped_until_the_network_has_learnt(make_window, saved):
    window = make_window()
    window.bench.opening.open_sample("digits")
    window.wait(lambda: window.bench.map.view is not None)
    window.wait(lambda: window.map.cloud is not None)
    places = window.map.cloud.places
    assert places.shape == (1797, 2)
    assert np.ptp(places, axis=0).min() > 0
    assert window.session.shown.map is None, "only a preview"
    assert window.map.is_active, "to be looked at"
    middle = window.pixel(places[0])
    window.drag(middle, middle + middle / 4)
    assert not window.session.state.log.done, "and not to be edited"

    # A smaller data set takes the place of the larger one, while it still trains.
    window.open(saved)
    assert len(window.map.layer.data) == len(window.session.dataset) < 1797
    assert window.map.is_active
    np.testing.assert_array_equal(window.map.layer.data, window.places)


def test_a_folder_that_is_dropped_opens_as_by_the_button(make_window, tmp_path):
    for name in ("A & B", "C"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for k in range(6):
            pixels = np.full((28, 28), 20 * k, np.uint8)
            imsave(tmp_path / "set" / name / f"{k}.png", pixels, check_contrast=False)
    window = make_window()
    window.viewer.open(str(tmp_path / "set"), plugin="napari-spaceediting")
    window.wait(lambda: window.state.session is not None)
    window.bench.state.cancel()
    window.wait_idle()
    assert window.session.dataset.class_names == ("A & B", "C")
    note = window.panels.data._note.text()
    assert note.startswith("12 images, 28 x 28 px, grey, in 2 classes;")


def test_of_multiscale_and_coloured_layers_all_details_are_taken(make_window):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    labels = np.zeros((64, 64), int)
    labels[8:24, 8:24], labels[40:56, 40:56] = 1, 2
    window = make_window()
    half = slice(None, None, 2)
    window.viewer.add_image([image, image[half, half]], multiscale=True, name="cells")
    window.viewer.add_labels([labels, labels[half, half]], multiscale=True, name="of")
    layers = window.viewer.layers
    window.bench.opening.open_layers(Layers(layers["cells"], layers["of"], padding=0))
    window.wait(lambda: window.state.session is not None)
    window.bench.state.cancel()
    window.wait_idle()
    found = window.session.dataset.original(1)
    np.testing.assert_array_equal(found, image[40:56, 40:56])


def test_figures_are_those_of_the_session_that_is_open(window, saved, tmp_path):
    panel = window.panels.network
    shown = panel.status.text()
    assert "validation accuracy" in shown
    panel.status.setText("small_cnn on cpu: validation accuracy 33.3%")
    copy = shutil.copytree(saved, tmp_path / "copy.spaceediting")
    window.open(copy)
    assert panel.status.text() == shown


@pytest.mark.parametrize(
    ("button", "ask", "title"),
    [
        ("folder_button", "getExistingDirectory", "Folder of images"),
        ("file_button", "getOpenFileName", "Table or array of images"),
        ("session_button", "getExistingDirectory", "Session folder (*.spaceediting)"),
    ],
)
def test_buttons_ask_what_to_open(make_window, monkeypatch, button, ask, title):
    asked = []
    nothing = "" if ask == "getExistingDirectory" else ("", "")
    monkeypatch.setattr(
        QFileDialog, ask, lambda _, what, *__: asked.append(what) or nothing
    )
    window = make_window()
    getattr(window.panels.data, button).click()
    assert asked == [title]
