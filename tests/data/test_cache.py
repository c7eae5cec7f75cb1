"""Folders that cannot be written: a temporary one takes their place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_spaceediting.commands.main import main
from napari_spaceediting.data import cache
from napari_spaceediting.data.cache import CONFIG, VARIABLE, cache_dir
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.network.trust import is_trusted, trust


@pytest.fixture
def nowhere(tmp_path, monkeypatch) -> Path:
    """Name a folder that can never be made, for caches and for what is remembered."""
    (tmp_path / "file").write_text("in the way")
    folder = tmp_path / "file" / "folder"
    for variable in VARIABLE, CONFIG, "NUMBA_CACHE_DIR":
        monkeypatch.setenv(variable, str(folder))
    return folder


def test_a_temporary_folder_takes_its_place_and_that_is_said_once(nowhere):
    told = []
    folder = cache_dir(told.append)
    (folder / "something").write_text("kept")
    assert cache_dir(told.append) == folder
    (sentence,) = told
    assert str(nowhere) in sentence
    assert VARIABLE in sentence
    # Processes that are started from here use it too, and so does numba.
    assert os.environ[VARIABLE] == str(folder)
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder / "numba")


def test_it_ends_with_the_program(nowhere):
    code = (
        "from napari_spaceediting.data.cache import cache_dir\n"
        "print(cache_dir(lambda sentence: None))"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip() != str(nowhere)
    assert not Path(done.stdout.strip()).exists()


def test_without_any_folder_it_is_a_sentence(nowhere, monkeypatch):
    def none(prefix: str) -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(cache.tempfile, "mkdtemp", none)
    with pytest.raises(SpaceEditingError, match=f"nor into a temporary.*{VARIABLE}"):
        cache_dir()


def test_commands_work_without_a_home(nowhere, tmp_path, capsys):
    images = np.random.default_rng(0).integers(0, 255, (40, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(40) % 2)
    folder = str(tmp_path / "a.spaceediting")
    assert main(["new", str(tmp_path / "a.npz"), folder]) == 0
    assert "Nothing can be written into" in capsys.readouterr().out
    for words in (["train", folder, "--epochs", "1"], ["extract", folder]):
        assert main(words) == 0
        assert "Nothing can be written" not in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:Nothing can be written")
def test_who_is_trusted_is_known_without_a_home(nowhere):
    trust("a:backbone")
    assert is_trusted("a:backbone")
    assert not is_trusted("another:backbone")
