"""Parcels: values with large arrays on their way between processes."""

from __future__ import annotations

import threading
from multiprocessing import Pipe
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.jobs.parcel import Parcel

LARGE = np.arange(700_000, dtype=np.float32)  # two blocks and a part


def deliver(value: object) -> Any:
    """Send a value through a pipe, as a job or a result is."""
    here, there = Pipe()
    parcel = Parcel.pack(value)
    thread = threading.Thread(target=parcel.send, args=(here, "result", 7))
    thread.start()
    kind, number, received = Parcel.receive(there)
    thread.join()
    assert (kind, number) == ("result", 7)
    assert not there.poll()
    return received.unpack()


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


def test_large_contents_are_not_copied_into_the_pickle():
    parcel = Parcel.pack((LARGE, LARGE[:5].copy()))
    assert len(parcel.pickled) < 1000
    assert [content.nbytes for content in parcel.contents] == [LARGE.nbytes]
    assert np.shares_memory(np.asarray(parcel.contents[0]), LARGE)
