from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spaceediting.commands.main import main
from napari_spaceediting.session.storage import save_session


@pytest.fixture
def command(capsys, tmp_path):
    """Return a function that runs a command and returns its JSON."""

    def command(*arguments: object, code: int = 0) -> Any:
        capsys.readouterr()
        assert main([*map(str, arguments), "--json", "-"]) == code
        out, err = capsys.readouterr()
        if code:
            assert out == ""
            assert len(err.strip().splitlines()) == 1, "one sentence"
            return err
        assert err.strip(), "what people read goes to the standard error"
        return json.loads(out, parse_constant=lambda name: pytest.fail(name))

    return command


@pytest.fixture(scope="module")
def images(tmp_path_factory, small_digits) -> Path:
    """Return a file with 300 digits and their classes."""
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    pixels = np.stack([small_digits.original(at) for at in range(300)])
    np.savez(path, images=pixels, labels=small_digits.columns["truth"])
    return path


@pytest.fixture
def folder(tmp_path: Path, trained_state) -> Path:
    """Return the folder of a session with a network and a map."""
    save_session(trained_state, tmp_path / "one.spaceediting")
    return tmp_path / "one.spaceediting"


@pytest.fixture
def edits(tmp_path: Path, trained_state) -> Path:
    dataset = trained_state.dataset
    free = np.flatnonzero(~dataset.held_out & ~dataset.is_labelled)
    entries = [
        {"kind": "pin", "images": dataset.ids[free[:6]].tolist(), "tag": "3"},
        {"kind": "relabel", "images": dataset.ids[free[6:8]].tolist(), "tag": "new é"},
    ]
    path = tmp_path / "edits.json"
    path.write_text(json.dumps(entries, ensure_ascii=False), encoding="utf-8")
    return path
