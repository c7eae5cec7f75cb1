"""The versions of the format of a session, with a step from each to the next.

A step is a function of the values in ``session.json``. What may be missing, such as a
new setting, needs none; what gets another meaning, or is needed from now on, does.
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
    """Leave out what did not help, and say so.

    That is the edit "spare" with the propagation that it kept from an image, the
    corrections without a human that were no mere comparison, three objectives, the
    answers to second looks, and the quick way of a traversal with two of its weights.
    Answers and traversals came while this was the version.
    """
    rounds, log = values["rounds"], values["log"]
    done = _without_spares(log["done"], say)
    # What an undone edit takes back is counted from the first that was done.
    undone = _without_spares(log["done"] + log["undone"], say)[len(done) :]
    answers = values.get("answers", [])
    asked_once = [answer for answer in answers if answer["kind"] != "second look"]
    if len(asked_once) < len(answers):
        say("Answers to second looks are left out: nothing is asked twice any more.")
    for number, past in enumerate(rounds, 1):
        if gone := _gone_from(past["settings"]):
            say(
                f"Round {number} was made with {gone}, which this version does "
                "without: what came of it is as it was."
            )
    if gone := _gone_from(values["retrain"]):
        say(
            f"The next round was to be made with {gone}, which this version does "
            "without: it takes the defaults."
        )
    return {
        **values,
        "log": {"done": done, "undone": undone},
        "rounds": [
            {
                **past,
                "edits": _without_spares(past["edits"], say),
                "settings": _settings_of_2(past["settings"]),
            }
            for past in rounds
        ],
        "retrain": _settings_of_2(values["retrain"]),
        "answers": asked_once,
        "traversals": [
            _traversal_of_2(one, say) for one in values.get("traversals", [])
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


def _gone_from(settings: Values) -> str:
    """Return in words what a round of version 1 had that there is no more; or ""."""
    gone = [
        f"the objective “{settings['objective']}”"
        if settings.get("objective") in _GONE_OBJECTIVES
        else "",
        "corrections without a human" if settings.get("automatic") else "",
        "edits that speak for similar images" if settings.get("propagate") else "",
    ]
    *others, last = [words for words in gone if words] or [""]
    return f"{', '.join(others)} and {last}" if others else last


def _settings_of_2(settings: Values) -> Values:
    gone = {"automatic", "propagate"}
    if settings.get("objective") in _GONE_OBJECTIVES:
        gone.add("objective")
    return {name: value for name, value in settings.items() if name not in gone}


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

    There is one objective now: others, and the arrangement of a space, taught nothing
    that held. Evidence has one difference to each arm: where a training was repeated,
    that over the seeds.
    """
    for number, past in enumerate(values["rounds"], 1):
        if (objective := past["settings"].get("objective", "anchor")) != "anchor":
            say(
                f"Round {number} was made with the objective “{objective}”, which this "
                "version does without: what came of it is as it was."
            )
    return {
        **values,
        "rounds": [
            {
                **past,
                "settings": {**_settings_of_4(past["settings"]), "recipe": "descent"},
                "evidence": _evidence_of_4(past["evidence"]),
            }
            for past in values["rounds"]
        ],
        "retrain": _settings_of_4(values["retrain"]),
        "axes": [],
        "habits": {},
    }


def _settings_of_4(settings: Values) -> Values:
    gone = "objective", "arrange_weight"
    return {name: value for name, value in settings.items() if name not in gone}


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


_GONE_OBJECTIVES = "regression", "projective", "distill"

_STEPS = {1: _to_2, 2: _to_3, 3: _to_4, 4: _to_5, 5: _to_6}
