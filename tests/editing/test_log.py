from __future__ import annotations

from napari_spaceediting.editing.edits import Withdraw
from napari_spaceediting.editing.log import EditLog

A, B, C = Withdraw(0), Withdraw(1), Withdraw(2)


def test_undo_and_redo_walk_the_same_way():
    log = EditLog().append(A).append(B)
    assert log.undo().undo() == EditLog((), (A, B))
    assert log.undo().undo().redo().redo() == log


def test_a_new_edit_ends_what_could_be_redone():
    assert EditLog((A, B)).undo().append(C) == EditLog((A, C))


def test_at_the_ends_nothing_happens():
    log = EditLog((A,))
    assert log.redo() is log
    assert EditLog().undo() == EditLog()
