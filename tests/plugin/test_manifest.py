"""The manifest says what napari understands."""

from __future__ import annotations

import pytest
from napari._app_model import get_app_model
from napari.settings import get_plugin_settings, get_settings
from npe2 import PluginManifest

from napari_spaceediting.data.mitosis import MITOSIS
from napari_spaceediting.data.samples import SAMPLES
from napari_spaceediting.plugin.keys import KEYS
from napari_spaceediting.plugin.reader import get_reader

NAME = "napari-spaceediting"


@pytest.fixture
def manifest() -> PluginManifest:
    return PluginManifest.from_distribution(NAME)


def test_every_command_can_be_imported(manifest: PluginManifest) -> None:
    manifest.validate_imports()


def test_every_command_is_reachable(manifest: PluginManifest) -> None:
    points = manifest.contributions
    reachable = {
        item.command
        for group in (points.widgets, points.readers)
        for item in group or ()
    }
    reachable |= {
        item.command for items in (points.menus or {}).values() for item in items
    }
    # All others have a key, and napari's palette has them.
    keys = {f"{NAME}.{key.command}" for key in KEYS}
    assert reachable | keys == {command.id for command in points.commands or ()}


def test_every_sample_is_in_the_menu_and_known_to_the_reader(
    manifest: PluginManifest,
) -> None:
    samples = manifest.contributions.sample_data or ()
    assert [sample.key for sample in samples] == [*SAMPLES, MITOSIS]
    assert all(get_reader(sample.uri) is not None for sample in samples)


def test_the_reader_leaves_all_else_to_others(tmp_path) -> None:
    (tmp_path / "empty.spaceediting").mkdir()
    assert get_reader(str(tmp_path / "empty.spaceediting")) is None
    assert get_reader("sample://elsewhere/unknown.spaceediting-sample") is None
    assert get_reader(str(tmp_path / "image.tif")) is None
    (tmp_path / "session.json").symlink_to(tmp_path)
    assert get_reader(str(tmp_path)) is None
    (tmp_path / "session.json").unlink()
    (tmp_path / "session.json").touch()
    assert get_reader(str(tmp_path)) is not None


def test_the_reader_takes_folders_of_images_by_class(tmp_path) -> None:
    flat, pets, plate = (tmp_path / name for name in ("flat", "pets", "plate.zarr"))
    for folder in (flat, pets / "cat", pets / "deep" / "train" / "dog", plate / "0"):
        folder.mkdir(parents=True)
        (folder / "0.png").touch()
    (plate / "zarr.json").touch()
    assert get_reader(str(pets)) is not None
    assert get_reader(str(pets / "deep")) is not None
    assert get_reader(str(flat)) is None, "napari shows its images as layers"
    assert get_reader(str(plate)) is None


def test_preferences_are_typed(npe2pm, plugin_settings, manifest) -> None:
    with npe2pm.tmp_plugin(manifest=manifest):
        settings = get_plugin_settings(NAME)
        assert settings.training.device == "auto"
        assert settings.training.epochs == 30
        with pytest.raises(ValueError, match="tpu"):
            settings.training.device = "tpu"


def test_what_has_a_key_is_a_command_of_the_palette(manifest) -> None:
    named = {
        command.id.partition(".")[2]: (command.title, command.python_name)
        for command in manifest.contributions.commands
        if ".plugin.commands:" in (command.python_name or "")
    }
    assert named == {
        key.command: (key.text, f"napari_spaceediting.plugin.commands:{key.command}")
        for key in KEYS
    }


def test_a_command_of_the_palette_does_what_its_key_does(window) -> None:
    at = window.movable[:3]
    window.state.select(at)
    get_app_model().commands.execute_command(f"{NAME}.reject_selected").result()
    assert window.session.edits.rejected[at].all()


def test_without_images_a_command_says_what_is_missing(make_window, messages) -> None:
    make_window()
    get_app_model().commands.execute_command(f"{NAME}.relabel_selected").result()
    assert messages[0].startswith("There are no images yet")


def test_settings_of_who_runs_the_tests_are_left_alone(make_napari_viewer) -> None:
    make_napari_viewer()
    assert get_settings().config_path is None
    assert get_plugin_settings(NAME).config_path is None
