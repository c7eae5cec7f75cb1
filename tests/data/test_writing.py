"""A file is replaced in one step, or stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import pytest

from napari_spaceediting.data.writing import UNFINISHED, write_file


def test_a_file_takes_the_place_of_what_was_there(tmp_path):
    target = tmp_path / "target"
    target.write_bytes(b"of somebody")
    (tmp_path / "link").symlink_to(target)
    for name in ("new", "link"):
        write_file(tmp_path / name, b"one")
        write_file(tmp_path / name, lambda file: file.write(b"other"))
        assert (tmp_path / name).read_bytes() == b"other"
        assert not (tmp_path / name).is_symlink()
    assert target.read_bytes() == b"of somebody"


def test_whoever_is_stopped_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    write_file(path, b"before")
    seen: list[Path] = []

    def stop(file: IO[bytes]) -> None:
        file.write(b"half")
        seen.extend({*tmp_path.iterdir()} - {path})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_file(path, stop)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
    # What a killed process leaves is known by its name.
    assert len(seen) == 1
    assert UNFINISHED.fullmatch(seen[0].name)
