"""Small controls that the panels share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from qtpy.QtCore import QEvent, QObject, QRectF, Qt, SignalInstance
from qtpy.QtGui import (
    QPainter,
    QPaintEvent,
)
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_spaceediting.plugin.widgets.painting import outline, smaller
from napari_spaceediting.plugin.widgets.palette import Palette, to_qcolor

SPACING = 8
"""Between the parts of a panel, in pixels."""
TIGHT = 6
"""Between controls that belong together, in pixels."""


class Gate:
    """Decides which controls may be used, and says in their tooltips why not.

    A control is open while neither itself nor the gate as a whole is blocked.
    """

    def __init__(self) -> None:
        self._tips: dict[QWidget, str] = {}
        self._blocks: dict[QWidget, str] = {}
        self._closed = ""

    def button(
        self, text: str, tip: str, clicked: Callable[..., object] | SignalInstance
    ) -> QPushButton:
        """Return a button behind the gate that calls something or emits a signal."""
        button = QPushButton(text)
        button.clicked.connect(clicked)
        self.add(button, tip)
        return button

    def add(self, widget: QWidget, tip: str) -> None:
        """Put a control with this tooltip behind the gate, or change the tooltip."""
        self._tips[widget] = tip
        self._update(widget)

    def block(self, widget: QWidget, reason: str) -> None:
        """Block one control for a reason; "" opens it again."""
        self._blocks[widget] = reason
        self._update(widget)

    def set_enabled(self, enabled: bool, reason: str = "") -> None:
        """Open the gate, or close it for a reason."""
        self._closed = "" if enabled else reason or "Not available now"
        for widget in self._tips:
            self._update(widget)

    def _update(self, widget: QWidget) -> None:
        reason = self._closed or self._blocks.get(widget, "")
        tip = self._tips[widget]
        widget.setEnabled(not reason)
        widget.setToolTip(f"{reason}\n\n{tip}" if reason else tip)


class _WheelGuard(QObject):
    """Lets the wheel scroll the dock instead of changing what is under it."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.Wheel:
            event.ignore()
            return True
        return super().eventFilter(watched, event)


def guard_wheel(widget: QComboBox | QAbstractSpinBox | QSlider) -> None:
    """Keep a field from changing while the user scrolls over it."""
    widget.installEventFilter(_WheelGuard(widget))
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


def combo(tip: str, items: Iterable[tuple[str, str]] = ()) -> QComboBox:
    """Return a combo box of (key, title) that takes the width that it gets."""
    box = QComboBox()
    for key, title in items:
        box.addItem(title, key)
    box.setToolTip(tip)
    adapt_combo(box)
    return box


def adapt_combo(box: QComboBox) -> None:
    """Let a combo box take the width that it gets."""
    box.setSizeAdjustPolicy(
        QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    )
    box.setMinimumContentsLength(6)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    guard_wheel(box)


def choose(box: QComboBox, key: str) -> None:
    """Select the item with this key without a signal; nothing if there is none."""
    at = box.findData(key)
    if at >= 0:
        box.blockSignals(True)
        box.setCurrentIndex(at)
        box.blockSignals(False)


def refill(box: QComboBox, items: Iterable[tuple[str, str]]) -> None:
    """Replace the (key, title) items without a signal; keep the choice if possible."""
    key = box.currentData()
    box.blockSignals(True)
    box.clear()
    for item_key, title in items:
        box.addItem(title, item_key)
    box.blockSignals(False)
    if key is not None:
        choose(box, key)


def word_label(role: str = "", text: str = "") -> QLabel:
    """Return a label that breaks its lines and whose text can be selected."""
    label = QLabel(text)
    set_role(label, role)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    # A long word, such as a file name, must not make the dock wider.
    label.setMinimumWidth(1)
    return label


def set_text(label: QLabel, text: str) -> None:
    """Show a text, or nothing at all, without an empty line in its place."""
    label.setText(text)
    label.setVisible(bool(text))


def style_label(label: QLabel, colour: str, size: float | None = None) -> None:
    """Colour a label; `size` in points, None for that of the theme's labels."""
    font = "" if size is None else f" font-size: {size}pt;"
    label.setStyleSheet(f"padding: 0px; color: {colour};{font}")


