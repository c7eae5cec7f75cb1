"""Messages: values with large arrays on their way between processes."""

from __future__ import annotations

import io
import os
import threading
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.jobs.messages import BROKEN, receive, send

LARGE = np.arange(700_000, dtype=np.float32)  # two blocks and a part


def deliver(value: object) -> Any:
    """Send a value through a pipe, as a job or a result is."""
    there, here = os.pipe()
    with os.fdopen(here, "wb") as entrance, os.fdopen(there, "rb") as way_out:
        thread = threading.Thread(target=send, args=(entrance, "result", value))
        thread.start()
        kind, unpickle = receive(way_out)
        thread.join()
        entrance.close()
        assert way_out.read() == b""
    assert kind == "result"
    return unpickle()


@pytest.mark.parametrize(
    "array",
    [
        LARGE,
        LARGE.reshape(7, 100_000).T,  # Fortran order
        LARGE[::2],  # with gaps: it has no content in one piece
        LARGE[:5],
        np.empty((0, 3), np.int32),
        np.array(["a", "bc"]),
    ],
)
def test_an_array_arrives_as_it_was_and_can_be_changed(array):
    arrived = deliver(array)
    assert_array_equal(arrived, array)
    assert arrived.dtype == array.dtype
    assert arrived.flags.writeable


def test_several_arrays_keep_their_places():
    arrived = deliver({"state": {"a": LARGE, "b": -LARGE}, "name": "net", "few": [1]})
    assert_array_equal(arrived["state"]["a"], LARGE)
    assert_array_equal(arrived["state"]["b"], -LARGE)
    assert (arrived["name"], arrived["few"]) == ("net", [1])


class Watched(io.BytesIO):
    """Notes what is written in one piece."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[Any] = []

    def write(self, piece: Any) -> int:
        self.written.append(piece)
        return super().write(piece)


def test_contents_are_not_copied_into_the_pickle():
    pipe = Watched()
    send(pipe, "result", (LARGE, LARGE[:5].copy()))
    pieces = [np.frombuffer(piece, np.uint8) for piece in pipe.written]
    assert any(np.shares_memory(piece, LARGE) for piece in pieces)
    assert sum(map(len, pieces)) < LARGE.nbytes + 1000


def test_nothing_is_sent_of_what_cannot_be_pickled():
    pipe = Watched()
    with pytest.raises(TypeError):
        send(pipe, "result", (LARGE, (step for step in ())))
    assert not pipe.written


@pytest.mark.parametrize("end", [0, 1, 50, -1])
def test_a_message_that_is_cut_off_is_told(end):
    pipe = io.BytesIO()
    send(pipe, "result", LARGE)
    with pytest.raises(BROKEN):
        receive(io.BytesIO(pipe.getvalue()[:end]))
