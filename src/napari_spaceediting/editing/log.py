"""The list of edits since the last accepted round, with undo and redo."""

from __future__ import annotations

from dataclasses import dataclass

from napari_spaceediting.editing.edits import Edit


@dataclass(frozen=True)
class EditLog:
    """Edits done, and edits undone that can be redone.

    A log is a value: every change returns a new one.
    """

    done: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()

    def append(self, edit: Edit) -> EditLog:
        """Add an edit; what was undone can no longer be redone."""
        return EditLog((*self.done, edit))

    def undo(self) -> EditLog:
        """Take the last edit back; the same log where there is none."""
        if not self.done:
            return self
        return EditLog(self.done[:-1], (self.done[-1], *self.undone))

    def redo(self) -> EditLog:
        """Do the last undone edit again; the same log where there is none."""
        if not self.undone:
            return self
        return EditLog((*self.done, self.undone[0]), self.undone[1:])
