"""A titled step of the dock that can be folded away."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QEnterEvent, QPainter, QPaintEvent, QPolygonF
from qtpy.QtWidgets import (
    QAbstractButton,
    QFrame,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_spaceediting.plugin.widgets.painting import (
    apply_font,
    bold,
    outline,
    smaller,
)
from napari_spaceediting.plugin.widgets.palette import Palette, to_qcolor

TODO, ACTIVE, DONE = "todo", "active", "done"


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
    parent : QWidget, optional
        Qt parent.
    """

    toggled = Signal(bool)
    """Whether the body is open, after the user folded or unfolded it."""

    def __init__(
        self,
        number: int,
        title: str,
        palette: Palette,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._header = _Header(number, title, palette, self)
        self._header.clicked.connect(self._on_click)
        self.body = QWidget(self)
        self.body_layout = QVBoxLayout(self.body)
        self.body_layout.setSpacing(6)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._header)
        layout.addWidget(self.body)
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._header.set_theme(palette)
        indent = round(self._header.fontMetrics().height() * 0.5)
        self.body_layout.setContentsMargins(indent, 2, indent, indent)

    def add(self, widget: QWidget) -> None:
        """Add a widget to the body."""
        self.body_layout.addWidget(widget)

    def set_status(self, text: str, state: str = TODO) -> None:
        """Say in a few words how the step stands.

        Parameters
        ----------
        text : str
            Such as "2,000 images, 10 classes".
        state : str
            "todo", "active" (the step to do now) or "done".
        """
        self._header.status, self._header.state = text, state
        self._header.setAccessibleDescription(f"{state}: {text}")
        self._header.setToolTip(
            f"{self._header.title}: {text}\nClick to fold or unfold"
            if text
            else "Click to fold or unfold"
        )
        self._header.update()

    def set_open(self, is_open: bool) -> None:
        """Unfold or fold the body; emits nothing."""
        self._header.setChecked(is_open)
        self.body.setVisible(is_open)

    @property
    def is_open(self) -> bool:
        """Whether the body is unfolded."""
        return self._header.isChecked()

    def _on_click(self) -> None:
        self.body.setVisible(self.is_open)
        self.toggled.emit(self.is_open)


class _Header(QAbstractButton):
    """The painted line on top of a section."""

    def __init__(
        self, number: int, title: str, palette: Palette, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._number = number
        self.title = title
        self.status = ""
        self.state = TODO
        self.setCheckable(True)
        self.setChecked(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip("Click to fold or unfold")
        self.setAccessibleName(f"{number}. {title}")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_theme(palette)

    def set_theme(self, palette: Palette) -> None:
        self._palette = palette
        apply_font(self, palette)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        em = self.fontMetrics().height()
        return QSize(18 * em, round(2.1 * em))

    def minimumSizeHint(self) -> QSize:
        return QSize(8 * self.fontMetrics().height(), self.sizeHint().height())

    def enterEvent(self, event: QEnterEvent | None) -> None:
        super().enterEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        em = self.fontMetrics().height()
        rect = QRectF(self.rect())
        middle = rect.center().y()
        painter.fillRect(rect, to_qcolor(self._palette.background))
        painter.setPen(outline(to_qcolor(self._palette.line), 1))
        painter.drawLine(QPointF(0, 0.5), QPointF(rect.width(), 0.5))
        if self.underMouse() or self.hasFocus():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(to_qcolor(self._palette.foreground))
            painter.drawRoundedRect(rect.adjusted(0, 2, 0, -1), 4, 4)
        self._paint_number(painter, QPointF(em * 1.1, middle), em)
        left = em * 2.2
        painter.setFont(bold(self.font()))
        painter.setPen(
            to_qcolor(self._palette.muted)
            if self.state == TODO
            else to_qcolor(self._palette.text)
        )
        title_width = painter.fontMetrics().horizontalAdvance(self.title) + 2
        painter.drawText(
            QRectF(left, 0, title_width, rect.height()),
            Qt.AlignmentFlag.AlignVCenter,
            self.title,
        )
        right = rect.right() - em * 1.5
        room = round(right - left - title_width - em * 0.8)
        painter.setFont(self.font())
        painter.setPen(to_qcolor(self._palette.muted))
        status = self.fontMetrics().elidedText(
            self.status, Qt.TextElideMode.ElideRight, max(room, 0)
        )
        painter.drawText(
            QRectF(right - room, 0, room, rect.height()),
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight,
            status,
        )
        self._paint_chevron(painter, QPointF(rect.right() - em * 0.75, middle), em)

    def _paint_number(self, painter: QPainter, centre: QPointF, em: int) -> None:
        radius = em * 0.62
        fill = {
            TODO: self._palette.foreground,
            ACTIVE: self._palette.current,
            DONE: self._palette.primary,
        }[self.state]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(to_qcolor(fill))
        painter.drawEllipse(centre, radius, radius)
        if self.state == DONE:
            tick = [(-0.26, 0.02), (-0.06, 0.22), (0.28, -0.2)]
            painter.setPen(outline(to_qcolor(self._palette.text), em * 0.13))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPolyline(
                QPolygonF([centre + QPointF(x * em, y * em) for x, y in tick])
            )
            return
        painter.setFont(bold(smaller(self.font())))
        painter.setPen(
            to_qcolor(
                self._palette.text if self.state == ACTIVE else self._palette.muted
            )
        )
        box = QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(self._number))

    def _paint_chevron(self, painter: QPainter, centre: QPointF, em: int) -> None:
        down = [(-0.24, -0.11), (0.0, 0.13), (0.24, -0.11)]
        points = down if self.isChecked() else [(y, x) for x, y in down]
        painter.setPen(outline(to_qcolor(self._palette.icon), em * 0.11))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(
            QPolygonF([centre + QPointF(x * em, y * em) for x, y in points])
        )
