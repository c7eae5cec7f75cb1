from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.index import weights_of
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import SessionState
from napari_spaceediting.session.traversals import Outcome
from napari_spaceediting.session.weights import Weights


@pytest.fixture(scope="session")
def assert_equal() -> Callable[..., None]:
    """Return a function that compares two values, such as states of a session."""

    kept: set[int] = set()

    def compare(one: Any, other: Any, where: str = "state") -> None:
        """Compare two values down to the last array; pixels by what they read.

        Weights are those of networks that a session can come back to.
        """
        if isinstance(one, SessionState):
            kept.clear()
            kept.update(map(id, weights_of(one.standing)))
        if isinstance(one, Weights) and id(one) not in kept:
            return
        if isinstance(one, ImageDataset):
            assert len(one) == len(other)
            for at in range(0, len(one), 7):
                found = other.original(at)
                assert_array_equal(one.original(at), found, err_msg=f"{where}[{at}]")
                assert one.original(at).dtype == found.dtype
        if isinstance(one, Outcome):
            one, other = one.read(), other.read()
        if is_dataclass(one):
            assert type(one) is type(other), where
            for field in fields(one):
                if field.name != "pixels":
                    values = (getattr(v, field.name) for v in (one, other))
                    compare(*values, f"{where}.{field.name}")
        elif isinstance(one, np.ndarray):
            assert_array_equal(one, other, err_msg=where)
            assert one.dtype == other.dtype, where
        elif isinstance(one, Mapping):
            assert one.keys() == other.keys(), where
            for name, value in one.items():
                compare(value, other[name], f"{where}[{name!r}]")
        elif isinstance(one, tuple) and one and is_dataclass(one[0]):
            assert len(one) == len(other), where
            for at, (a, b) in enumerate(zip(one, other, strict=True)):
                compare(a, b, f"{where}[{at}]")
        else:
            assert one == other or (one != one and other != other), where

    return compare


@pytest.fixture
def pin() -> Callable[..., Pin]:
    """Return a function that pins unlabelled training images of a session."""

    def pin(session: Session, start: int = 0, n: int = 5, tag: str = "3") -> Pin:
        dataset = session.dataset
        free = np.flatnonzero(~dataset.held_out & ~dataset.is_labelled)
        return Pin(free[start : start + n], tag)

    return pin


@pytest.fixture(scope="session")
def proposed_state(trained_state: SessionState) -> SessionState:
    """Return a session with a round, with a new class, that awaits a decision."""
    session = Session(trained_state)
    dataset = session.dataset
    free = np.flatnonzero(~dataset.held_out & ~dataset.is_labelled)
    session.replay([Pin(free[:5], "3"), Pin(free[5:9], "scribble")])
    session.propose(run_job(session.retraining()))
    return session.state


@pytest.fixture
def proposed(proposed_state: SessionState) -> Session:
    """Return a session of its own in the state `proposed_state`."""
    return Session(proposed_state)
