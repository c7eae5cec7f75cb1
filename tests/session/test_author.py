from __future__ import annotations

import json

import numpy as np

from napari_spaceediting.editing.edits import Withdraw
from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.session.codec import edits_from
from napari_spaceediting.session.storage import load_session, save_session


def test_an_edit_says_whose_it_is_and_when_it_was_made(trained_session, tmp_path):
    trained_session.author = "Ada"
    given = Relabel(np.array([1]), "3", author="Ben", made="2026-01-01T00:00:00+00:00")
    trained_session.replay([Relabel(np.array([0]), "3"), given, Withdraw(0)])
    folder = tmp_path / "one.spaceediting"
    save_session(trained_session.state, folder)
    own, of_another, taken_back = load_session(folder).log.done
    assert own.author == taken_back.author == "Ada"
    assert own.made == trained_session.state.log.done[0].made != ""
    assert (of_another.author, of_another.made) == (given.author, given.made)


def test_edits_that_say_nothing_of_it_are_written_without(trained_session):
    ids = trained_session.dataset.ids
    entries = [{"kind": "relabel", "images": [str(ids[0])], "tag": "3"}]
    (edit,) = edits_from(json.loads(json.dumps(entries)), ids)
    assert (edit.author, edit.made) == ("", "")
