"""The manifest says what napari understands."""

from __future__ import annotations

import pytest
from napari.settings import get_plugin_settings
from npe2 import PluginManifest

NAME = "napari-spaceediting"


@pytest.fixture
def manifest() -> PluginManifest:
    return PluginManifest.from_distribution(NAME)


@pytest.mark.xfail(reason="the window is still to be written")
def test_every_command_can_be_imported(manifest: PluginManifest) -> None:
    manifest.validate_imports()


def test_every_command_is_reachable(manifest: PluginManifest) -> None:
    points = manifest.contributions
    reachable = {
        item.command
        for group in (points.widgets, points.readers, points.sample_data)
        for item in group or ()
    }
    assert reachable == {command.id for command in points.commands or ()}


def test_samples_are_those_of_the_package(manifest: PluginManifest) -> None:
    from napari_spaceediting.data.samples import SAMPLES

    keys = {sample.key for sample in manifest.contributions.sample_data or ()}
    assert keys
    assert keys <= set(SAMPLES)


def test_preferences_are_typed(npe2pm, plugin_settings, manifest) -> None:
    with npe2pm.tmp_plugin(manifest=manifest):
        settings = get_plugin_settings(NAME)
        assert settings.training.device == "auto"
        assert settings.training.epochs == 30
        with pytest.raises(ValueError, match="tpu"):
            settings.training.device = "tpu"
