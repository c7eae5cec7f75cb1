import pytest

from napari_spaceediting.plugin.views.palette import Palette


@pytest.fixture(params=["dark", "light"])
def palette(request):
    return Palette.from_theme_id(request.param)


@pytest.fixture
def dark():
    return Palette.from_theme_id("dark")
