from __future__ import annotations

import json

import numpy as np
import pytest

from napari_spaceediting.editing.answers import Answer, ProposalKind
from napari_spaceediting.editing.edits import Edit, Withdraw, describe
from napari_spaceediting.editing.evidence import Evidence, gather_evidence
from napari_spaceediting.editing.image_edits import Intent, Move, Pin, Relabel, Reset
from napari_spaceediting.errors import EditError
from napari_spaceediting.session.codec import Codec, edits_from

IDS = np.array([f"image-{n}" for n in range(6)])
PLACES = np.arange(12, dtype=np.float32).reshape(6, 2)


def move(*indices: int, tag: str | None = "dog", intent=Intent.BELONGS) -> Move:
    at = np.array(indices)
    return Move(at, PLACES[at], PLACES[at] + 50, intent, tag)


EVERY_KIND = (
    move(2, 0),
    move(1, tag=None),
    move(1, 2, 3, tag=None, intent=Intent.ARRANGE),
    Pin(np.array([4, 1]), "zebra"),
    Pin(np.array([3]), "cat", {"dog": 0.3, "zebra": 0.1}),
    Relabel(np.array([5]), "cat"),
    Relabel(np.array([0]), None),
    Reset(np.array([0])),
    Withdraw(1),
)


@pytest.mark.parametrize("edit", EVERY_KIND, ids=describe)
def test_an_edit_survives_json_by_the_ids_of_its_images(assert_equal, edit):
    text = json.dumps(Codec(IDS).unstructure(edit))
    assert_equal(Codec(IDS).structure(json.loads(text), Edit), edit)


def test_ids_hold_where_the_images_stand_in_another_order():
    values = Codec(IDS).unstructure(Pin(np.array([1, 4]), "cat"))
    assert values == {"kind": "pin", "images": ["image-1", "image-4"], "tag": "cat"}
    (back,) = edits_from([values], IDS[::-1])
    assert back.indices.tolist() == [4, 1]


def test_a_move_may_say_no_more_than_where_to(assert_equal):
    values = {"kind": "move", "images": ["image-1"], "end": [3, 4]}
    (found,) = edits_from([values], IDS)
    place = np.array([[3, 4]], np.float32)
    assert_equal(found, Move(np.array([1]), place, place))


@pytest.mark.parametrize("tag", ["K\u00e4fer", " K\u00e4fer ", "Ka\u0308fer"])
def test_a_tag_is_read_as_labels_are(tag):
    values = {"kind": "pin", "images": IDS[:1].tolist(), "tag": tag}
    (edit,) = edits_from([values], IDS)
    assert edit.tag == "K\u00e4fer"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "pin", "images": ["image-1", "who"], "tag": "cat"}, "'who'"),
        ({"kind": "pin", "images": ["image-1"], "tag": None}, "cannot be read"),
        ({"kind": "pin", "images": ["image-1"], "tag": 3}, "no text"),
        ({"kind": "relabel", "images": ["image-1"], "tag": 3}, "no text"),
        ({"kind": "pin", "images": ["image-1"]}, "'tag'"),
        ({"kind": "move", "images": ["image-1"], "end": "far"}, "cannot be read"),
        ({"kind": "move", "images": ["image-1"], "end": [1, 2, 3]}, "cannot be read"),
        ({"kind": "move", "images": ["image-1"]}, "'end'"),
        ({"kind": "push", "images": ["image-1"]}, "no kind of edit"),
        ({"kind": ["push"], "images": ["image-1"]}, "cannot be read"),
        ({"kind": "reset", "images": [["image-1"]]}, "cannot be read"),
        ({"kind": "withdraw", "number": "1"}, "no whole number"),
        ({"images": ["image-1"]}, "'kind'"),
        ("move it", "cannot be read"),
    ],
)
def test_what_is_no_edit_is_refused(values, words):
    with pytest.raises(EditError, match=words):
        edits_from([values], IDS)


def test_an_answer_survives_json(assert_equal):
    answer = Answer(ProposalKind.MISLABELLED, np.array([2]), False, (0.1, 1 / 3, 1.0))
    values = json.loads(json.dumps(Codec(IDS).unstructure(answer)))
    assert values["images"] == ["image-2"]
    assert_equal(Codec(IDS).structure(values, Answer), answer)
    with pytest.raises(EditError, match="'image-2'"):
        Codec(IDS[:2]).structure(values, Answer)


TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
OTHER = np.array([1, 0, 0, 0, 1, 1, 1, 1, 1, 0])


def evidence(again=(), n: int = 10, **predicted) -> Evidence:
    """Return evidence on the first n of ten images, of which none is an owl."""
    return gather_evidence(
        measured_on="test",
        held_out=np.arange(n),
        truth=TRUTH[:n],
        class_names=("cat", "dog", "owl"),
        predicted=predicted,
        again=again,
        chance=bool(again),
        looks=3,
        drift=0.25,
        edited=np.array([3, 5]),
        tags=np.array([0, 1]),
        said={"after": np.full((n, 3), 1 / 3, np.float32)},
    )


@pytest.mark.parametrize(
    "found",
    [
        evidence(before=OTHER, after=TRUTH, control=TRUTH),
        evidence(
            again=[{"after": TRUTH, "control": OTHER, "ceiling": TRUTH}],
            before=TRUTH, after=OTHER, control=TRUTH, ceiling=TRUTH,
        ),
        evidence(before=TRUTH, after=TRUTH),
        evidence(before=np.full(10, -1), after=TRUTH),
        evidence(n=0, before=OTHER, after=TRUTH),
    ],
    ids=["control", "repeated", "no control", "from scratch", "nothing measured"],
)  # fmt: skip
def test_evidence_survives_json(assert_equal, found):
    text = json.dumps(Codec().unstructure(found), allow_nan=False)
    back = Codec().structure(json.loads(text), Evidence)
    assert back.verdict() == found.verdict()
    assert_equal(back, found)
