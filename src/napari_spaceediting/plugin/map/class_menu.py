"""What can be done to a class, as a menu, and what is asked before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QInputDialog, QMenu, QWidget

from napari_spaceediting.editing.classes import (
    ClassEdit,
    Delete,
    Merge,
    Rename,
    Reorder,
    Trait,
    TraitKind,
)

Make = Callable[[ClassEdit], object]


def add_changes(
    menu: QMenu,
    names: Sequence[str],
    row: int,
    colour: Sequence[float],
    make: Make,
) -> None:
    """Add to the menu of a class how it can be changed.

    Parameters
    ----------
    menu : QMenu
        Goes when it is closed; its parent stays.
    names : sequence of str
        All classes.
    row : int
        Which of them.
    colour : sequence of float
        What it has, as shares of 1.
    make : callable
        Is given the edit.
    """
    parent, name = menu.parentWidget(), names[row]
    assert parent is not None
    menu.addSeparator()

    def ask(title: str, question: str, edit: Callable[[str], ClassEdit]) -> None:
        ask_text(parent, title, question, "", lambda text: make(edit(text)))

    menu.addAction(
        "Rename…",
        lambda: ask_text(
            parent,
            "Rename a class",
            f"What {name} is called from now on:",
            name,
            lambda text: make(Rename(name, text)) if text != name else None,
        ),
    )
    into = menu.addMenu("Merge into")
    into.setToolTipsVisible(True)
    into.setEnabled(len(names) > 1)
    for other in names:
        if other != name:
            into.addAction(other, partial(make, Merge((name,), other)))
    above = menu.addAction(
        "Put below…",
        lambda: ask(
            "A class of a higher rank",
            f"What {name} is one of, such as its genus; nothing for none:",
            lambda text: Trait(TraitKind.ABOVE, {name: text}),
        ),
    )
    above.setToolTip("Say which class of a higher rank it is one of")
    for title, to in (("Move ahead", row - 1), ("Move back", row + 1)):
        others = [each for each in names if each != name]
        order = (*others[: max(to, 0)], name, *others[max(to, 0) :])
        action = menu.addAction(title, partial(make, Reorder(order)))
        action.setEnabled(0 <= to < len(names))
    menu.addAction(
        "Choose its colour…", lambda: _ask_colour(parent, name, colour, make)
    )
    delete = menu.addAction("Delete", partial(make, Delete(name)))
    delete.setToolTip("Have this class no more; its images are left without one")


def ask_text(
    parent: QWidget, title: str, question: str, text: str, then: Callable[[str], object]
) -> None:
    """Ask for a text; nothing happens where the question is dismissed."""
    dialog = QInputDialog(parent)
    dialog.setWindowTitle(title)
    dialog.setLabelText(question)
    dialog.setTextValue(text)
    dialog.textValueSelected.connect(lambda answer: then(answer.strip()))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def ask_key(
    parent: QWidget, name: str, key: str, then: Callable[[str], object]
) -> None:
    """Ask for the key of a class."""
    question = f"The key that names an image {name}, in gallery and guidance:"
    ask_text(parent, "Key of a class", question, key, lambda text: then(text.upper()))


def _ask_colour(
    parent: QWidget, name: str, colour: Sequence[float], make: Make
) -> None:
    dialog = QColorDialog(QColor.fromRgbF(*colour[:3]), parent)
    dialog.setWindowTitle(f"Colour of {name}")
    dialog.colorSelected.connect(
        lambda chosen: make(Trait(TraitKind.COLOUR, {name: chosen.name()}))
    )
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
