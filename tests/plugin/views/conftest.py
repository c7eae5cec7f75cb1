import pytest
from qtpy.QtWidgets import QWidget

from napari_spaceediting.plugin.views.palette import Palette


@pytest.fixture(params=["dark", "light"])
def palette(request):
    return Palette.from_theme_id(request.param)


@pytest.fixture
def dark():
    return Palette.from_theme_id("dark")


@pytest.fixture
def host(qtbot):
    """A shown parent, kept alive for the whole test."""
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.resize(600, 400)
    widget.show()
    qtbot.waitExposed(widget)
    return widget
