import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QInputDialog

from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from napari_spaceediting.plugin.training.network_panel import NetworkPanel

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(shown):
    return shown(NetworkPanel)


def pick(qtbot, field, key):
    """Choose an item of a combo box by the keyboard."""
    box = field.native
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
    qtbot.keyClick(panel.form.field("trainable").native, Qt.Key.Key_Up)
    pick(qtbot, panel.more_form.field("device"), "cpu")
    qtbot.keyClick(panel.more_form.field("epochs").box, Qt.Key.Key_Up)
    qtbot.keyClick(panel.more_form.field("latent_dim").box, Qt.Key.Key_Down)
    rate = panel.more_form.field("learning_rate").box
    rate.selectAll()
    qtbot.keyClicks(rate, "0.005")
    qtbot.mouseClick(panel.form.field("mirror").native, LEFT)
    qtbot.mouseClick(panel.train_button, LEFT)
    [(spec, settings)] = calls
    assert spec == ClassifierSpec(latent_dim=48, mirror=True)
    assert settings == TrainSettings(
        epochs=35, learning_rate=0.005, trainable="last_block", device="cpu"
    )


def test_a_backbone_brings_sensible_choices(panel, qtbot):
    pick(qtbot, panel.form.field("backbone"), "vit_b_16")
    spec, settings = panel.settings()
    assert (spec.weights, settings.trainable) == ("pretrained", "head")
    pick(qtbot, panel.form.field("weights"), "pretrained")
    qtbot.keyClick(panel.form.field("weights").native, Qt.Key.Key_Up)
    spec, settings = panel.settings()
    assert (spec.weights, settings.trainable) == (None, "all")
    qtbot.keyClick(panel.form.field("backbone").native, Qt.Key.Key_Home)
    spec, settings = panel.settings()
    assert (spec.backbone, spec.weights, settings.trainable) == (
        "small_cnn",
        None,
        "all",
    )


def test_small_cnn_has_no_published_weights_to_choose(panel, qtbot):
    assert not panel.form.field("weights").native.model().item(1).isEnabled()
    pick(qtbot, panel.form.field("backbone"), "resnet18")
    assert panel.form.field("weights").native.model().item(1).isEnabled()


def test_weights_of_a_file_train_the_head(panel, qtbot, monkeypatch):
    answer = "/weights/moths.safetensors"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (answer, ""))
    qtbot.keyClick(panel.form.field("weights").native, Qt.Key.Key_End)
    spec, settings = panel.settings()
    assert (spec.weights, settings.trainable) == (answer, "head")
    assert panel.form.field("weights").native.currentText() == "File: moths.safetensors"


@pytest.mark.parametrize("backbone", ["small_cnn", "resnet18"])
def test_a_cancelled_file_dialog_changes_nothing(panel, qtbot, monkeypatch, backbone):
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    if backbone != "small_cnn":
        pick(qtbot, panel.form.field("backbone"), backbone)
    panel.form.field("trainable").value = "last_block"
    before = panel.settings()
    qtbot.keyClick(panel.form.field("weights").native, Qt.Key.Key_End)
    assert panel.settings() == before


def test_settings_with_a_file_show_it(panel):
    panel.set_settings(ClassifierSpec(weights="/weights/a.pth"), TrainSettings())
    assert panel.form.field("weights").native.currentText() == "File: a.pth"
    assert panel.settings()[0].weights == "/weights/a.pth"


def test_a_backbone_of_ones_own_is_shown_and_kept(panel):
    spec = ClassifierSpec("moths.nets:wings", None, 32)
    panel.set_settings(spec, TrainSettings())
    assert panel.form.field("backbone").native.currentText() == "moths.nets:wings"
    assert panel.settings()[0] == spec


def test_the_curve_shows_once_there_is_something(panel):
    assert not panel.curve.isVisible()
    panel.curve.append(1, 0.7)
    panel.curve.append(2, 0.6, 0.9)
    assert panel.curve.isVisible()
    assert "90" in panel.curve.words()
    panel.curve.clear()
    assert not panel.curve.isVisible()


def test_disabled_training_says_why_and_leaves_settings_open(panel):
    panel.gate.close("Open images first")
    assert not panel.train_button.isEnabled()
    assert panel.train_button.toolTip().startswith("Open images first")
    assert panel.form.field("backbone").native.isEnabled()
    panel.gate.close("")
    assert panel.train_button.isEnabled()


def test_backbones_suit_the_data(panel):
    def names():
        return list(panel.form.field("backbone").choices)

    panel.offer(images=False, embeddings=True)
    panel.set_settings(ClassifierSpec("embeddings"), TrainSettings(trainable="head"))
    assert names() == ["embeddings"]
    for field in ("weights", "mirror", "trainable"):
        assert not panel.form.field(field).native.isVisible()
    assert panel.settings()[0].backbone == "embeddings"
    panel.offer(images=True, embeddings=True)
    assert names()[:2] == ["embeddings", "small_cnn"]
    panel.offer(images=True, embeddings=False)
    assert "embeddings" not in names()
    panel.set_settings(ClassifierSpec(), TrainSettings())
    assert panel.form.field("weights").native.isVisible()


def choose(field, key):
    """Choose an item as the mouse does; what it asks for takes its place at once."""
    at = field.native.findData(key)
    field.native.setCurrentIndex(at)
    field.native.activated.emit(at)


@pytest.mark.parametrize(
    ("text", "name", "weights"),
    [
        ("timm:convnext_tiny", "timm:convnext_tiny", "pretrained"),
        (" moths.nets:wings ", "moths.nets:wings", None),
    ],
)
def test_another_network_is_asked_for_by_its_name(
    panel, told, monkeypatch, text, name, weights
):
    named = told(panel.backbone_named)
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: (text, True))
    choose(panel.form.field("backbone"), "other")
    spec, _ = panel.settings()
    assert (spec.backbone, spec.weights) == (name, weights)
    assert named == [(name,)]


def test_an_exported_network_is_a_file(panel, told, monkeypatch, tmp_path):
    named = told(panel.backbone_named)
    file = str(tmp_path / "moths.pt2")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (file, ""))
    choose(panel.form.field("backbone"), "exported")
    spec, settings = panel.settings()
    assert (spec.backbone, spec.weights, settings.trainable) == (
        f"file:{file}",
        None,
        "head",
    )
    assert named == [(f"file:{file}",)]


def test_who_names_no_other_network_keeps_the_one_before(panel, qtbot, monkeypatch):
    pick(qtbot, panel.form.field("backbone"), "resnet18")
    before = panel.settings()
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("", False))
    choose(panel.form.field("backbone"), "other")
    assert panel.settings() == before
