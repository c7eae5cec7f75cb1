"""Conditions on columns, and words."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spaceediting.errors import QueryError
from napari_spaceediting.session.query import matching

COLUMNS = {
    "id": np.array(["a/Coat 1.png", "a/coat 2.png", "b/shirt 3.png", "b/4.png"]),
    "label": np.array(["coat", "coat", "shirt", ""], object),
    "plate": np.array(["B3", "A1", "B3", "C2"]),
    "well number": np.array([1, 2, 3, 4]),
    "area": np.array([1.5, np.nan, -2.0, 8.0]),
    "date": np.array(["2024-01-05", "2025-02-01", "", "2025-11-30"]),
    "round": np.ma.masked_equal(np.array([0, 1, 2, 0]), 0),
    "rejected": np.array([False, True, False, False]),
    "path": np.array([r"C:\data\new", r"C:\data\tmp", "", ""]),
}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('date > 2024 and plate == "B3"', []),
        ("date >= 2024 and plate == 'B3'", [0]),
        ("date > 2024", [1, 3]),
        ("2024 < date", [1, 3]),
        ('date >= "2025-02" and not rejected', [3]),
        ('plate == "B3" or (area > 5)', [0, 2, 3]),
        ('not (plate == "B3" or area > 5)', [1]),
        ("`well number` >= 2 and `well number` < 4", [1, 2]),
        ("1 < `well number` < 4", [1, 2]),
        ("area < -1", [2]),
        ("area != 8", [0, 2]),
        ("round == 1", [1]),
        ("round != 1", [2]),
        ("rejected", [1]),
        ("rejected == True", [1]),
        ('label in ["coat", "shirt"]', [0, 1, 2]),
        ('label not in ("coat", "shirt")', [3]),
        ("`well number` in [1, 4]", [0, 3]),
        ('"coat" in id', [0, 1]),
        ('"coat" not in id', [2, 3]),
        ('label == ""', [3]),
        ("label == plate", []),
        ('LABEL == "coat"', [0, 1]),
        (r'path == "C:\data\new"', [0]),
        ("coat", [0, 1]),
        ("COAT 2.", [1]),
        ('"coat 2"', [1]),
        ("nothing like it", []),
        ("b/4.png", [3]),
        (r"data\tmp", [1]),
        ("", []),
    ],
)
def test_a_condition_means_images(text, rows):
    found = matching(COLUMNS, text)
    assert found.dtype == np.int64
    assert found.tolist() == rows


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('plat == "B3"', "There is no column plat: there are plate"),
        ("plate == B3", "There is no column B3"),
        ("plate = 3", "write == to compare"),
        ("plate == (", "piece is missing"),
        ("plate == 3", "plate holds texts: write 3 in quotes, such as plate == 'B3'"),
        ('area > "3"', "area holds numbers"),
        ("label and rejected", "Say what label is to be"),
        ("plate == label == date == area", "are not both texts, or numbers"),
        ('label in "coat"', "Write in as"),
        ("area in plate", "Write in as"),
        ("3 == 3", "leave “3” out"),
        ("area + 1 > 3", "leave “area + 1” out"),
        ("plate.__class__ == 'x'", "leave “plate.__class__” out"),
        ("__import__('os').system('x') == 0", "leave"),
        ("@area > 3", "piece is missing"),
        ("area[0] > 1", "leave “area[0]” out"),
        ("(lambda: 1)() == 1", "leave"),
        ("[x for x in plate] == 1", "leave"),
        ("area is 3", "leave “3” out"),
        ("area > 1j", "leave “1j” out"),
        ("`no such` > 3", "There is no column no such"),
        ("not " * 3000 + "rejected", "too deep"),
        ("area > " + "9" * 400, "too large"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(text, said):
    with pytest.raises(QueryError) as raised:
        matching(COLUMNS, text)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300
