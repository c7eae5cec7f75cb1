"""The classes with their colours and counts; each can be hidden or isolated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QContextMenuEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from qtpy.QtWidgets import (
    QFrame,
    QLineEdit,
    QMenu,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from napari_spaceediting.plugin.widgets.painting import apply_font, outline
from napari_spaceediting.plugin.widgets.palette import Palette, to_qcolor

_FILTER_ABOVE = 12
_COLUMN = 10
"""Least width of a chip, in heights of a line."""


class ClassLegend(QWidget):
    """Chips of the classes in aligned columns.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    toggled = Signal(int, bool)
    """Class and whether it is visible now."""
    isolated = Signal(int)
    """The only class to be visible from now on, or -1 for all."""
    select_requested = Signal(int)
    """Class whose images are to be selected."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._filter = QLineEdit()
        self._filter.setClearButtonEnabled(True)
        self._filter.setTextMargins(4, 0, 4, 0)
        self._filter.setToolTip("Show only classes whose name holds this text")
        self._filter.setAccessibleName("Filter classes")
        self._filter.textChanged.connect(self._on_filter)
        self._show_all = QPushButton("Show all classes")
        self._show_all.setToolTip("Make every class visible again")
        self._show_all.clicked.connect(lambda: self._isolate(-1))
        self._chips = _Chips(palette, self)
        self._chips.toggle_requested.connect(self._toggle)
        self._chips.isolate_requested.connect(self._isolate)
        self._chips.menu_requested.connect(self._open_menu)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self._chips)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._filter)
        layout.addWidget(self._scroll, 1)
        layout.addWidget(self._show_all)
        self.set_classes([], np.empty((0, 4)), [])
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._chips.set_theme(palette)

    def set_classes(
        self, names: Sequence[str], colours: ArrayLike, counts: ArrayLike
    ) -> None:
        """Show these classes, all visible.

        Parameters
        ----------
        names : sequence of str
            C names.
        colours : (C, 4) array_like
            RGBA, 0 to 1.
        counts : (C,) array_like of int
            Images of each class.
        """
        self._chips.names = tuple(names)
        self._chips.colours = np.asarray(colours, np.float32).reshape(len(names), 4)
        self._chips.counts = np.asarray(counts, np.int64).reshape(len(names))
        self._chips.visible = np.ones(len(names), bool)
        self._filter.setVisible(len(names) > _FILTER_ABOVE)
        self._filter.setPlaceholderText(f"Filter {len(names):,} classes")
        self._filter.clear()
        self._on_filter("")
        self._update_show_all()

    def set_counts(self, counts: ArrayLike) -> None:
        """Show new (C,) counts of images."""
        self._chips.counts = np.asarray(counts, np.int64)
        self._chips.update()

    def set_visible_classes(self, visible: ArrayLike) -> None:
        """Show which of the (C,) classes are visible; emits nothing."""
        self._chips.visible = np.array(visible, bool)
        self._chips.update()
        self._update_show_all()

    @property
    def visible_classes(self) -> NDArray[np.bool_]:
        """Which of the (C,) classes are visible."""
        return self._chips.visible.copy()

    def _toggle(self, index: int) -> None:
        visible = not self._chips.visible[index]
        self._chips.visible[index] = visible
        self._chips.update()
        self._update_show_all()
        self.toggled.emit(index, bool(visible))

    def _isolate(self, index: int) -> None:
        visible = self._chips.visible
        only = index >= 0 and visible[index] and visible.sum() == 1
        # To isolate the only visible class again brings the others back.
        self._chips.visible = (
            np.ones(len(visible), bool)
            if only or index < 0
            else np.arange(len(visible)) == index
        )
        self._chips.update()
        self._update_show_all()
        self.isolated.emit(-1 if only else index)

    def _open_menu(self, index: int, place: QPoint) -> None:
        """Offer by name what can be done with a class."""
        visible = bool(self._chips.visible[index])
        alone = visible and self._chips.visible.sum() == 1
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.aboutToHide.connect(menu.deleteLater)
        select = menu.addAction(
            "Select its images", lambda: self.select_requested.emit(index)
        )
        select.setEnabled(visible)
        select.setToolTip("" if visible else "They are hidden: show them first")
        menu.addAction(
            "Show all classes" if alone else "Show it alone",
            lambda: self._isolate(index),
        )
        menu.addAction("Hide" if visible else "Show", lambda: self._toggle(index))
        menu.popup(place)

    def _on_filter(self, text: str) -> None:
        wanted = text.casefold().strip()
        self._chips.set_shown(
            [i for i, n in enumerate(self._chips.names) if wanted in n.casefold()]
        )

    def _update_show_all(self) -> None:
        self._show_all.setVisible(not self._chips.visible.all())


class _Chips(QWidget):
    """The painted chips; a click asks to toggle, Alt or double-click to isolate."""

    toggle_requested = Signal(int)
    isolate_requested = Signal(int)
    menu_requested = Signal(int, QPoint)
    """Class, and the place on the screen."""

    def __init__(self, palette: Palette, parent: QWidget) -> None:
        super().__init__(parent)
        self.names: tuple[str, ...] = ()
        self.colours = np.empty((0, 4), np.float32)
        self.counts = np.empty(0, np.int64)
        self.visible = np.empty(0, bool)
        self._shown: list[int] = []
        self._hovered = -1
        self._current = -1
        # A double-click begins with a click, whose toggle it takes back.
        self._toggled_by_press = -1
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Classes")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        self._palette = palette
        apply_font(self, palette)
        self._fit()

    def set_shown(self, shown: list[int]) -> None:
        self._shown = shown
        self._current = min(self._current, len(shown) - 1)
        self._hovered = -1
        self._fit()

    def _columns(self) -> int:
        return max(1, self.width() // self._chip_width())

    def _chip_width(self) -> int:
        """Return what the longest name needs, within reason."""
        metrics = self.fontMetrics()
        longest = max(map(metrics.horizontalAdvance, self.names), default=0)
        count = metrics.horizontalAdvance(f"{self.counts.max(initial=0):,}")
        em = metrics.height()
        return max(_COLUMN * em, min(longest, 16 * em) + count + round(2.6 * em))

    def _pitch(self) -> int:
        return round(self.fontMetrics().height() * 1.5)

    def _fit(self) -> None:
        rows = -(-len(self._shown) // self._columns())
        self.setFixedHeight(max(1, rows) * self._pitch())
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(2 * _COLUMN * self.fontMetrics().height(), self.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(_COLUMN * self.fontMetrics().height() // 2, self.height())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        self._fit()
        super().resizeEvent(event)

    def chip_rect(self, place: int) -> QRect:
        columns = self._columns()
        row, column = divmod(place, columns)
        width = self.width() / columns
        left = round(column * width)
        return QRect(
            left, row * self._pitch(), round((column + 1) * width) - left, self._pitch()
        )

    def _place_at(self, point: QPoint) -> int:
        for place in range(len(self._shown)):
            if self.chip_rect(place).contains(point):
                return place
        return -1

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        em = self.fontMetrics().height()
        if not self._shown:
            painter.setPen(to_qcolor(self._palette.muted))
            text = "No class has this in its name." if self.names else "No classes."
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, text)
        for place, index in enumerate(self._shown):
            self._paint_chip(painter, self.chip_rect(place), place, index, em)

    def _paint_chip(
        self, painter: QPainter, rect: QRect, place: int, index: int, em: int
    ) -> None:
        inner = QRectF(rect).adjusted(1, 1, -3, -1)
        if place == self._hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(to_qcolor(self._palette.foreground))
            painter.drawRoundedRect(inner, 4, 4)
        if place == self._current and self.hasFocus():
            painter.setPen(outline(to_qcolor(self._palette.text), 1.2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(inner, 4, 4)
        visible = bool(self.visible[index])
        colour = to_qcolor(tuple(self.colours[index]))
        radius = em * 0.32
        middle = QPointF(inner.left() + em * 0.6, inner.center().y())
        painter.setPen(outline(colour, 1.5))
        painter.setBrush(colour if visible else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(middle, radius, radius)
        count = f"{self.counts[index]:,}"
        count_width = self.fontMetrics().horizontalAdvance(count) + 2
        left = inner.left() + em * 1.25
        name_width = round(inner.right() - em * 0.4 - count_width - em * 0.4 - left)
        painter.setPen(
            to_qcolor(self._palette.text if visible else self._palette.muted)
        )
        font = self.font()
        font.setStrikeOut(not visible)
        painter.setFont(font)
        name = self.fontMetrics().elidedText(
            self.names[index], Qt.TextElideMode.ElideRight, name_width
        )
        line = QRectF(left, inner.top(), name_width, inner.height())
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, name)
        painter.setFont(self.font())
        painter.setPen(to_qcolor(self._palette.muted))
        painter.drawText(
            QRectF(
                inner.right() - em * 0.4 - count_width,
                inner.top(),
                count_width,
                inner.height(),
            ),
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight,
            count,
        )

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        place = self._place_at(event.position().toPoint())
        self._toggled_by_press = -1
        if place < 0:
            return
        self._current = place
        index = self._shown[place]
        if event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self.isolate_requested.emit(index)
        else:
            self._toggled_by_press = index
            self.toggle_requested.emit(index)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        place = self._place_at(event.position().toPoint())
        if place < 0:
            return
        index = self._shown[place]
        if self._toggled_by_press == index:
            self.visible[index] = not self.visible[index]
        self._toggled_by_press = -1
        self.isolate_requested.emit(index)

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:
        if event is None:
            return
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        place = self._current if by_key else self._place_at(event.pos())
        if place >= 0:
            middle = self.chip_rect(place).center()
            at = self.mapToGlobal(middle) if by_key else event.globalPos()
            self.menu_requested.emit(self._shown[place], at)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        if event is not None:
            self._hover(self._place_at(event.position().toPoint()))

    def leaveEvent(self, event: QEvent | None) -> None:
        self._hover(-1)
        super().leaveEvent(event)

    def _hover(self, place: int) -> None:
        if place != self._hovered:
            self._hovered = place
            self.update()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None or not self._shown:
            return
        steps = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -self._columns(),
            Qt.Key.Key_Down: self._columns(),
        }
        step = steps.get(Qt.Key(event.key()))
        if step is not None:
            last = len(self._shown) - 1
            self._current = (
                0 if self._current < 0 else min(max(self._current + step, 0), last)
            )
            self._reveal()
            self.update()
        elif event.key() == Qt.Key.Key_Space and self._current >= 0:
            self.toggle_requested.emit(self._shown[self._current])
        elif (
            event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._current >= 0
        ):
            self.isolate_requested.emit(self._shown[self._current])
        else:
            super().keyPressEvent(event)

    def _reveal(self) -> None:
        widget = self.parentWidget()
        while widget is not None and not isinstance(widget, QScrollArea):
            widget = widget.parentWidget()
        if widget is not None:
            centre = self.chip_rect(self._current).center()
            widget.ensureVisible(centre.x(), centre.y(), 0, self._pitch())

    def event(self, event: QEvent | None) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            place = self._place_at(event.pos())
            text = self.describe(self._shown[place]) if place >= 0 else ""
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def describe(self, index: int) -> str:
        act = "hide" if self.visible[index] else "show"
        return (
            f"{self.names[index]}: {self.counts[index]:,} images.\n"
            f"Click to {act} it, Alt-click or double-click to see it alone, "
            "right-click to select its images."
        )
