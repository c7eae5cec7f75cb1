"""The gallery: a grid of images under a bar that says what is shown and how."""

from __future__ import annotations

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtGui import QKeyEvent, QResizeEvent
from qtpy.QtWidgets import QLabel, QStackedWidget, QWidget

from napari_spaceediting.plugin.gallery.bar import GalleryBar
from napari_spaceediting.plugin.gallery.compare import Compare
from napari_spaceediting.plugin.gallery.grid import GalleryGrid
from napari_spaceediting.plugin.gallery.look import LookPopup
from napari_spaceediting.plugin.pictures import Pictures
from napari_spaceediting.plugin.widgets.class_keys import ClassKeys, takes_back
from napari_spaceediting.plugin.widgets.controls import column, dress, row, set_role
from napari_spaceediting.plugin.widgets.palette import Palette
from napari_spaceediting.wording import counted

_KEYS = 1 / 4
"""Share of the height that the keys of classes take at most."""


class ImageGallery(QWidget):
    """The grid, or what is looked at closely, under a bar that says what and how.

    While either has the focus, the key of a class names the image in the frame.

    Parameters
    ----------
    pictures : Pictures
        Of all images.
    """

    named = Signal(int)
    """Number of the class that the image in the frame is of."""
    taken_back = Signal()
    """The last edit is to be undone."""

    def __init__(self, pictures: Pictures) -> None:
        super().__init__()
        self.bar = GalleryBar()
        self.grid = GalleryGrid(pictures)
        self.compare = Compare(pictures)
        self.look = LookPopup(self)
        self._count = QLabel()
        self._count.setToolTip("Images shown here, and how many are selected or named")
        set_role(self._count, "muted")
        self._named = ""
        self.class_keys = ClassKeys()
        self.class_keys.chosen.connect(self._on_class)
        self._views = QStackedWidget()
        self._views.addWidget(self.grid)
        self._views.addWidget(self.compare)
        keys = row(self.class_keys, self._count, stretch=(1, 0))
        keys.setContentsMargins(4, 0, 4, 0)
        corner = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight
        keys.setAlignment(self._count, corner)
        layout = column(self, 2)
        layout.addWidget(self.bar)
        layout.addLayout(keys)
        layout.addWidget(self._views, 1)
        self.grid.counted.connect(self._show_count)
        self.bar.size_slider.valueChanged.connect(
            lambda: self.grid.set_tile_size(self.bar.side)
        )
        self._show_count()

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        dress(self, palette)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Give the room to the images."""
        super().resizeEvent(event)
        self._fit_keys()

    def event(self, event: QEvent | None) -> bool:
        """Give the room to the images, also when there are other classes."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self._fit_keys()
        return super().event(event)

    def _fit_keys(self) -> None:
        """Show the keys of classes unless they took the room of the images.

        The map's legend has them, too, and they work all the same.
        """
        lines = self.class_keys.layout()
        assert lines is not None
        height = lines.heightForWidth(self.width() - self._count.sizeHint().width())
        self.class_keys.setVisible(height <= _KEYS * self.height())

    @property
    def is_close(self) -> bool:
        """Whether images are looked at closely."""
        return self._views.currentWidget() is self.compare

    def set_close(self, is_close: bool) -> None:
        """Show images closely, or all of them; the keyboard goes along."""
        view = self.compare if is_close else self.grid
        had_focus = self._views.currentWidget().hasFocus()
        self._views.setCurrentWidget(view)
        self.bar.set_close(is_close)
        if not is_close:
            self._show_count()
        if had_focus:
            view.setFocus()

    def show_place(self, text: str) -> None:
        """Say which of the images is looked at, such as "3 of 24"."""
        self._count.setText(text)

    def set_source(self, key: str) -> None:
        """Choose a source; emits nothing."""
        self.bar.sources.setCurrentIndex(self.bar.sources.findData(key))

    @property
    def count(self) -> str:
        """What is said of how many images there are."""
        return self._count.text()

    def show_named(self, text: str) -> None:
        """Say what was named last, such as "Coat: 3 of 24 named"; "" for nothing."""
        self._named = text
        self._show_count()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Name an image by key, or take the name back."""
        if event is None or self.focusWidget() not in (self.grid, self.compare):
            return
        if takes_back(event):
            self.taken_back.emit()
        elif not self.class_keys.take(event):
            super().keyPressEvent(event)

    def _on_class(self, number: int) -> None:
        self._views.currentWidget().setFocus()
        self.named.emit(number)

    def _show_count(self, *_: object) -> None:
        shown, chosen = len(self.grid.items), self.grid.n_selected
        text = counted(shown, "image")
        if 0 < chosen < shown:
            text = f"{chosen:,} of {shown:,} selected"
        self._count.setText(self._named or text)
