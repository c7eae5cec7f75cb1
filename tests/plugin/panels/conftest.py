import pytest
from napari.qt import get_stylesheet

from napari_spaceediting.plugin.views.palette import Palette


@pytest.fixture
def dark():
    return Palette.from_theme_id("dark")


@pytest.fixture
def light():
    return Palette.from_theme_id("light")


@pytest.fixture
def shown(qtbot, dark):
    """Return a function that shows a panel at the dock's width, in napari's style."""

    def show(panel_type, **arguments):
        panel = panel_type(dark, **arguments)
        qtbot.addWidget(panel)
        panel.setStyleSheet(get_stylesheet("dark"))
        panel.resize(340, 700)
        panel.show()
        qtbot.waitExposed(panel)
        return panel

    return show


@pytest.fixture
def told():
    """Return a function that records what a signal says in a list."""

    def record(signal):
        calls = []
        signal.connect(lambda *values: calls.append(values))
        return calls

    return record
