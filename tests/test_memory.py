"""The limit of memory, as people write it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.memory import (
    VARIABLE,
    array_limit,
    blocks,
    bytes_of,
    memory_limit,
    room,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2e9), ("500 MB", 5e8), ("1.5g", 1.5e9), ("1e9", 1e9), ("64KiB", 64e3)],
)
def test_sizes(text: str, size: float) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "much", "-1GB", "0", "1.2.3", "GB", "1e400", "1e30", "1e300T", "9" * 400],
)
def test_no_sizes(text: str) -> None:
    with pytest.raises(SpaceEditingError, match="no amount of memory"):
        bytes_of(text)


def test_blocks_cover_all_rows_and_keep_to_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    usual = array_limit()
    monkeypatch.setenv(VARIABLE, "64MB")
    assert memory_limit() == 64e6 < usual
    found = list(blocks(2500, 1000))
    assert [rows.start for rows in found] == [0, 1000, 2000]
    assert found[-1].stop == 2500
    # A row that does not fit is worked on all the same.
    assert len(list(blocks(3, 10**9))) == 3


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "4KB")
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    with pytest.raises(SpaceEditingError, match="no room"):
        room((500, 4), np.float32, tmp_path / "new")
    assert not isinstance(room((50, 4), np.float32, tmp_path), np.memmap)
