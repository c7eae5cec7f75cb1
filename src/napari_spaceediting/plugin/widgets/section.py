"""Titles that fold away what is below them: steps of the dock, and what is rare."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_spaceediting.plugin.widgets.controls import SPACING, column, row, set_role

TODO, ACTIVE, DONE = "todo", "active", "done"


class Disclosure(QCheckBox):
    """A line with an arrow that shows and hides a widget below it.

    Parameters
    ----------
    title : str
        What is hidden.
    content : QWidget
        The widget that is shown and hidden.
    tip : str
        Tooltip.
    """

    def __init__(self, title: str, content: QWidget, tip: str) -> None:
        super().__init__(title)
        self.setToolTip(tip)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.toggled.connect(content.setVisible)
        content.hide()
        set_role(self, "fold")

    def hitButton(self, pos: QPoint) -> bool:
        """Take a click anywhere on the line."""
        return self.rect().contains(pos)


class Section(QFrame):
    """A number, a title and a status over a body that folds.

    Parameters
    ----------
    number : int
        Of the step.
    title : str
        Of the step.
    content : QWidget
        Its body.
    """

    def __init__(self, number: int, title: str, content: QWidget) -> None:
        super().__init__()
        self._number, self._title = number, title
        self.body = QWidget()
        inside = QVBoxLayout(self.body)
        inside.setContentsMargins(7, 2, 7, SPACING)
        inside.addWidget(content)
        self.header = Disclosure("", self.body, "")
        self.header.setAccessibleName(f"{number}. {title}")
        self.header.setChecked(True)
        self._badge, self._name = QLabel(), QLabel(title)
        self._badge.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.status = QElidingLabel()
        self.status.setAlignment(Qt.AlignmentFlag.AlignRight)
        set_role(self.status, "small")
        line = row(self._badge, self._name, self.status, stretch=(0, 0, 1))
        line.setContentsMargins(6, 7, 20, 7)
        self.header.setLayout(line)
        # The arrow comes last.
        self.header.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        line.setDirection(QHBoxLayout.Direction.RightToLeft)
        self.header.setMinimumHeight(line.sizeHint().height())
        set_role(self, "section")
        # It is as high as it needs to be at the width that there is, not at the one
        # that a long word in it would like.
        self.setMinimumWidth(1)
        column(self, 0, self.header, self.body)
        self.set_status("")

    def set_status(self, text: str, state: str = TODO) -> None:
        """Say in a few words how the step stands.

        Parameters
        ----------
        text : str
            Such as "2,000 images, 10 classes".
        state : str
            "todo", "active" (the step to do now) or "done".
        """
        self.status.setText(text)
        self._badge.setText("✓" if state == DONE else str(self._number))
        set_role(self._badge, state)
        set_role(self._name, "waiting" if state == TODO else "strong")
        self.header.setAccessibleDescription(f"{state}: {text}")
        said = f"{self._title}: {text}\n" if text else ""
        self.header.setToolTip(f"{said}Click to fold or unfold")

    def set_open(self, is_open: bool) -> None:
        """Unfold or fold the body."""
        self.header.setChecked(is_open)

    @property
    def is_open(self) -> bool:
        """Whether the body is unfolded."""
        return self.header.isChecked()
