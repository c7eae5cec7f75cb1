from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_spaceediting.editing.edits import Pin
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import SessionState


@pytest.fixture
def pin() -> Callable[..., Pin]:
    """Return a function that pins unlabelled training images of a session."""

    def pin(session: Session, start: int = 0, n: int = 5, tag: str = "3") -> Pin:
        dataset = session.dataset
        free = np.flatnonzero(~dataset.held_out & ~dataset.is_labelled)
        return Pin(free[start : start + n], tag)

    return pin


@pytest.fixture(scope="session")
def proposed_state(trained_state: SessionState, cache_dir) -> SessionState:
    """Return a session with a round, with a new class, that awaits a decision."""
    session = Session(trained_state, cache_dir)
    dataset = session.dataset
    free = np.flatnonzero(~dataset.held_out & ~dataset.is_labelled)
    session.replay([Pin(free[:5], "3"), Pin(free[5:9], "scribble")])
    session.propose(run_job(session.retraining()))
    return session.state


@pytest.fixture
def proposed(proposed_state: SessionState, cache_dir) -> Session:
    """Return a session of its own in the state `proposed_state`."""
    return Session(proposed_state, cache_dir)
