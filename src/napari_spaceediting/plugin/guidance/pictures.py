"""The images of a proposal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_spaceediting.plugin.widgets.painting import apply_font, rounded_pixmap
from napari_spaceediting.plugin.widgets.palette import Palette, to_qcolor


class Pictures(QWidget):
    """The images of a proposal in even rows; a single one is shown larger."""

    clicked = Signal(int)
    """Position of an image of a group."""

    _GAP = 4
    _IN_ONE_ROW = 5
    _FAINT = 0.2
    """Opacity of what is left out."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self._thumbnails: NDArray[np.uint8] = np.empty((0, 1, 1, 3), np.uint8)
        self._left_out: frozenset[int] = frozenset()
        self.setAccessibleName("Images of the proposal")
        self.set_theme(palette)

    @property
    def is_single(self) -> bool:
        """Whether there is only one."""
        return len(self._thumbnails) == 1

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        apply_font(self, palette)
        self._fit()

    @property
    def numbers(self) -> list[str]:
        """The keys of the images: 1 for the first, to 9; none for a single image."""
        count = len(self._thumbnails)
        return [] if self.is_single else [str(n + 1) for n in range(min(count, 9))]

    def show_pictures(
        self, thumbnails: NDArray[np.uint8] | None, left_out: frozenset[int]
    ) -> None:
        """Show (n, h, w, 3) uint8 images; those left out are faint."""
        self._thumbnails = self._thumbnails[:0] if thumbnails is None else thumbnails
        self._left_out = left_out
        self.setToolTip(
            ""
            if self.is_single
            else f"Leave out by a click, or by the keys 1 to {len(self._thumbnails)}"
        )
        self.setVisible(len(self._thumbnails) > 0)
        self.setSizePolicy(
            QSizePolicy.Policy.Fixed
            if self.is_single
            else QSizePolicy.Policy.Expanding,
            QSizePolicy.Policy.Fixed,
        )
        self._fit()

    def _layout(self) -> tuple[int, int, int]:
        """Return the number of rows and of pictures in each, and their side."""
        em = self.fontMetrics().height()
        count = max(len(self._thumbnails), 1)
        if count == 1:
            return 1, 1, round(5.4 * em)
        rows = 1 if count <= self._IN_ONE_ROW else 2
        most = max(1, (self.width() + self._GAP) // (round(2.6 * em) + self._GAP))
        per_row = min(-(-count // rows), most)
        room = (self.width() + self._GAP) // per_row - self._GAP
        return rows, per_row, min(room, round(4.2 * em))

    def _fit(self) -> None:
        rows, _, side = self._layout()
        self.setFixedHeight(rows * (side + self._GAP) - self._GAP)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Ask for the room of the pictures."""
        return QSize(self._layout()[2], self.height())

    def minimumSizeHint(self) -> QSize:
        """Ask for the same."""
        return self.sizeHint()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit the pictures to the new width."""
        super().resizeEvent(event)
        self._fit()

    def _places(self) -> list[QRectF]:
        """Return where the images go that there is room for."""
        rows, per_row, side = self._layout()
        count, room = len(self._thumbnails), rows * per_row
        shown = count if count <= room else room - 1
        pitch = side + self._GAP
        places = (divmod(place, per_row) for place in range(shown))
        return [QRectF(at * pitch, line * pitch, side, side) for line, at in places]

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Tell which picture is clicked."""
        if event is None or self.is_single:
            return
        for place, rect in enumerate(self._places()):
            if rect.contains(event.position()):
                self.clicked.emit(place)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the pictures, and how many more there are."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        places = self._places()
        for place, rect in enumerate(places):
            left_out = place in self._left_out
            painter.setOpacity(self._FAINT if left_out else 1)
            pixmap = rounded_pixmap(
                self._thumbnails[place], int(rect.width()), 4, self.devicePixelRatioF()
            )
            painter.drawPixmap(rect.topLeft(), pixmap)
            if left_out:
                painter.setOpacity(1)
                painter.setPen(QPen(to_qcolor(self._palette.text), 2))
                inset = rect.width() / 3
                cross = rect.adjusted(inset, inset, -inset, -inset)
                painter.drawLine(cross.topLeft(), cross.bottomRight())
                painter.drawLine(cross.topRight(), cross.bottomLeft())
        hidden = len(self._thumbnails) - len(places)
        if hidden:
            _, per_row, side = self._layout()
            line, at = divmod(len(places), per_row)
            pitch = side + self._GAP
            painter.setPen(to_qcolor(self._palette.muted))
            painter.drawText(
                QRectF(at * pitch, line * pitch, side, side),
                Qt.AlignmentFlag.AlignCenter,
                f"+{hidden}",
            )
