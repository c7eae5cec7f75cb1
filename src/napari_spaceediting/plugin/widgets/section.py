"""Titles that fold away what is below them: steps of the dock, and what is rare."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPolygonF
from qtpy.QtWidgets import QAbstractButton, QFrame, QSizePolicy, QVBoxLayout, QWidget

from napari_spaceediting.plugin.widgets.controls import column
from napari_spaceediting.plugin.widgets.painting import (
    apply_font,
    bold,
    outline,
    paint_plate,
    smaller,
    write,
)
from napari_spaceediting.plugin.widgets.palette import Colour, Palette, to_qcolor

TODO, ACTIVE, DONE = "todo", "active", "done"
_DOWN = (-0.22, -0.1), (0.0, 0.12), (0.22, -0.1)
_RIGHT = tuple((y, x) for x, y in _DOWN)
_TICK = (-0.26, 0.02), (-0.06, 0.22), (0.28, -0.2)
"""Corners of lines, in heights of a line of text."""


class _Fold(QAbstractButton):
    """A painted line that shows and hides a widget below it."""

    _HEIGHT = 1.6
    """In heights of a line of text."""

    def __init__(self, title: str, palette: Palette, content: QWidget) -> None:
        super().__init__()
        self.setText(title)
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.toggled.connect(content.setVisible)
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        apply_font(self, palette)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        """Ask for a line of text."""
        em = self.fontMetrics().height()
        return QSize(8 * em, round(self._HEIGHT * em))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        lit = self.underMouse() or self.hasFocus()
        self._paint(painter, QRectF(self.rect()), self.fontMetrics().height(), lit)

    def _paint(self, painter: QPainter, rect: QRectF, em: int, lit: bool) -> None:
        raise NotImplementedError

    def _paint_chevron(self, painter: QPainter, x: float, colour: Colour) -> None:
        corners = _DOWN if self.isChecked() else _RIGHT
        self._paint_line(painter, x, corners, colour)

    def _paint_line(
        self,
        painter: QPainter,
        x: float,
        corners: tuple[tuple[float, float], ...],
        colour: Colour,
    ) -> None:
        em = self.fontMetrics().height()
        centre = QPointF(x, self.height() / 2)
        painter.setPen(outline(to_qcolor(colour), em * 0.11))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        points = [centre + QPointF(dx * em, dy * em) for dx, dy in corners]
        painter.drawPolyline(QPolygonF(points))


class Disclosure(_Fold):
    """A line with a chevron that shows and hides a widget below it.

    Parameters
    ----------
    title : str
        What is hidden.
    palette : Palette
        Colours of the theme.
    content : QWidget
        The widget that is shown and hidden.
    tip : str
        Tooltip.
    """

    def __init__(
        self, title: str, palette: Palette, content: QWidget, tip: str
    ) -> None:
        super().__init__(title, palette, content)
        self.setToolTip(tip)
        content.hide()

    def _paint(self, painter: QPainter, rect: QRectF, em: int, lit: bool) -> None:
        colour = self._palette.text if lit else self._palette.muted
        self._paint_chevron(painter, em * 0.36, colour)
        write(painter, rect.adjusted(em * 0.95, 0, 0, 0), self.text(), colour)


class Section(QFrame):
    """A number, a title and a status over a body that folds.

    Parameters
    ----------
    number : int
        Of the step.
    title : str
        Of the step.
    palette : Palette
        Colours of the theme.
    """

    def __init__(self, number: int, title: str, palette: Palette) -> None:
        super().__init__()
        self.body = QWidget(self)
        self._header = _Header(number, title, palette, self.body)
        self._inside = QVBoxLayout(self.body)
        self._inside.setSpacing(6)
        layout = column(self, 0)
        layout.addWidget(self._header)
        layout.addWidget(self.body)
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._header.set_theme(palette)
        indent = round(self._header.fontMetrics().height() * 0.5)
        self._inside.setContentsMargins(indent, 2, indent, indent)

    def add(self, widget: QWidget) -> None:
        """Add a widget to the body."""
        self._inside.addWidget(widget)

    def set_status(self, text: str, state: str = TODO) -> None:
        """Say in a few words how the step stands.

        Parameters
        ----------
        text : str
            Such as "2,000 images, 10 classes".
        state : str
            "todo", "active" (the step to do now) or "done".
        """
        header = self._header
        header.status, header.state = text, state
        header.setAccessibleDescription(f"{state}: {text}")
        said = f"{header.text()}: {text}\n" if text else ""
        header.setToolTip(f"{said}Click to fold or unfold")
        header.update()

    def set_open(self, is_open: bool) -> None:
        """Unfold or fold the body."""
        self._header.setChecked(is_open)

    @property
    def is_open(self) -> bool:
        """Whether the body is unfolded."""
        return self._header.isChecked()


class _Header(_Fold):
    """The line on top of a section."""

    _HEIGHT = 2.1

    def __init__(
        self, number: int, title: str, palette: Palette, content: QWidget
    ) -> None:
        super().__init__(title, palette, content)
        self._number = number
        self.status, self.state = "", TODO
        self.setChecked(True)
        self.setToolTip("Click to fold or unfold")
        self.setAccessibleName(f"{number}. {title}")

    def _paint(self, painter: QPainter, rect: QRectF, em: int, lit: bool) -> None:
        palette = self._palette
        painter.fillRect(rect, to_qcolor(palette.background))
        painter.setPen(outline(to_qcolor(palette.line), 1))
        painter.drawLine(QPointF(0, 0.5), QPointF(rect.width(), 0.5))
        if lit:
            paint_plate(painter, rect.adjusted(0, 2, 0, -1), palette.foreground)
        self._paint_number(painter, rect.center().y(), em)
        painter.setFont(bold(self.font()))
        rect.adjust(em * 2.2, 0, -em * 1.5, 0)
        quiet = self.state == TODO
        write(painter, rect, self.text(), palette.muted if quiet else palette.text)
        width = painter.fontMetrics().horizontalAdvance(self.text())
        painter.setFont(self.font())
        rect.adjust(width + em * 0.8, 0, 0, 0)
        write(painter, rect, self.status, palette.muted, Qt.AlignmentFlag.AlignRight)
        self._paint_chevron(painter, self.width() - em * 0.75, palette.icon)

    def _paint_number(self, painter: QPainter, middle: float, em: int) -> None:
        palette, radius = self._palette, em * 0.62
        fill = {
            TODO: palette.foreground,
            ACTIVE: palette.current,
            DONE: palette.primary,
        }[self.state]
        place = QRectF(em * 1.1 - radius, middle - radius, 2 * radius, 2 * radius)
        paint_plate(painter, place, fill, radius)
        if self.state == DONE:
            self._paint_line(painter, em * 1.1, _TICK, palette.text)
            return
        painter.setFont(bold(smaller(self.font())))
        colour = palette.text if self.state == ACTIVE else palette.muted
        painter.setPen(to_qcolor(colour))
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, str(self._number))