def set_role(widget: QWidget, role: str) -> None:
    """Let a label or button look as the sheet of its dock says, see `dress`."""
    widget.setProperty("role", role)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def dress(root: QWidget, palette: Palette) -> None:
    """Let a dock, and all within it that has colours of its own, follow the theme."""
    colours = {
        "text": palette.text,
        "muted": palette.muted,
        "warning": palette.warning_text,
        "loss": palette.loss,
    }
    sheet = [
        f'QLabel[role="{role}"] {{padding: 0px; color: {colour};}}'
        for role, colour in colours.items()
    ]
    sheet += [
        f'QLabel[role="heading"] {{padding: 0px; color: {palette.text};'
        f" font-weight: 600; font-size: {palette.font_size + 2}pt;}}",
        f'QLabel[role="caption"] {{padding: 0px; color: {palette.muted};'
        f" font-size: {palette.font_size + 1}pt;}}",
        'QLabel[role="strong"] {padding: 0px; font-weight: 600;}',
        f'QListWidget[role="inset"] {{background-color: {palette.foreground};'
        f" border-radius: 4px; padding: 4px; font-size: {palette.font_size}pt;}}",
        'QListWidget[role="inset"]::item {padding: 2px 0px;}',
        palette.primary_button.replace("QPushButton", 'QPushButton[role="primary"]'),
    ]
    root.setStyleSheet("".join(sheet))
    for widget in root.findChildren(QWidget):
        if hasattr(widget, "set_theme"):
            widget.set_theme(palette)


def pop_up(menu: QMenu, button: QWidget) -> None:
    """Open a menu below its button."""
    menu.popup(button.mapToGlobal(button.rect().bottomLeft()))


def row(*widgets: QWidget, stretch: Sequence[int] = ()) -> QHBoxLayout:
    """Return widgets side by side, equally wide if no `stretch` is given."""
    layout = QHBoxLayout()
    layout.setSpacing(TIGHT)
    for number, widget in enumerate(widgets):
        layout.addWidget(widget, stretch[number] if stretch else 1)
    return layout


def column(parent: QWidget, spacing: int = SPACING) -> QVBoxLayout:
    """Give a widget a vertical layout without margins."""
    layout = QVBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    return layout


def scrolled(content: QWidget) -> QScrollArea:
    """Return an area in which a widget of any height, but no more width, has room."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(content)
    return area


class ThinBar(QProgressBar):
    """A bar of progress without words.

    Parameters
    ----------
    name : str
        For screen readers.
    height : int
        Pixels.
    """

    def __init__(self, name: str, height: int) -> None:
        super().__init__()
        self._height = height
        self.setTextVisible(False)
        self.setAccessibleName(name)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        height = self._height
        corners = f"border-radius: {height // 2}px;"
        self.setStyleSheet(
            f"QProgressBar {{background-color: {palette.primary}; border: 0px;"
            f" min-height: {height}px; max-height: {height}px; padding: 0px;"
            f" {corners}}}"
            f"QProgressBar::chunk {{background-color: {palette.accent}; {corners}}}"
        )


class Card(QFrame):
    """A frame with round corners that stands out from the panel."""

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self.setObjectName("Card")
        self.setStyleSheet(
            f"QFrame#Card {{background-color: {palette.foreground};"
            " border-radius: 6px;}"
            "QFrame#Card QLabel {background-color: transparent;}"
        )


class KeyButton(QPushButton):
    """A button that shows its key on its right.

    Parameters
    ----------
    title : str
        What it does.
    key : str
        The key, a single character.
    palette : Palette
        Colours of the theme.
    """

    def __init__(self, title: str, key: str, palette: Palette) -> None:
        super().__init__(title)
        self.key = key
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the button and the key."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(smaller(self.font()))
        em = painter.fontMetrics().height()
        side = em * 1.15
        cap = QRectF(self.width() - side - em * 0.4, 0, side, side)
        cap.moveTop((self.height() - side) / 2)
        colour = to_qcolor(self._palette.text, 0.75 if self.isEnabled() else 0.3)
        painter.setPen(outline(to_qcolor(self._palette.text, 0.3), 1))
        painter.drawRoundedRect(cap, 3, 3)
        painter.setPen(colour)
        painter.drawText(cap, Qt.AlignmentFlag.AlignCenter, self.key)
