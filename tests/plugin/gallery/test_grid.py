import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_spaceediting.data.looks import Look
from napari_spaceediting.plugin.gallery.grid import GalleryGrid
from napari_spaceediting.plugin.gallery.panel import ImageGallery
from napari_spaceediting.plugin.gallery.tile import Caption
from napari_spaceediting.plugin.pictures import Pictures
from napari_spaceediting.plugin.widgets.controls import dress

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
NONE = Qt.KeyboardModifier.NoModifier
LEFT = Qt.MouseButton.LeftButton


def pictures_of(thumbnails):
    """Return pictures that have no originals."""
    pictures = Pictures()
    pictures.take(None, thumbnails, Look(()))
    return pictures


@pytest.fixture
def pictures():
    return pictures_of(np.zeros((300, 16, 16, 3), np.uint8))


@pytest.fixture
def grid(qtbot, dark, pictures):
    widget = GalleryGrid(pictures)
    widget.set_theme(dark)
    qtbot.addWidget(widget)
    widget.resize(350, 300)
    widget.show()
    qtbot.waitExposed(widget)
    # Dataset index = 100 + position, so that the two cannot be mistaken.
    widget.show_items(np.arange(100, 300), lambda i: Caption(str(i)))
    return widget


@pytest.fixture
def told(grid):
    calls = []
    grid.selection_changed.connect(lambda chosen: calls.append(chosen.tolist()))
    return calls


def click(grid, position, modifiers=NONE):
    place = grid._tile(position).center()
    QTest.mouseClick(grid.viewport(), LEFT, modifiers, place)


def move(grid, point, buttons=LEFT):
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(point),
        QPointF(grid.viewport().mapToGlobal(point)),
        Qt.MouseButton.NoButton,
        buttons,
        NONE,
    )
    QApplication.sendEvent(grid.viewport(), event)


def drag(grid, start, end, modifiers=NONE):
    QTest.mousePress(grid.viewport(), LEFT, modifiers, start)
    move(grid, (start + end) / 2)
    move(grid, end)
    QTest.mouseRelease(grid.viewport(), LEFT, modifiers, end)


def test_click_selects_one_and_tells_once(grid, told):
    click(grid, 3)
    click(grid, 3)
    assert told == [[103]]
    assert grid.current == 103


def test_ctrl_click_toggles(grid, told):
    click(grid, 1)
    click(grid, 4, CTRL)
    click(grid, 1, CTRL)
    assert told == [[101], [101, 104], [104]]


def test_shift_click_selects_the_range_from_the_last_click(grid, told):
    click(grid, 6)
    click(grid, 2, SHIFT)
    click(grid, 7, SHIFT)
    assert told[1:] == [[102, 103, 104, 105, 106], [106, 107]]


def test_click_beside_the_images_clears(grid, told):
    click(grid, 1)
    QTest.mouseClick(grid.viewport(), LEFT, NONE, QPoint(1, 1))
    assert told[-1] == []


def test_ctrl_click_keeps_selected_images_that_are_not_shown(grid, told):
    grid.set_selected([5, 101])
    click(grid, 2, CTRL)
    assert told == [[101, 102, 5]]


def test_rubber_band_selects_what_it_touches(grid, told):
    columns = grid._tiling.columns
    assert columns > 2
    drag(grid, QPoint(1, 1), grid._tile(columns + 1).center())
    assert told == [[100, 101, 100 + columns, 101 + columns]]


def test_rubber_band_with_ctrl_adds(grid, told):
    click(grid, 9)
    QTest.mousePress(grid.viewport(), LEFT, CTRL, QPoint(1, 1))
    event_end = grid._tile(0).center()
    event = QMouseEvent(
        QEvent.Type.MouseMove, QPointF(event_end), QPointF(event_end),
        Qt.MouseButton.NoButton, LEFT, CTRL,
    )  # fmt: skip
    QApplication.sendEvent(grid.viewport(), event)
    QTest.mouseRelease(grid.viewport(), LEFT, CTRL, event_end)
    assert told[-1] == [100, 109]


def test_arrows_walk_and_extend_with_shift(grid, told):
    click(grid, 0)
    QTest.keyClick(grid, Qt.Key.Key_Right)
    QTest.keyClick(grid, Qt.Key.Key_Down)
    assert told[-1] == [101 + grid._tiling.columns]
    QTest.keyClick(grid, Qt.Key.Key_Left, SHIFT)
    assert told[-1] == [100 + grid._tiling.columns, 101 + grid._tiling.columns]
    QTest.keyClick(grid, Qt.Key.Key_Up)
    QTest.keyClick(grid, Qt.Key.Key_Up)
    assert grid.current == 100


def test_end_home_and_pages_scroll_to_the_current_image(grid):
    QTest.keyClick(grid, Qt.Key.Key_End)
    assert grid.current == 299
    assert grid.viewport().rect().contains(grid._tile(199))
    QTest.keyClick(grid, Qt.Key.Key_PageUp)
    assert 100 < grid.current < 299
    QTest.keyClick(grid, Qt.Key.Key_Home)
    assert grid.current == 100
    assert grid.verticalScrollBar().value() == 0


