"""Forms of settings: annotations become fields, made by magicgui."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

from magicgui.types import Undefined
from magicgui.widgets import CheckBox, ComboBox, create_widget
from magicgui.widgets.bases import BaseValueWidget, ValuedContainerWidget
from qtpy.QtCore import QLocale, Qt
from qtpy.QtGui import QValidator
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QSizePolicy,
    QWidget,
)

from napari_spaceediting.plugin.widgets.controls import (
    TIGHT,
    adapt_combo,
    guard_wheel,
    row,
    set_role,
)

S = TypeVar("S")

_THOUSANDS = re.compile(r"[1-9]\d{0,2}([.,]\d{3})+")
_NUMBER_BEGUN = re.compile(r"[+-]?\d*\.?\d*(e[+-]?\d*)?")


class NumberBox(QDoubleSpinBox):
    """A field for numbers that writes them as the texts of the window do.

    Whatever the locale of the system: with a point, without zeros at the end. A comma
    that is typed counts as a point, and 1e-3 is a number. What is typed counts when it
    is whole; what is none, or out of range, leaves the number that was there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setLocale(QLocale.c())
        self.setKeyboardTracking(False)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        guard_wheel(self)

    def value(self) -> float:
        """Return the number, as it is typed so far if that is one."""
        self.interpretText()
        return super().value()

    def textFromValue(self, value: float) -> str:
        """Return the value without zeros at the end."""
        text = self.locale().toString(value, "f", self.decimals())
        return text.rstrip("0").rstrip(".") if "." in text else text

    def valueFromText(self, text: str | None) -> float:
        """Return the number that a text stands for."""
        try:
            return float(self._bare(text))
        except ValueError:
            return self.minimum()

    def validate(self, text: str | None, at: int) -> tuple[QValidator.State, str, int]:
        """Let the parts of a number be typed, and accept what this box can hold.

        A letter that is refused would leave another number: 13 of 1e-3.
        """
        text = text or ""
        bare = self._bare(text)
        if text == self.specialValueText() != "":
            return QValidator.State.Acceptable, text, at
        if not _NUMBER_BEGUN.fullmatch(bare):
            return QValidator.State.Invalid, text, at
        try:
            value = float(bare)
        except ValueError:
            return QValidator.State.Intermediate, text, at
        held = round(value, self.decimals())
        fits = held == value if not self.decimals() else held != 0 or value == 0
        if fits and self.minimum() <= held <= self.maximum():
            return QValidator.State.Acceptable, text, at
        return QValidator.State.Intermediate, text, at

    def fixup(self, text: str | None) -> str:
        """Leave what is no number, which then does not count."""
        return text or ""

    def _bare(self, text: str | None) -> str:
        """Return the number within a text, with a point before its decimals only."""
        bare = (text or "").removesuffix(self.suffix()).strip()
        if not self.decimals() and _THOUSANDS.fullmatch(bare):
            bare = bare.replace(",", "").replace(".", "")
        return bare.replace(",", ".").lower()


class Number(ValuedContainerWidget[float | None]):
    """A number of a form, whole if it has no decimals.

    Parameters
    ----------
    min, max : float
        Range.
    step : float, optional
        Of the arrows; by default a tenth of the value's order of magnitude.
    decimals : int
        Most digits behind the point.
    suffix : str
        Follows the number, such as " %".
    none : str
        Stands for None, one step below the range; for a number that may be None.
    **options : Any
        See `magicgui.widgets.bases.ValuedContainerWidget`.
    """

    def __init__(
        self,
        value: Any = Undefined,
        *,
        min: float,
        max: float,
        step: float | None = None,
        decimals: int = 0,
        suffix: str = "",
        none: str = "",
        **options: Any,
    ) -> None:
        super().__init__(labels=False, **options)
        self.margins = (0, 0, 0, 0)
        self.box = box = NumberBox()
        box.setAccessibleName(self.label)
        box.setDecimals(decimals)
        if step is None:
            box.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        box.setSingleStep(step or 1)
        box.setRange(min - box.singleStep() if none else min, max)
        box.setSpecialValueText(none)
        box.setSuffix(suffix)
        self.native.layout().addWidget(box)
        self.native.setFocusProxy(box)
        if value is not Undefined:
            self.value = value
        box.valueChanged.connect(self._tell)

    def get_value(self) -> float | None:
        """Return the number, or None where the text for it stands."""
        value = self.box.value()
        if self.box.specialValueText() and value == self.box.minimum():
            return None
        return value if self.box.decimals() else round(value)

    def set_value(self, value: float | None) -> None:
        """Show a number, the nearest of its range."""
        self.box.setValue(self.box.minimum() if value is None else value)

    def _tell(self, _value: float) -> None:
        self.changed.emit(self.value)


