from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.editing.image_edits import Move, Pin, Relabel
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.spec import TrainSettings
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.session import Session, new_session
from napari_spaceediting.session.state import SessionState


@pytest.fixture(scope="session")
def table(tmp_path_factory, small_digits) -> Path:
    """Return a table of 90 digits in files, of four classes, some without a label."""
    folder = tmp_path_factory.mktemp("digits")
    some = np.flatnonzero(small_digits.columns["truth"] < 4)[:90]
    names = [f"{at}.png" for at in some]
    for at, name in zip(some, names, strict=True):
        Image.fromarray(small_digits.original(at)).save(folder / name)
    truth = small_digits.columns["truth"][some].astype(str).astype(object)
    label = np.where(np.arange(len(some)) % 3 == 2, "", truth)
    site = np.array(["north", "south"])[np.arange(len(some)) % 2]
    rows = {"path": names, "label": label, "site": site, "doubt": np.arange(len(some))}
    pd.DataFrame(rows).to_csv(folder / "images.csv", index=False)
    return folder / "images.csv"


@pytest.fixture(scope="session")
def edited(table) -> SessionState:
    """Return a session on the table, with a round of edits behind it and edits open."""
    import torch

    torch.set_num_threads(1)
    session = new_session(
        run_job(OpenDataset(table)),
        train=TrainSettings(trainable="head", device="cpu"),
        map_settings=MapSettings(method="pca"),
    )
    session.set_retrain_settings(replace(session.state.retrain, device="cpu"))
    session.take_network(run_job(session.training()))
    session.take_map(run_job(session.mapping()))
    free = np.flatnonzero(~session.dataset.held_out & ~session.dataset.is_labelled)
    session.author = "Ada"
    session.replay([Pin(free[:3], "1"), Relabel(free[3:5], "odd, é")])
    session.propose(run_job(session.retraining()))
    session.accept()
    places = session.edits.positions
    move = Move(free[5:6], places[free[5:6]], places[free[5:6]] + 1, tag="2")
    session.replay([move, Relabel(free[:1], None)])
    return session.state


@pytest.fixture
def session(edited) -> Session:
    """Return a session of its own in the state `edited`."""
    return Session(edited)
