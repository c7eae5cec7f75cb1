"""Where two people differ is told beside the edits, and selected."""

from __future__ import annotations

import numpy as np

from napari_spaceediting.editing.edits import Withdraw
from napari_spaceediting.editing.image_edits import Pin


def test_what_two_people_call_otherwise_is_selected(window):
    at, session = window.movable[:6], window.session
    panel = window.panels.edits
    session.apply(Pin(at, "3", author="Ada"))
    assert panel.agreement.button.isHidden()
    session.replay([Pin(at[:4], "3", author="Ben"), Pin(at[4:], "5", author="Ben")])
    assert panel.agreement.label.text().startswith("Ada and Ben agree on 4 of 6 images")
    panel.agreement.button.click()
    np.testing.assert_array_equal(window.state.selected, at[4:])
    # It is told and shown as what contradicts itself, until one of both is taken out.
    first = window.session.dataset.ids[at[4]]
    window.wait(lambda: panel.contradiction.label.text())
    assert panel.contradiction.label.text() == (
        f"Image {first} was called 3 by Ada, but 5 by Ben. And 1 more contradiction."
    )
    panel.contradiction.button.click()
    np.testing.assert_array_equal(window.state.selected, at[4:5])
    session.apply(Withdraw(2))
    window.wait(lambda: panel.contradiction.isHidden())