def test_ctrl_a_selects_all_shown(grid, told):
    QTest.keyClick(grid, Qt.Key.Key_A, CTRL)
    assert told == [list(range(100, 300))]


def test_escape_selects_nothing_and_then_belongs_to_others(grid, told, qtbot):
    click(grid, 2)
    QTest.keyClick(grid, Qt.Key.Key_Escape)
    assert told == [[102], []]
    event = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Escape, NONE)
    grid.keyPressEvent(event)
    assert not event.isAccepted()
    assert told == [[102], []]


def test_half_of_a_hundred_thousand_are_selected_without_their_captions(grid, told):
    asked = []

    def caption(index):
        asked.append(index)
        return Caption(str(index))

    grid.show_items(np.arange(100_000), caption)
    grid.grab()
    on_screen = set(asked)
    assert len(on_screen) < 100
    grid.set_selected(np.arange(50_000))
    QTest.keyClick(grid, Qt.Key.Key_End)
    QTest.keyClick(grid, Qt.Key.Key_Home, SHIFT)
    QTest.keyClick(grid, Qt.Key.Key_A, CTRL)
    assert [len(chosen) for chosen in told] == [1, 100_000]
    assert grid.n_selected == 100_000
    grid.grab()
    assert len(set(asked)) < 2 * len(on_screen) + 100


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Space])
def test_a_key_looks_at_the_image_in_the_frame(grid, qtbot, key):
    click(grid, 2)
    with qtbot.waitSignal(grid.activated) as signal:
        QTest.keyClick(grid, key)
    assert signal.args == [102]


def test_a_second_click_looks_at_an_image(grid):
    looked = []
    grid.activated.connect(looked.append)
    click(grid, 5)
    assert looked == []
    click(grid, 5)
    assert looked == [105]
    click(grid, 6, CTRL)
    click(grid, 6)
    assert looked == [105], "the first click on one of several chooses it alone"


def test_the_largest_image_fills_the_room(grid):
    grid.set_tile_size(2048)
    first, room = grid._tile(0), grid.viewport().rect()
    assert first.width() > 0.7 * min(room.width(), room.height())
    assert room.contains(grid._plate(0))


@pytest.mark.parametrize("n", [1, 2, 7, 16])
@pytest.mark.parametrize("size", [(120, 300), (350, 300), (900, 180)])
def test_all_images_are_in_view_and_as_large_as_can_be(qtbot, dark, n, size):
    widget = GalleryGrid(Pictures(), shows_all=True)
    widget.set_theme(dark)
    qtbot.addWidget(widget)
    widget.resize(*size)
    widget.show()
    widget.show_items(np.arange(n))
    room = widget.viewport().rect()
    tiles = [widget._tile(position) for position in range(n)]
    assert all(room.contains(tile) for tile in tiles)
    across = max(tile.right() for tile in tiles) + tiles[0].width() > room.width()
    below = max(tile.bottom() for tile in tiles) + tiles[0].width() > room.height()
    assert across or below


def test_hover_tells_the_image_and_that_it_left(grid):
    seen = []
    grid.hovered.connect(seen.append)
    move(grid, grid._tile(1).center(), Qt.MouseButton.NoButton)
    move(grid, grid._tile(1).center() + QPoint(2, 2), Qt.MouseButton.NoButton)
    QApplication.sendEvent(grid, QEvent(QEvent.Type.Leave))
    assert seen == [101, -1]


def test_new_items_end_the_hover_of_old_ones(grid):
    seen = []
    move(grid, grid._tile(1).center(), Qt.MouseButton.NoButton)
    grid.hovered.connect(seen.append)
    grid.show_items([])
    assert seen == [-1]


def test_menu_on_an_unselected_image_selects_it_first(grid, told):
    asked = []
    grid.context_requested.connect(lambda chosen, place: asked.append(chosen.tolist()))
    click(grid, 1)
    for position in (4, 4):
        place = grid._tile(position).center()
        event = QContextMenuEvent(
            QContextMenuEvent.Reason.Mouse, place, grid.viewport().mapToGlobal(place)
        )
        QApplication.sendEvent(grid.viewport(), event)
    assert asked == [[104], [104]]
    assert told == [[101], [104]]


def test_setting_the_selection_tells_nothing(grid, told):
    grid.set_selected([101, 102])
    assert told == []
    assert grid.selected.tolist() == [101, 102]


def test_selection_survives_new_items(grid):
    grid.set_selected([101, 205])
    grid.show_items([205, 7, 101])
    assert grid.selected.tolist() == [205, 101]


