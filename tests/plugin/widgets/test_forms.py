import gc
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from qtpy.QtCore import QLocale, QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QComboBox

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.plugin.widgets.forms import Form

GERMAN = QLocale(QLocale.Language.German)


@dataclass(frozen=True)
class Tea:
    kind: Literal["green", "black"] = "green"
    minutes: int = 3
    grams: float | None = None
    milk: bool = False
    tin: Path = Path("tin")
    guests: int = 2

    def __post_init__(self) -> None:
        if self.kind == "green" and self.milk:
            raise SpaceEditingError("Green tea takes no milk: choose black tea.")


@pytest.fixture
def form(qtbot, dark):
    form = Form()
    qtbot.addWidget(form)
    form.add_settings(
        Tea,
        kind={
            "label": "Kind",
            "tooltip": "Of the leaves",
            "choices": [("green", "Green", "Mild"), ("black", "Black", "Strong")],
        },
        minutes={
            "label": "Minutes",
            "tooltip": "In the pot",
            "min": 1,
            "max": 1_000_000,
        },
        grams={
            "label": "Grams",
            "tooltip": "Of leaves",
            "min": 0.0,
            "max": 100.0,
            "step": 0.5,
            "decimals": 6,
            "none": "as usual",
        },
        milk={"label": "With milk", "tooltip": "A drop"},
        tin={"label": "Tin", "tooltip": "Where the leaves are"},
    )
    form.show()
    return form


def labels_of(form):
    return {label.text(): label for label in form._labels.values()}


def test_it_begins_with_the_defaults(form):
    assert form.read(Tea()) == Tea()
    assert form.field("grams").box.text() == "as usual"


def test_it_returns_what_it_was_filled_with_and_the_rest_as_it_was(form):
    tea = Tea("black", 4, 2.5, True, Path("/box"), guests=7)
    form.fill(tea)
    assert form.read(Tea(guests=9)) == Tea("black", 4, 2.5, True, Path("/box"), 9)
    assert form.read(tea) == tea
    assert type(form.values(Tea)["minutes"]) is int


def test_only_a_change_by_the_user_is_told(form, qtbot):
    told = []
    for name in form.values(Tea):
        form.field(name).changed.connect(told.append)
    form.fill(Tea("black", 4, 2.5, True, Path("/box")))
    assert told == []
    qtbot.keyClick(form.field("minutes").box, Qt.Key.Key_Up)
    qtbot.keyClick(form.field("kind").native, Qt.Key.Key_Up)
    assert told == [5, "green"]


def test_settings_check_themselves(form, qtbot):
    qtbot.keyClick(form.field("milk").native, Qt.Key.Key_Space)
    with pytest.raises(SpaceEditingError, match="takes no milk"):
        form.read(Tea())


def test_below_its_range_a_number_is_none(form, qtbot):
    grams = form.field("grams")
    qtbot.keyClick(grams.box, Qt.Key.Key_Up)
    assert grams.value == 0
    qtbot.keyClick(grams.box, Qt.Key.Key_Down)
    assert grams.value is None


def test_fields_have_labels_tooltips_and_names_for_screen_readers(form):
    labels = labels_of(form)
    assert list(labels) == ["Kind", "Minutes", "Grams", "Tin"]
    assert labels["Grams"].toolTip() == form.field("grams").tooltip == "Of leaves"
    assert form.field("milk").native.text() == "With milk"
    kind = form.field("kind").native
    assert kind.itemData(1, Qt.ItemDataRole.ToolTipRole) == "Strong"
    names = [w.accessibleName() for w in (kind, form.field("grams").box)]
    assert names == ["Kind", "Grams"]


def test_a_field_is_hidden_with_its_label(form):
    form.set_shown("grams", False)
    assert not form.field("grams").box.isVisible()
    assert not labels_of(form)["Grams"].isVisible()
    form.set_shown("grams", True)
    assert form.field("grams").box.isVisible()


@pytest.mark.parametrize("locale", [QLocale.c(), GERMAN])
@pytest.mark.parametrize(
    ("value", "text"), [(0.001, "0.001"), (0.5, "0.5"), (10.0, "10"), (0.0, "0")]
)
def test_numbers_read_as_elsewhere_in_the_window(qtbot, dark, locale, value, text):
    before = QLocale()
    QLocale.setDefault(locale)
    try:
        form = Form()
        options = {"label": "", "tooltip": "", "max": 1e6}
        form.add_settings(Tea, grams={**options, "min": 0.0, "decimals": 6})
        form.add_settings(Tea, minutes={**options, "min": 1})
    finally:
        QLocale.setDefault(before)
    qtbot.addWidget(form)
    form.field("grams").value = value
    assert form.field("grams").box.text() == text
    assert form.field("grams").value == value
    form.field("minutes").value = 12345
    assert form.field("minutes").box.text() == "12345"


@pytest.mark.parametrize("locale", [QLocale.c(), GERMAN])
@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("grams", "0.25", 0.25),
        ("grams", "0,25", 0.25),
        ("grams", "1e-3", 0.001),
        ("grams", "2.5E1", 25),
        ("grams", "1e3", 7),
        ("grams", "1e-9", 7),
        ("grams", "-1", 7),
        ("grams", "1e", 7),
        ("minutes", "12", 12),
        ("minutes", "1e3", 1000),
        ("minutes", "1e-3", 7),
        ("minutes", "0.01", 7),
        ("minutes", "0,01", 7),
        ("minutes", "1,000", 1000),
        ("minutes", "1.000", 1000),
        ("minutes", "1.5", 7),
    ],
)
def test_a_number_is_taken_as_it_is_typed_or_not_at_all(
    form, qtbot, locale, name, typed, value
):
    field = form.field(name)
    field.value = 7
    before = QLocale()
    QLocale.setDefault(locale)
    try:
        field.box.selectAll()
        qtbot.keyClicks(field.box, typed)
        qtbot.keyClick(field.box, Qt.Key.Key_Return)
    finally:
        QLocale.setDefault(before)
    assert field.value == value


def test_a_number_counts_while_the_cursor_is_in_it(form, qtbot):
    form.field("grams").box.selectAll()
    qtbot.keyClicks(form.field("grams").box, "0.25")
    assert form.read(Tea()).grams == 0.25


@pytest.mark.parametrize("name", ["minutes", "kind"])
@pytest.mark.parametrize("delta", [120, -120])
def test_the_wheel_is_left_to_the_dock_and_changes_no_field(form, name, delta):
    form.field("minutes").value = 7
    field = form.field(name).native
    field = field if isinstance(field, QComboBox) else form.field(name).box
    before = form.field(name).value
    event = QWheelEvent(
        QPointF(5, 5),
        QPointF(field.mapToGlobal(QPoint(5, 5))),
        QPoint(),
        QPoint(0, delta),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(field, event)
    assert form.field(name).value == before
    assert not event.isAccepted()


def test_a_form_that_is_deleted_is_freed(dark):
    form = Form()
    form.add_settings(
        Tea,
        minutes={"label": "", "tooltip": "", "min": 1, "max": 9},
        kind={"label": "", "tooltip": "", "choices": [("green", "Green", "")]},
        milk={"label": "", "tooltip": ""},
    )
    fields = [weakref.ref(form.field(name)) for name in ("minutes", "kind", "milk")]
    form.deleteLater()
    QApplication.sendPostedEvents(None, 52)
    del form
    gc.collect()
    assert [field() for field in fields] == [None] * 3
