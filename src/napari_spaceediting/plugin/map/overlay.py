"""What changes quickly on the map, painted over the canvas.

A transparent widget over napari's canvas. Qt composes it with the last picture of the
canvas, which is not drawn again: a drag costs the same whatever the number of points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QLineF, QPointF, QRectF, Qt
from qtpy.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
)
from qtpy.QtWidgets import QWidget

from napari_spaceediting.plugin.map.scene import (
    MOST_MARKS,
    Arrows,
    Marks,
    Picture,
    Routes,
    Scene,
)
from napari_spaceediting.plugin.map.stamps import (
    blank,
    crowd,
    framed,
    paint_around,
    paint_discs,
    writing,
)
from napari_spaceediting.plugin.map.viewport import Viewport
from napari_spaceediting.plugin.widgets.painting import outline
from napari_spaceediting.plugin.widgets.palette import readable, to_qcolor

_QUICK = {
    "dragged",
    "carried",
    "drag_text",
    "outline",
    "hovered",
    "route",
    "gliding",
}
"""Parts of the scene that follow the pointer, or that play."""
_CARRIED_SIDE = 40
"""Least side of pictures that are dragged, in pixels."""
_MOST_ROUTES = 60
_FRAMES = 1024
"""Pictures that are kept with their frames."""
_HALF_TIP = 26.6
"""Degrees between an arrow and the sides of its head."""
_RGB = np.array([1 << 16, 1 << 8, 1])


class MapOverlay(QWidget):
    """Paints a `Scene` over napari's canvas.

    What does not follow the pointer is kept as a picture: names and thousands of marks
    take far longer to paint than what is dragged over them.

    Parameters
    ----------
    canvas : QWidget
        napari's drawing surface.
    viewport : Viewport
        Where map coordinates are on it.
    """

    def __init__(self, canvas: QWidget, viewport: Viewport) -> None:
        super().__init__(canvas)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self._viewport = viewport
        self.scene = Scene()
        self.ink = QColor("white")
        self.paper = QColor("black")
        self._kept: dict[tuple[str, float], QPixmap] = {}
        self._framed = lru_cache(_FRAMES)(framed)
        self.resize(canvas.size())
        self.show()

    def clear(self) -> None:
        """Paint nothing."""
        self.scene = Scene()
        self.paint_anew()

    def change(self, **parts: object) -> None:
        """Replace parts of the scene and paint it."""
        before, self.scene = self.scene, replace(self.scene, **parts)  # type: ignore[arg-type]
        if "selected" in parts or before.dot != self.scene.dot:
            self._kept.clear()
        elif parts.keys() - _QUICK or before.lifted != self.scene.lifted:
            self._kept = {
                key: kept for key, kept in self._kept.items() if key[0] == "crowd"
            }
        self.update()

    def paint_anew(self) -> None:
        """Paint all of the scene: it lies elsewhere on the canvas, or looks new."""
        self._kept.clear()
        self.update()

    def writing(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the middles of names on the map, and half their heights and widths."""
        sizes = self._name_sizes()
        middles = self._viewport.to_map(self._name_middles(sizes))
        return middles, sizes[:, ::-1] / 2

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit the scene to the new size."""
        self.paint_anew()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint what stays, and what follows the pointer over it."""
        scene = self.scene
        painter = _smooth(QPainter(self))
        if len(scene.gliding.places):
            points = self._viewport.to_canvas(scene.gliding.places)
            paint_discs(painter, points, scene.gliding.colours, scene.dot, self.paper)
            self._plate(painter, scene.past, self.width() / 2, 0)
            painter.end()
            return
        self._paint_kept(painter, "still", self._paint_still)
        if not scene.past:
            self._routes(painter, scene.route)
        self._outline(painter)
        self._lines(painter, scene.dragged, 1.5, 0.9, dots=True)
        self._pictures(painter, scene.carried, max(scene.side, _CARRIED_SIDE))
        if scene.hovered is not None:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self.ink, 2))
            painter.drawEllipse(self._points(scene.hovered[None])[0], 8, 8)
        if len(scene.dragged.ends):
            ends = self._viewport.to_canvas(scene.dragged.ends)
            top = ends[:, 1].min() - 16
            if scene.carried:
                top -= max(scene.side, _CARRIED_SIDE) / 2
            self._plate(painter, scene.drag_text, ends[:, 0].mean(), top)
        self._plate(painter, scene.past, self.width() / 2, 0)
        painter.end()

    def _paint_kept(
        self, painter: QPainter, name: str, paint: Callable[[QPainter], None]
    ) -> None:
        """Paint a part that is kept until it is forgotten."""
        ratio = self.devicePixelRatioF()
        kept = self._kept.get((name, ratio))
        if kept is None:
            size = self.size() * ratio
            kept = blank(size.width(), size.height(), ratio)
            within = _smooth(QPainter(kept))
            paint(within)
            within.end()
            self._kept[name, ratio] = kept
        painter.drawPixmap(0, 0, kept)

    def _paint_still(self, painter: QPainter) -> None:
        scene = self.scene
        many = len(scene.selected.places) > MOST_MARKS
        if many:
            # Kept while only thumbnails change over it.
            self._paint_kept(painter, "crowd", self._paint_crowd)
        painter.setPen(QPen(_thin(self.ink, 0.5), 1))
        for line in scene.contours:
            painter.drawPolyline(QPolygonF(self._points(line)))
        self._lines(painter, scene.trails, 1.0, 0.5, dots=False)
        lifted = scene.lifted
        settled = [p for p in scene.pictures if p.image not in lifted]
        self._pictures(painter, settled, scene.side)
        self._lines(painter, scene.edited, 1.5, 0.85, dots=True)
        self._rings(painter, scene.pinned, scene.dot)
        if not many:
            self._rings(painter, scene.selected, 1.2 * scene.dot)
        self._names(painter)
        if not scene.past:
            self._lines(painter, scene.proposal, 3.0, 1.0, dots=True)

    def _points(self, places: NDArray[np.floating]) -> list[QPointF]:
        return [QPointF(x, y) for x, y in self._viewport.to_canvas(places).tolist()]

    def _rings(self, painter: QPainter, marks: Marks, radius: float) -> None:
        """Paint discs with a ring around each."""
        points = self._viewport.to_canvas(marks.places)
        paint_discs(painter, points, marks.colours, radius, self.ink)

    def _paint_crowd(self, painter: QPainter) -> None:
        """Paint any number of discs."""
        ratio, marks = self.devicePixelRatioF(), self.scene.selected
        points = self._viewport.to_canvas(marks.places) * ratio
        size = round(ratio * self.width()), round(ratio * self.height())
        image = crowd(points, marks.colours, ratio * 0.6 * self.scene.dot, size)
        image.setDevicePixelRatio(ratio)
        painter.drawImage(0, 0, image)

    def _lines(
        self, painter: QPainter, arrows: Arrows, width: float, alpha: float, dots: bool
    ) -> None:
        if not len(arrows.starts):
            return
        if len(arrows.starts) > 40:
            alpha *= 0.4
        starts, ends = map(self._viewport.to_canvas, (arrows.starts, arrows.ends))
        ways = np.hstack([starts, ends])
        shades = np.round(255 * arrows.colours[:, :3]).astype(np.int64) @ _RGB
        for kind in np.unique(shades):
            painter.setPen(QPen(_thin(QColor.fromRgb(int(kind)), alpha), width))
            lines = ways[shades == kind].tolist()
            painter.drawLines([QLineF(*line) for line in lines])  # type: ignore[call-overload]
        if dots:
            marks = Marks(arrows.ends, arrows.colours)
            self._rings(painter, marks, self.scene.dot * (1 + width / 10))

    def _routes(self, painter: QPainter, routes: Routes) -> None:
        """Paint ways, the one looked at over the others, with a dot for each step."""
        if not len(routes.paths):
            return
        shade = to_qcolor(routes.colour[:3].tolist())
        if len(routes.paths) <= _MOST_ROUTES:
            painter.setPen(QPen(_thin(shade, 0.35), 1.2))
            for number, path in enumerate(routes.paths):
                if number != routes.at:
                    painter.drawPolyline(QPolygonF(self._points(path)))
        points = self._points(routes.paths[routes.at])
        tip = _arrow_head(points, length=4 * self.scene.dot)
        for ink, width in ((self.paper, 6.0), (shade, 2.5)):
            painter.setPen(outline(ink, width))
            painter.drawPolyline(QPolygonF(points))
            painter.setBrush(ink)
            painter.drawPolygon(tip)
        painter.setPen(QPen(self.paper, 1))
        for point in points[:-1]:
            painter.drawEllipse(point, 0.9 * self.scene.dot, 0.9 * self.scene.dot)
        radius = 1.5 * self.scene.dot + 2
        for ink, width in ((self.paper, 5.0), (self.ink, 2.0)):
            painter.setPen(QPen(ink, width))
            painter.setBrush(shade if ink is self.ink else Qt.BrushStyle.NoBrush)
            painter.drawEllipse(points[routes.step], radius, radius)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _pictures(
        self, painter: QPainter, pictures: Sequence[Picture], side: int
    ) -> None:
        """Paint thumbnails, the first one on top."""
        if not pictures:
            return
        middles = self._points(np.array([picture.place for picture in pictures]))
        for picture, middle in zip(reversed(pictures), reversed(middles), strict=True):
            shade = tuple(np.round(255 * picture.colour[:3]).astype(int).tolist())
            stamp = self._framed(picture.pixmap, shade, side, self.devicePixelRatioF())
            paint_around(painter, middle, stamp)

    def _name_font(self) -> QFont:
        font = QFont(self.font())
        font.setBold(True)
        return font

    def _name_sizes(self) -> NDArray[np.float64]:
        """Return (m, 2) widths and heights of the names, with a little air."""
        metrics = QFontMetricsF(self._name_font())
        height = metrics.capHeight() + 8
        sizes = [
            (metrics.horizontalAdvance(text) + 8, height)
            for text, _, _ in self.scene.names
        ]
        return np.reshape(sizes, (-1, 2))

    def _name_middles(self, sizes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (m, 2) pixels of the names; some stand lower, so that all are read."""
        places = np.reshape([place for _, place, _ in self.scene.names], (-1, 2))
        middles = self._viewport.to_canvas(places)
        order = np.argsort(middles[:, 1], kind="stable")
        for number, at in enumerate(order):
            for other in order[:number]:
                offset = np.abs(middles[at] - middles[other])
                if (offset < (sizes[at] + sizes[other]) / 2).all():
                    middles[at, 1] = middles[other, 1] + sizes[other, 1]
        # What stands for a place in view is read whole.
        width, air = self.width(), sizes[:, 0] / 2
        seen = (middles[:, 0] >= 0) & (middles[:, 0] <= width) & (2 * air < width)
        middles[seen, 0] = np.clip(middles[:, 0], air, width - air)[seen]
        return middles

    def _names(self, painter: QPainter) -> None:
        face, paper = self._name_font().toString(), self.paper
        middles = self._name_middles(self._name_sizes()).tolist()
        for (text, _, colour), middle in zip(self.scene.names, middles, strict=True):
            shade = readable(to_qcolor(colour[:3].tolist()).name(), paper.name())
            ink, ratio = QColor(shade).rgba(), self.devicePixelRatioF()
            stamp = writing(text, face, ink, paper.rgba(), ratio)
            paint_around(painter, QPointF(*middle), stamp)

    def _outline(self, painter: QPainter) -> None:
        if len(self.scene.outline) < 2:
            return
        painter.setBrush(_thin(self.ink, 0.08))
        painter.setPen(QPen(self.ink, 1.5, Qt.PenStyle.DashLine))
        painter.drawPolygon(QPolygonF(self._points(self.scene.outline)))
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _plate(
        self, painter: QPainter, text: str, middle: float, bottom: float
    ) -> None:
        """Paint writing, if any, in a plate above a place, within the canvas."""
        if not text:
            return
        font = self._name_font()
        metrics = QFontMetricsF(font)
        width = metrics.horizontalAdvance(text) + 20
        height = metrics.height() + 10
        x = float(np.clip(middle - width / 2, 4, self.width() - width - 4))
        y = float(np.clip(bottom - height, 4, self.height() - height - 4))
        plate = QRectF(x, y, width, height)
        painter.setBrush(_thin(self.paper, 0.88))
        painter.setPen(QPen(self.ink, 1))
        painter.drawRoundedRect(plate, 6, 6)
        painter.setFont(font)
        painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, text)
        painter.setBrush(Qt.BrushStyle.NoBrush)


def _arrow_head(points: list[QPointF], length: float) -> QPolygonF:
    """Return a triangle at the end of a way, in the direction in which it came."""
    tip = points[-1]
    sides = [QLineF(tip, point) for point in points]
    sides = [side for side in sides if side.length() > length / 4]
    if not sides:
        return QPolygonF()
    side, angle, corners = sides[-1], sides[-1].angle(), [tip]
    side.setLength(1.12 * length)
    for turn in (-_HALF_TIP, _HALF_TIP):
        side.setAngle(angle + turn)
        corners.append(side.p2())
    return QPolygonF(corners)


def _smooth(painter: QPainter) -> QPainter:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    return painter


def _thin(colour: QColor, alpha: float) -> QColor:
    """Return a colour at an opacity."""
    thin = QColor(colour)
    thin.setAlphaF(alpha)
    return thin
