"""What changes quickly on the map, painted over the canvas.

A transparent widget over napari's canvas. Qt composes it with the last picture of the
canvas, which is not drawn again: a drag costs the same whatever the number of points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

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

from napari_spaceediting.plugin.map.fading import Fading
from napari_spaceediting.plugin.map.stamps import (
    Frames,
    blank,
    crowd,
    paint_discs,
    paint_text,
)
from napari_spaceediting.plugin.map.thumbnails import Boxes
from napari_spaceediting.plugin.map.viewport import Viewport
from napari_spaceediting.plugin.widgets.palette import readable

_MOST_MARKS = 2000
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
_GROUND = {"trails", "pictures", "side"}
"""Parts that lie beneath all others; a large selection does, too."""
_CARRIED_SIDE = 40
"""Least side of pictures that are dragged, in pixels."""
_MOST_ROUTES = 60
_RGB = np.array([1 << 16, 1 << 8, 1])
_NO_PLACES = np.empty((0, 2), np.float32)
_NO_COLOURS = np.empty((0, 4), np.float32)


@dataclass(frozen=True)
class Marks:
    """Points to mark, with their colours."""

    places: NDArray[np.floating] = field(default_factory=lambda: _NO_PLACES)
    colours: NDArray[np.float32] = field(default_factory=lambda: _NO_COLOURS)

    def thinned(self) -> Marks:
        """Return at most 2,000 of them."""
        step = -(-len(self.places) // _MOST_MARKS) or 1
        return Marks(self.places[::step], self.colours[::step])


@dataclass(frozen=True)
class Arrows:
    """Lines from where images were to where they are, in the colour of their class."""

    starts: NDArray[np.floating] = field(default_factory=lambda: _NO_PLACES)
    ends: NDArray[np.floating] = field(default_factory=lambda: _NO_PLACES)
    colours: NDArray[np.float32] = field(default_factory=lambda: _NO_COLOURS)

    def thinned(self) -> Arrows:
        """Return at most 2,000 of them."""
        step = -(-len(self.starts) // _MOST_MARKS) or 1
        return Arrows(self.starts[::step], self.ends[::step], self.colours[::step])


@dataclass(frozen=True)
class Routes:
    """Ways of images over the map, step by step; one of them is looked at.

    Parameters
    ----------
    paths : (n, s, 2) array
        Map coordinates of each step; beyond 60 ways only the one is shown.
    at : int
        The way that is looked at.
    step : int
        Its step that is looked at.
    colour : (4,) array
        RGBA of what they lead to.
    """

    paths: NDArray[np.floating] = field(
        default_factory=lambda: np.empty((0, 0, 2), np.float32)
    )
    at: int = 0
    step: int = 0
    colour: NDArray[np.float32] = field(default_factory=lambda: np.ones(4, np.float32))


@dataclass(frozen=True)
class Picture:
    """A thumbnail on the map, of an image with a number."""

    image: int
    place: NDArray[np.floating]
    pixmap: QPixmap
    colour: NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """All that is painted over the canvas, in map coordinates.

    Parameters
    ----------
    selected : Marks
        What is selected, each with a ring up to 2,000 of them.
    edited : Arrows
        Edits that are open.
    pinned : Marks
        Images pinned or relabelled where they are.
    dragged : Arrows
        A drag that is going on.
    carried : sequence of Picture
        Thumbnails of what is dragged, where they are now.
    drag_text : str
        What the place under the drag says.
    proposal : Arrows
        What guidance proposes, as one arrow.
    trails : Arrows
        What moved most between two rounds.
    outline : (n, 2) array
        Lasso or box that is being drawn.
    hovered : (2,) array or None
        The point under the pointer.
    route : Routes
        Where the features of images travel that are turned into others.
    pictures : sequence of Picture
        Thumbnails.
    side : int
        Their side in pixels.
    dot : float
        Radius of marked points in pixels.
    names : sequence of (str, (2,) array, (4,) array)
        Class names, where they stand, and their colour.
    gliding : Marks
        Images on their way from one map to the next; little else is painted meanwhile.
    past : str
        Which earlier map is shown, "" for the present one; edits do not belong on it.
    """

    selected: Marks = field(default_factory=Marks)
    edited: Arrows = field(default_factory=Arrows)
    pinned: Marks = field(default_factory=Marks)
    dragged: Arrows = field(default_factory=Arrows)
    carried: Sequence[Picture] = ()
    drag_text: str = ""
    proposal: Arrows = field(default_factory=Arrows)
    trails: Arrows = field(default_factory=Arrows)
    outline: NDArray[np.floating] = field(default_factory=lambda: _NO_PLACES)
    hovered: NDArray[np.floating] | None = None
    route: Routes = field(default_factory=Routes)
    pictures: Sequence[Picture] = ()
    side: int = 0
    dot: float = 4.0
    names: Sequence[tuple[str, NDArray[np.floating], NDArray[np.float32]]] = ()
    gliding: Marks = field(default_factory=Marks)
    past: str = ""

    def painted(self) -> Scene:
        """Return what there is to paint: edits do not belong on an earlier map."""
        if not self.past:
            return self
        nothing = Arrows()
        return replace(
            self,
            edited=nothing,
            pinned=Marks(),
            proposal=nothing,
            route=Routes(),
        )


class MapOverlay(QWidget):
    """Paints a `Scene` over napari's canvas.

    What does not follow the pointer is kept as two pictures, the ground and the marks
    over it: names and thousands of marks take far longer to paint than what is dragged
    over them. New thumbnails fade in between the two.

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
        self._ground: QPixmap | None = None
        self._grounded: set[int] = set()
        self._marks: QPixmap | None = None
        self._crowd: QPixmap | None = None
        self._frames = Frames()
        self.fading = Fading(self)
        self.fading.stepped.connect(self.update)
        self.fading.settled.connect(self._settle)
        self.resize(canvas.size())
        self.show()

    def clear(self) -> None:
        """Paint nothing."""
        self.scene = Scene()
        self.fading.show(())
        self.paint_anew()

    def change(self, **parts: object) -> None:
        """Replace parts of the scene and paint it."""
        before, lifted = self.scene, self._lifted
        self.scene = replace(before, **parts)  # type: ignore[arg-type]
        if "pictures" in parts:
            self.fading.show([picture.image for picture in self.scene.pictures])
        changed = parts.keys() - _QUICK
        other_dot = before.dot != self.scene.dot
        if "selected" in parts or other_dot:
            self._crowd = None
        if changed & (_GROUND | {"selected"}) or lifted != self._lifted:
            self._ground = None
        if changed - _GROUND - {"dot"} or other_dot:
            self._marks = None
        self.update()

    def paint_anew(self) -> None:
        """Paint all of the scene: it lies elsewhere on the canvas, or looks new."""
        self._ground = self._marks = self._crowd = None
        self.update()

    def boxes(self) -> Boxes:
        """Return where names are written."""
        sizes = self._name_sizes()
        middles = self._viewport.to_map(self._name_middles(sizes))
        return Boxes(middles, sizes[:, ::-1] / 2)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit the scene to the new size."""
        self.paint_anew()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint what stays, and what follows the pointer over it."""
        scene, ratio = self.scene.painted(), self.devicePixelRatioF()
        if len(scene.gliding.places):
            painter = _smooth(QPainter(self))
            points = self._viewport.to_canvas(scene.gliding.places)
            paint_discs(painter, points, scene.gliding.colours, scene.dot, self.paper)
            self._notice(painter, scene.past)
            painter.end()
            return
        if self._ground is None or self._ground.devicePixelRatio() != ratio:
            self._ground = self._kept(self._paint_ground)
        if self._marks is None or self._marks.devicePixelRatio() != ratio:
            self._marks = self._kept(self._paint_marks)
        painter = _smooth(QPainter(self))
        painter.drawPixmap(0, 0, self._ground)
        self._paint_fading(painter)
        painter.drawPixmap(0, 0, self._marks)
        self._routes(painter, scene.route)
        self._outline(painter)
        self._lines(painter, scene.dragged, 1.5, 0.9, dots=True)
        self._pictures(painter, scene.carried, max(scene.side, _CARRIED_SIDE))
        if scene.hovered is not None:
            self._hover_ring(painter, scene.hovered)
        if scene.drag_text and len(scene.dragged.ends):
            self._drag_text(painter)
        self._notice(painter, scene.past)
        painter.end()

    def _kept(self, paint: Callable[[QPainter], None]) -> QPixmap:
        ratio = self.devicePixelRatioF()
        size = self.size() * ratio
        kept = blank(size.width(), size.height(), ratio)
        painter = _smooth(QPainter(kept))
        paint(painter)
        painter.end()
        return kept

    def _paint_ground(self, painter: QPainter) -> None:
        scene, lifted = self.scene, self._lifted
        if len(scene.selected.places) > _MOST_MARKS:
            self._paint_crowd(painter, scene.selected, 0.6 * scene.dot)
        self._lines(painter, scene.trails, 1.0, 0.5, dots=False)
        settled = [
            picture
            for picture in scene.pictures
            if self.fading.opacity(picture.image) == 1 and picture.image not in lifted
        ]
        self._pictures(painter, settled, scene.side)
        self._grounded = {picture.image for picture in settled}

    def _paint_marks(self, painter: QPainter) -> None:
        scene = self.scene.painted()
        self._lines(painter, scene.edited, 1.5, 0.85, dots=True)
        self._rings(painter, scene.pinned, scene.dot)
        if len(scene.selected.places) <= _MOST_MARKS:
            self._rings(painter, scene.selected, 1.2 * scene.dot)
        self._names(painter)
        self._lines(painter, scene.proposal, 3.0, 1.0, dots=True)

    @property
    def _lifted(self) -> set[int]:
        """Images whose thumbnails are not where they were, but dragged."""
        return {picture.image for picture in self.scene.carried}

    def _paint_fading(self, painter: QPainter) -> None:
        """Paint the thumbnails that are not part of the ground yet."""
        if self.fading.is_running:
            kept = self._grounded | self._lifted
            new = [p for p in self.scene.pictures if p.image not in kept]
            self._pictures(painter, new, self.scene.side, self.fading.opacity)

    def _settle(self) -> None:
        """Take the thumbnails that have faded in into the ground."""
        self._ground = None
        self.update()

    def _points(self, places: NDArray[np.floating]) -> list[QPointF]:
        return [QPointF(x, y) for x, y in self._viewport.to_canvas(places).tolist()]

    def _rings(self, painter: QPainter, marks: Marks, radius: float) -> None:
        """Paint discs with a ring around each."""
        points = self._viewport.to_canvas(marks.places)
        paint_discs(painter, points, marks.colours, radius, self.ink)

    def _paint_crowd(self, painter: QPainter, marks: Marks, radius: float) -> None:
        """Paint any number of discs, kept while only thumbnails change over them."""
        ratio = self.devicePixelRatioF()
        if self._crowd is None or self._crowd.devicePixelRatio() != ratio:
            points = self._viewport.to_canvas(marks.places) * ratio
            size = round(ratio * self.width()), round(ratio * self.height())
            image = crowd(points, marks.colours, ratio * radius, size)
            self._crowd = QPixmap.fromImage(image)
            self._crowd.setDevicePixelRatio(ratio)
        painter.drawPixmap(0, 0, self._crowd)

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
            shade = QColor.fromRgb(int(kind))
            shade.setAlphaF(alpha)
            painter.setPen(QPen(shade, width))
            lines = ways[shades == kind].tolist()
            painter.drawLines([QLineF(*line) for line in lines])  # type: ignore[call-overload]
        if dots:
            marks = Marks(arrows.ends, arrows.colours)
            self._rings(painter, marks, self.scene.dot * (1 + width / 10))

    def _routes(self, painter: QPainter, routes: Routes) -> None:
        """Paint ways, the one looked at over the others, with a dot for each step."""
        if not len(routes.paths):
            return
        shade = _shade(routes.colour)
        faint = QColor(shade)
        faint.setAlphaF(0.35)
        if len(routes.paths) <= _MOST_ROUTES:
            painter.setPen(QPen(faint, 1.2))
            for number, path in enumerate(routes.paths):
                if number != routes.at:
                    painter.drawPolyline(QPolygonF(self._points(path)))
        points = self._points(routes.paths[routes.at])
        tip = _arrow_head(points, length=4 * self.scene.dot)
        for ink, width in ((self.paper, 6.0), (shade, 2.5)):
            pen = QPen(ink, width)
            pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
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
        self,
        painter: QPainter,
        pictures: Sequence[Picture],
        side: int,
        opacity: Callable[[int], float] | None = None,
    ) -> None:
        """Paint thumbnails, the first one on top."""
        if not pictures:
            return
        middles = self._points(np.array([picture.place for picture in pictures]))
        for picture, middle in zip(reversed(pictures), reversed(middles), strict=True):
            if opacity is not None:
                painter.setOpacity(opacity(picture.image))
            self._frames.paint(painter, middle, picture.pixmap, picture.colour, side)
        painter.setOpacity(1)

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
        return middles

    def _names(self, painter: QPainter) -> None:
        font = self._name_font()
        middles = self._name_middles(self._name_sizes()).tolist()
        for (text, _, colour), middle in zip(self.scene.names, middles, strict=True):
            shade = readable(_shade(colour).name(), self.paper.name())
            paint_text(painter, QPointF(*middle), text, font, QColor(shade), self.paper)

    def _outline(self, painter: QPainter) -> None:
        if len(self.scene.outline) < 2:
            return
        fill = QColor(self.ink)
        fill.setAlphaF(0.08)
        painter.setBrush(fill)
        painter.setPen(QPen(self.ink, 1.5, Qt.PenStyle.DashLine))
        painter.drawPolygon(QPolygonF(self._points(self.scene.outline)))
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _hover_ring(self, painter: QPainter, place: NDArray[np.floating]) -> None:
        (middle,) = self._points(np.asarray(place)[None])
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(self.ink, 2))
        painter.drawEllipse(middle, 8, 8)

    def _drag_text(self, painter: QPainter) -> None:
        """Paint what the place says beside what is dragged."""
        ends = self._viewport.to_canvas(self.scene.dragged.ends)
        middle, top = float(ends[:, 0].mean()), float(ends[:, 1].min())
        if self.scene.carried:
            top -= max(self.scene.side, _CARRIED_SIDE) / 2
        self._plate(painter, self.scene.drag_text, middle, top - 16)

    def _notice(self, painter: QPainter, text: str) -> None:
        """Paint what the map is at its upper edge."""
        if text:
            self._plate(painter, text, self.width() / 2, 0)

    def _plate(
        self, painter: QPainter, text: str, middle: float, bottom: float
    ) -> None:
        """Paint writing in a plate that stands above a place, within the canvas."""
        font = self._name_font()
        metrics = QFontMetricsF(font)
        width = metrics.horizontalAdvance(text) + 20
        height = metrics.height() + 10
        x = float(np.clip(middle - width / 2, 4, self.width() - width - 4))
        y = float(np.clip(bottom - height, 4, self.height() - height - 4))
        plate = QRectF(x, y, width, height)
        paper = QColor(self.paper)
        paper.setAlphaF(0.88)
        painter.setBrush(paper)
        painter.setPen(QPen(self.ink, 1))
        painter.drawRoundedRect(plate, 6, 6)
        painter.setFont(font)
        painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, text)
        painter.setBrush(Qt.BrushStyle.NoBrush)


def _arrow_head(points: list[QPointF], length: float) -> QPolygonF:
    """Return a triangle at the end of a way, in the direction in which it came."""
    way = np.array([[point.x(), point.y()] for point in points])
    offsets = way[-1] - way
    far = np.flatnonzero(np.linalg.norm(offsets, axis=1) > length / 4)
    if not len(far):
        return QPolygonF()
    along = offsets[far[-1]] / np.linalg.norm(offsets[far[-1]])
    across = np.array([-along[1], along[0]])
    base = way[-1] - length * along
    corners = [way[-1], base + length / 2 * across, base - length / 2 * across]
    return QPolygonF([QPointF(x, y) for x, y in np.array(corners).tolist()])


def _smooth(painter: QPainter) -> QPainter:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    return painter


def _shade(colour: NDArray[np.float32]) -> QColor:
    """Return an RGBA colour without its opacity."""
    return QColor.fromRgbF(*colour[:3].tolist())
