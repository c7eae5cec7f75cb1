import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from napari_spaceediting.plugin.training.network_panel import FILE, NetworkPanel
from napari_spaceediting.plugin.widgets.controls import choose

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(shown):
    panel = shown(NetworkPanel)
    panel.set_backbones(["small_cnn", "resnet18", "vit_b_16"])
    return panel


def pick(qtbot, box, key):
    """Choose an item of a combo box by the keyboard."""
    while box.currentData() != key:
        before = box.currentIndex()
        qtbot.keyClick(box, Qt.Key.Key_Down)
        assert box.currentIndex() != before


def test_what_is_shown_is_what_trains_and_the_rest_is_kept(panel, qtbot, told):
    calls = told(panel.train_requested)
    spec = ClassifierSpec("resnet18", "pretrained", 32, 5, 3, (64, 48))
    settings = TrainSettings(
        epochs=12, batch_size=7, learning_rate=3e-4, trainable="last_block", seed=4,
        device="cpu",
    )  # fmt: skip
    panel.set_settings(spec, settings)
    qtbot.mouseClick(panel.train_button, LEFT)
    assert calls == [(spec, settings)]


def test_fields_change_what_trains(panel, qtbot, told):
    calls = told(panel.train_requested)
    qtbot.mouseClick(panel.more, LEFT)
    qtbot.keyClick(panel.trainable_combo, Qt.Key.Key_Up)
    pick(qtbot, panel.device_combo, "cpu")
    qtbot.keyClick(panel.epochs_spin, Qt.Key.Key_Up)
    qtbot.keyClick(panel.latent_spin, Qt.Key.Key_Down)
    panel.rate_box.selectAll()
    qtbot.keyClicks(panel.rate_box, panel.locale().toString(0.005))
    qtbot.mouseClick(panel.train_button, LEFT)
    [(spec, settings)] = calls
    assert spec == ClassifierSpec(latent_dim=48)
    assert settings == TrainSettings(
        epochs=35, learning_rate=0.005, trainable="last_block", device="cpu"
    )


def test_a_backbone_brings_sensible_choices(panel, qtbot):
    pick(qtbot, panel.backbone_combo, "vit_b_16")
    spec, settings = panel.settings()
    assert (spec.weights, settings.trainable) == ("pretrained", "head")
    pick(qtbot, panel.weights_combo, "pretrained")
    qtbot.keyClick(panel.weights_combo, Qt.Key.Key_Up)
    spec, settings = panel.settings()
    assert (spec.weights, settings.trainable) == (None, "all")
    qtbot.keyClick(panel.backbone_combo, Qt.Key.Key_Home)
    spec, settings = panel.settings()
    assert (spec.backbone, spec.weights, settings.trainable) == (
        "small_cnn",
        None,
        "all",
    )


def test_small_cnn_has_no_published_weights_to_choose(panel, qtbot):
    assert not panel.weights_combo.model().item(1).isEnabled()
    pick(qtbot, panel.backbone_combo, "resnet18")
    assert panel.weights_combo.model().item(1).isEnabled()


def test_weights_of_a_file_train_the_head(panel, qtbot, monkeypatch):
    answer = "/weights/moths.safetensors"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (answer, ""))
    qtbot.keyClick(panel.weights_combo, Qt.Key.Key_End)
    spec, settings = panel.settings()
    assert (spec.weights, settings.trainable) == (answer, "head")
    assert panel.weights_combo.currentText() == "File: moths.safetensors"


@pytest.mark.parametrize("backbone", ["small_cnn", "resnet18"])
def test_a_cancelled_file_dialog_changes_nothing(panel, qtbot, monkeypatch, backbone):
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    if backbone != "small_cnn":
        pick(qtbot, panel.backbone_combo, backbone)
    choose(panel.trainable_combo, "last_block")
    before = panel.settings()
    qtbot.keyClick(panel.weights_combo, Qt.Key.Key_End)
    assert panel.settings() == before


def test_settings_with_a_file_show_it(panel):
    panel.set_settings(ClassifierSpec(weights="/weights/a.pth"), TrainSettings())
    assert panel.weights_combo.currentData() == FILE
    assert panel.settings()[0].weights == "/weights/a.pth"


def test_the_curve_shows_once_there_is_something(panel):
    assert not panel._curve.isVisible()
    panel.show_progress(1, 0.7)
    panel.show_progress(2, 0.6, 0.9)
    assert panel._curve.isVisible()
    assert "90" in panel._curve.words()
    panel.clear_curve()
    assert not panel._curve.isVisible()


def test_disabled_training_says_why_and_leaves_settings_open(panel):
    panel.set_enabled(False, "Open images first")
    assert not panel.train_button.isEnabled()
    assert panel.train_button.toolTip().startswith("Open images first")
    assert panel.backbone_combo.isEnabled()
    panel.set_enabled(True)
    assert panel.train_button.isEnabled()
