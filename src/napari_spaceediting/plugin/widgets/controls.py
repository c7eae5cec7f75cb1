"""Small controls that the panels share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from string import Template

from qtpy.QtCore import QEvent, QObject, Qt, QTimer, SignalInstance
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QBoxLayout,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_spaceediting.plugin.widgets.palette import Palette

SPACING = 8
"""Between the parts of a panel, in pixels."""
TIGHT = 6
"""Between controls that belong together, in pixels."""
_WIDE = 42
"""From this width on, in heights of a line, the parts of a dock stand side by side."""


class Gate:
    """Decides which controls may be used, and says in their tooltips why not.

    A control is open while neither itself nor the gate as a whole is blocked.
    """

    def __init__(self) -> None:
        self._tips: dict[QWidget, str] = {}
        self._blocks: dict[QWidget, str] = {}
        self._closed = ""

    def button(
        self,
        text: str,
        tip: str,
        clicked: Callable[..., object] | SignalInstance | None = None,
    ) -> QPushButton:
        """Return a button behind the gate; it calls something or emits a signal."""
        button = QPushButton(text)
        if clicked is not None:
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

    def close(self, reason: str) -> None:
        """Close the gate for a reason; "" opens it again."""
        self._closed = reason
        for widget in self._tips:
            self._update(widget)

    def _update(self, widget: QWidget) -> None:
        reason = self._closed or self._blocks.get(widget, "")
        tip = self._tips[widget]
        widget.setEnabled(not reason)
        widget.setToolTip(f"{reason}\n\n{tip}" if reason else tip)


class Panel(QWidget):
    """A widget whose controls can be closed all together, and say why."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()


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


def literal(text: str) -> str:
    """Return a text for a button or a menu, which take & for the mark of a key."""
    return text.replace("&", "&&")


def set_text(label: QLabel, text: str) -> None:
    """Show a text, or nothing at all, without an empty line in its place."""
    label.setText(text)
    label.setVisible(bool(text))


def set_role(widget: QWidget, role: str) -> None:
    """Let a widget look as the sheet of its dock says, see `dress`."""
    widget.setProperty("role", role)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def card() -> QFrame:
    """Return a frame with round corners that stands out from the panel."""
    frame = QFrame()
    set_role(frame, "card")
    return frame


def thin_bar(name: str) -> QProgressBar:
    """Return a bar of progress without words; screen readers tell its name."""
    bar = QProgressBar()
    bar.setTextVisible(False)
    bar.setAccessibleName(name)
    set_role(bar, "thin")
    return bar


def set_progress(bar: QProgressBar, done: int, total: int) -> None:
    """Show so much of a total, 0 for an unknown one, when all else is painted, too.

    By itself the bar would have the whole window painted at once, with the canvas.
    """
    bar.setUpdatesEnabled(False)
    bar.setRange(0, total)
    bar.setValue(min(done, total))
    bar.setUpdatesEnabled(True)


def dress(root: QWidget, palette: Palette) -> None:
    """Let a dock follow the theme: its sheet, and what paints itself within it."""
    size = palette.font_size
    sheet = Template(files(__package__).joinpath("look.qss").read_text("utf-8"))
    colours = "text", "muted", "warning_text", "loss", "foreground", "current", "link"
    surfaces = "background", "primary", "secondary", "line", "accent", "theme"
    root.setStyleSheet(
        sheet.substitute(
            {name: getattr(palette, name) for name in (*colours, *surfaces)},
            size=size,
            caption=size + 1,
            heading=size + 2,
            large=size + 3,
        )
    )
    for widget in root.findChildren(QWidget):
        if hasattr(widget, "set_theme"):
            widget.set_theme(palette)


def agrees(parent: QWidget, title: str, question: str) -> bool:
    """Ask a question that is answered with yes or no."""
    answer = QMessageBox.question(parent, title, question)
    return answer == QMessageBox.StandardButton.Yes


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


def flow(parent: QWidget, spacing: int = TIGHT, below: int = TIGHT) -> QFlowLayout:
    """Give a widget a layout of lines without margins."""
    layout = QFlowLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setHorizontalSpacing(spacing)
    layout.setVerticalSpacing(below)
    return layout


def key_cap(button: QPushButton, key: str, side: Qt.AlignmentFlag) -> None:
    """Show a key within a button, on one side."""
    cap = QLabel(key)
    cap.setAlignment(Qt.AlignmentFlag.AlignCenter)
    set_role(cap, "key")
    inside = QHBoxLayout(button)
    is_left = side == Qt.AlignmentFlag.AlignLeft
    inside.setContentsMargins(*((4, 0, 0, 0) if is_left else (0, 0, TIGHT, 0)))
    inside.addWidget(cap, 0, side | Qt.AlignmentFlag.AlignVCenter)


def context_menu(parent: QWidget) -> QMenu:
    """Return a menu that shows tooltips, and goes when it is closed."""
    menu = QMenu(parent)
    menu.setToolTipsVisible(True)
    menu.aboutToHide.connect(menu.deleteLater)
    return menu


def turning(parent: QWidget | None = None, spacing: int = TIGHT) -> QBoxLayout:
    """Return a layout without margins whose parts stand side by side, or `along`."""
    layout = QBoxLayout(QBoxLayout.Direction.LeftToRight, parent)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    return layout


def along(dock: QWidget) -> QBoxLayout.Direction:
    """Return how parts stand: side by side in a wide dock, else below each other."""
    wide = dock.width() >= _WIDE * dock.fontMetrics().height()
    direction = QBoxLayout.Direction
    return direction.LeftToRight if wide else direction.TopToBottom


def column(parent: QWidget, spacing: int = SPACING, *parts: QWidget) -> QVBoxLayout:
    """Give a widget a vertical layout without margins, with these parts in it."""
    layout = QVBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for part in parts:
        layout.addWidget(part)
    return layout


def once(parent: QObject | None, ms: int, act: Callable[[], object]) -> QTimer:
    """Return a clock that acts once, some milliseconds after the last start."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(ms)
    timer.timeout.connect(act)
    return timer


def scrolled(content: QWidget) -> QScrollArea:
    """Return an area in which a widget of any height, but no more width, has room."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    # What is too wide is cut by itself, and does not push all else out of view.
    content.setMinimumWidth(1)
    area.setWidget(content)
    return area
