"""The manifest says what napari understands."""

from __future__ import annotations

import pytest
from napari.settings import get_plugin_settings
from npe2 import PluginManifest

from napari_spaceediting.data.samples import SAMPLES
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
    assert reachable == {command.id for command in points.commands or ()}


def test_every_sample_is_in_the_menu_and_known_to_the_reader(
    manifest: PluginManifest,
) -> None:
    samples = manifest.contributions.sample_data or ()
    assert [sample.key for sample in samples] == list(SAMPLES)
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
