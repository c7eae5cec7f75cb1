"""The versions of the format of a session, with a step from each to the next.

A step is a function of the values in ``session.json``. What may be missing, such as a
new setting, needs none, and neither does what goes: whatever reads it leaves it out and
says so. What gets another meaning, or is needed from now on, does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Values = dict[str, Any]
Say = Callable[[str], object]

VERSION = 6


def brought_up(values: Mapping[str, Any], say: Say) -> Values:
    """Return the values of a session in the present format.

    Parameters
    ----------
    values : mapping
        As they were read, of this version or an earlier one.
    say : callable
        Takes a sentence for the user about each thing that is not as it was.

    Raises
    ------
    KeyError, TypeError
        If they are not those of a session, or there was no such version.
    """
    values = dict(values)
    while values["version"] != VERSION:
        version = values["version"]
        values = {**_STEPS[version](values, say), "version": version + 1}
    return values


def _to_2(values: Values, say: Say) -> Values:
    """Leave out the edit "spare", with which edits spoke for the images around them.

    Answers and traversals came while this was the version.
    """
    rounds, log = values["rounds"], values["log"]
    done = _without_spares(log["done"], say)
    # What an undone edit takes back is counted from the first that was done.
    undone = _without_spares(log["done"] + log["undone"], say)[len(done) :]
    traversals = values.get("traversals", [])
    return {
        "answers": [],
        **values,
        "traversals": [_traversal_of_2(one, say) for one in traversals],
        "log": {"done": done, "undone": undone},
        "rounds": [
            {**past, "edits": _without_spares(past["edits"], say)} for past in rounds
        ],
    }


def _without_spares(edits: list[Values], say: Say) -> list[Values]:
    """Leave out edits that spared images, and what took those back.

    An edit is taken back by its number in the list, which becomes another.
    """
    kept: list[Values] = []
    numbers: dict[int, int] = {}
    for number, edit in enumerate(edits):
        if edit["kind"] == "spare":
            say(
                "Edits that spared images are left out: no edit speaks for the images "
                "around it any more."
            )
            continue
        if edit["kind"] == "withdraw":
            if edit["number"] not in numbers:
                continue
            edit = {**edit, "number": numbers[edit["number"]]}
        numbers[number] = len(kept)
        kept.append(edit)
    return kept


def _traversal_of_2(kept: Values, say: Say) -> Values:
    outcome = kept["outcome"]
    settings = dict(outcome["settings"])
    if settings.pop("method", "dmt") == "dfi":
        say(
            "A traversal was made by the quick interpolation, which this version does "
            "without: what came of it is as it was."
        )
    for name in ("kernel_mean", "tv_weight"):
        settings.pop(name, None)
    return {**kept, "outcome": {**outcome, "settings": settings}}


def _to_3(values: Values, say: Say) -> Values:
    """Change nothing: networks of rounds that were rolled back may lack their file."""
    return values


def _to_4(values: Values, say: Say) -> Values:
    """Let rounds keep the recipe that they were made with; have no axes and habits yet.

    Evidence has one difference to each arm: where a training was repeated, that over
    the seeds.
    """
    return {
        **values,
        "rounds": [
            {
                **past,
                "settings": {**past["settings"], "recipe": "descent"},
                "evidence": _evidence_of_4(past["evidence"]),
            }
            for past in values["rounds"]
        ],
        "axes": [],
        "habits": {},
    }


def _evidence_of_4(evidence: Values) -> Values:
    rest = dict(evidence)
    over = {**rest["over"], **rest.pop("over_seeds")}
    return {**rest, "over": over, "looks": 1}


def _to_5(values: Values, say: Say) -> Values:
    """Let classes have their keys themselves.

    The arrays of a checkpoint may lie in one file.
    """
    habits = dict(values["habits"])
    keys = habits.pop("keys", None)
    values = {**values, "habits": habits}
    if not keys:
        return values

    def with_keys(end: Values) -> Values:
        return {**end, "traits": {"key": keys}}

    return {
        **values,
        "checkpoint": with_keys(values["checkpoint"]),
        "rounds": [
            {
                **past,
                "before": with_keys(past["before"]),
                "after": with_keys(past["after"]),
            }
            for past in values["rounds"]
        ],
    }


def _to_6(values: Values, say: Say) -> Values:
    """Show images as at first; selections can be saved from now on."""
    return {**values, "look": {"channels": []}}


_STEPS = {1: _to_2, 2: _to_3, 3: _to_4, 4: _to_5, 5: _to_6}