def test_only_visible_tiles_are_captioned(grid):
    asked = set()

    def caption(index):
        asked.add(index)
        return Caption("x", border=(1, 0, 0, 1), badge="?")

    grid.show_items(np.arange(100_000), caption)
    grid.grab()
    grid.verticalScrollBar().setValue(grid.verticalScrollBar().maximum())
    grid.grab()
    assert 99_999 in asked
    assert 0 in asked
    assert len(asked) < 200


@pytest.mark.parametrize("width", [120, 200, 350, 351, 777, 1500])
@pytest.mark.parametrize("side", [32, 64, 176])
def test_tiles_fill_the_width_without_a_dead_column(grid, width, side):
    grid.set_tile_size(side)
    grid.resize(width, 300)
    QApplication.processEvents()  # Qt hides a scroll bar when it is idle.
    last = grid._tile(grid._tiling.columns - 1)
    right_air = grid.viewport().width() - last.right() - 1
    if grid._tiling.columns > 1:
        gaps = np.diff([grid._tile(i).left() for i in range(grid._tiling.columns)])
        assert gaps.max() - gaps.min() <= 1
        assert right_air <= grid._tiling.gap + grid._tiling.columns
        assert 0.5 * side <= grid._tiling.side <= 1.6 * side
    assert last.right() < grid.viewport().width()


def test_scroll_bar_comes_only_when_needed(grid):
    always_off = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
    assert grid.verticalScrollBarPolicy() != always_off
    grid.show_items([1, 2])
    assert grid.verticalScrollBarPolicy() == always_off


def test_an_image_without_thumbnail_is_still_a_tile(grid, told):
    grid.show_items([100, 5000])
    grid.grab()
    click(grid, 1)
    assert told == [[5000]]


def test_drawn_thumbnail_has_the_colour_of_the_image(grid, pictures):
    grid.show_items([1])
    grid.viewport().grab()
    thumbnails = np.zeros((2, 8, 8, 3), np.uint8)
    thumbnails[1] = (200, 30, 40)
    pictures.take(None, thumbnails, Look(()))  # of other images
    grid.show_items([1])
    picture = grid.viewport().grab().toImage()
    ratio = grid.devicePixelRatioF()
    place = grid._tile(0).center() * ratio
    colour = picture.pixelColor(place)
    assert (colour.red(), colour.green(), colour.blue()) == (200, 30, 40)


def plate(grid, position):
    """Return the colour beside the image of a tile, where its plate shows."""
    picture = grid.viewport().grab().toImage()
    at = QPoint(grid._tile(position).center().x(), grid._plate(position).top() + 1)
    return picture.pixelColor(at * grid.devicePixelRatioF()).name()


def test_chosen_tiles_stand_out_but_not_where_all_are_chosen(grid):
    plain = plate(grid, 1)
    click(grid, 1)
    chosen = plate(grid, 1)
    assert chosen != plain
    grid.set_selected(grid.items)
    assert plate(grid, 2) not in (plain, chosen)


def test_captions_need_room(grid):
    grid.set_tile_size(32)
    assert grid._tiling.caption == 0
    grid.set_tile_size(84)
    assert grid._tiling.caption > 0


def test_a_caption_is_told_in_full():
    caption = Caption("Shirt", detail="→ T-shirt/top", figure="54%", is_odd=True)
    assert caption.in_full == "Shirt → T-shirt/top 54%"
    assert Caption("Coat", figure="87%").in_full == "Coat 87%"


@pytest.fixture
def gallery(qtbot, palette):
    widget = ImageGallery(Pictures())
    dress(widget, palette)
    qtbot.addWidget(widget)
    widget.resize(350, 400)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def test_gallery_counts_images_and_selection(gallery):
    assert gallery.count == "0 images"
    gallery.grid.show_items(np.arange(1234))
    assert gallery.count == "1,234 images"
    gallery.grid.set_selected([1, 2, 5000])
    assert gallery.count == "2 of 1,234 selected"
    gallery.grid.show_items([1, 2])
    assert gallery.count == "2 images"
    gallery.grid.show_items([3])
    assert gallery.count == "1 image"


def test_gallery_tells_source_and_order_chosen_by_hand_only(gallery):
    told = []
    bar = gallery.bar
    bar.sources.activated.connect(lambda _: told.append(bar.source))
    bar.sorts.activated.connect(lambda _: told.append(bar.sort))
    gallery.set_source("nearest")
    assert told == []
    assert (bar.source, bar.sort) == ("nearest", "map")
    QTest.keyClick(bar.sources, Qt.Key.Key_Up)
    QTest.keyClick(bar.sorts, Qt.Key.Key_Down)
    assert told == ["selection", "label"]


def test_slider_changes_the_tiles(gallery):
    gallery.grid.show_items(np.arange(50))
    before = gallery.grid._tiling.side
    gallery.bar.size_slider.setValue(gallery.bar.size_slider.maximum())
    assert gallery.grid._tiling.side > before


def test_gallery_fits_a_narrow_dock(gallery):
    assert gallery.minimumSizeHint().width() <= 350