def _make_field(
    kind: type, name: str, hint: Any, options: Mapping[str, Any]
) -> BaseValueWidget[Any]:
    """Return the widget of a field, which magicgui chooses by its type."""
    options = dict(options)
    default = getattr(kind, name, Undefined)
    label, none = options.pop("label"), options.pop("none", "")
    items = options.pop("choices", ())
    types = set(get_args(hint) or (hint,)) - {NoneType}
    if items:
        options["choices"] = [(title, key) for key, title, _ in items]
    elif types <= {int, float}:
        options |= {"widget_type": Number, "none": none}
    widget: Any = create_widget(
        default, name=name, label=label, annotation=hint, options=options
    )
    if isinstance(widget, ComboBox):
        adapt_combo(widget.native)
        if none:
            widget.null_string = none
            widget.native.setItemText(0, none)
        for key, _, tip in items:
            at = widget.choices.index(key)
            widget.native.setItemData(at, tip, Qt.ItemDataRole.ToolTipRole)
    return widget


class Form(QWidget):
    """Labelled fields whose left edges align with those of every other form."""

    def __init__(self) -> None:
        super().__init__()
        self._labels: dict[QWidget, QLabel] = {}
        self._fields: dict[str, tuple[type, Any]] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(TIGHT)
        self._grid.setVerticalSpacing(TIGHT)
        self._grid.setColumnStretch(1, 1)

    def add(self, title: str, *fields: QWidget, stretch: Sequence[int] = ()) -> None:
        """Add a row of fields, whose label has the first one's tooltip."""
        label = QLabel(title)
        label.setBuddy(fields[0])
        label.setToolTip(fields[0].toolTip())
        self._labels[fields[0]] = label
        set_role(label, "field")
        at = self._grid.rowCount()
        self._grid.addWidget(label, at, 0)
        self._grid.addLayout(row(*fields, stretch=stretch), at, 1)
        for field in fields:
            if not field.accessibleName():
                field.setAccessibleName(title)

    def add_settings(self, kind: type, /, **fields: Mapping[str, Any]) -> None:
        """Add fields for some settings.

        Parameters
        ----------
        kind : type
            Dataclass of the settings, whose annotations say what the fields hold.
        **fields : mapping
            Of each setting "label" and "tooltip"; "choices" as (key, title, tooltip);
            of a number what `Number` takes, such as "min" and "max"; and "none", the
            text for None.
        """
        hints = get_type_hints(kind)
        for name, options in fields.items():
            widget = _make_field(kind, name, hints[name], options)
            self._fields[name] = kind, widget
            if isinstance(widget, CheckBox):
                self._grid.addWidget(widget.native, self._grid.rowCount(), 1)
            else:
                self.add(widget.label, widget.native)

    def field(self, name: str) -> Any:
        """Return the magicgui widget of a setting."""
        return self._fields[name][1]

    def set_shown(self, name: str, shown: bool) -> None:
        """Show a field with its label, or hide both."""
        field = self.field(name).native
        for part in (field, self._labels.get(field)):
            if part is not None:
                part.setVisible(shown)

    def values(self, kind: type) -> dict[str, Any]:
        """Return what is chosen of the settings of a kind, by name."""
        return {
            name: widget.value
            for name, (of, widget) in self._fields.items()
            if of is kind
        }

    def read(self, settings: S) -> S:
        """Return settings with what is chosen, and else as they are.

        Raises
        ------
        SpaceEditingError
            If the settings do not allow it; they check themselves.
        """
        return replace(settings, **self.values(type(settings)))  # type: ignore[type-var]

    def fill(self, settings: object) -> None:
        """Show settings, even those that are not offered; no field tells of it."""
        for name in self.values(type(settings)):
            widget, value = self.field(name), getattr(settings, name)
            with widget.changed.blocked():
                if isinstance(widget, ComboBox) and value not in widget.choices:
                    widget.set_choice(value)
                widget.value = value
