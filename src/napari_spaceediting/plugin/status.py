"""What the sections of the Space Editor show: pure functions of a few plain facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum

from napari_spaceediting.editing.edits import NO_EDITS
from napari_spaceediting.plugin.widgets.section import ACTIVE, DONE, TODO
from napari_spaceediting.wording import counted

BUSY = "Wait until the running work is done, or cancel it."
DRAWING = (
    "The map is being drawn anew: relabel images meanwhile (R); they can be moved and "
    "pinned when it is there."
)
TO_DECIDE = "Accept or roll back the last round first (Evidence)."
KEEP_MAP = "Retrain with the edits, or take them back, before a new map."
NO_IMAGES = "Open images first"
NO_NETWORK = "Train a network first"


class Step(StrEnum):
    """The steps of the work, in their order; each has a section."""

    DATA = "data"
    NETWORK = "network"
    MAP = "map"
    GUIDANCE = "guidance"
    EDITS = "edits"
    RETRAIN = "retrain"
    RESULTS = "results"


class Work(Enum):
    """What the training process is doing."""

    NOTHING = "nothing"
    TRAVERSAL = "traversal"
    """One may edit meanwhile."""
    MAPPING = "mapping"
    """One may say meanwhile what images are, but not where they belong."""
    RETRAINING = "retraining"
    OTHER = "other"


@dataclass(frozen=True)
class Facts:
    """What the sections depend on.

    Parameters
    ----------
    n_images : int
        Images that are open, 0 for none.
    at_risk : bool
        Whether there is work that is not saved and does not save itself.
    backbone, method : str
        Of the network and of the map that the session shows; "" for none.
    n_edits : int
        Open edits.
    no_lesson : str
        Why a network can learn nothing from them; "" where it can.
    keeps_map : bool
        Whether open edits were made on the present map.
    awaits : bool
        Whether a round awaits a decision.
    past : str
        Why nothing can be edited on the earlier map that is looked at; "" for the
        present one.
    is_reading : bool
        Whether images or proposals are being read.
    work : Work
        What the training process is doing.
    review : (int, int)
        The proposal at hand, from 1, and how many there are; (0, 0) for none.
    """

    n_images: int = 0
    at_risk: bool = False
    backbone: str = ""
    method: str = ""
    n_edits: int = 0
    no_lesson: str = NO_EDITS
    keeps_map: bool = False
    awaits: bool = False
    past: str = ""
    is_reading: bool = False
    work: Work = Work.NOTHING
    review: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class SectionState:
    """What a section shows.

    Parameters
    ----------
    text : str
        How its step stands, in a few words.
    mark : str
        "todo", "active" (the step to do now) or "done".
    closed : str
        Why the section cannot be opened at all, in place of `text`; "" if it can.
    blocked : str
        Why its panel cannot be used just now; "" if it can.
    """

    text: str = ""
    mark: str = TODO
    closed: str = ""
    blocked: str = ""


def locked(facts: Facts) -> str:
    """Return why nothing can be edited now; "" where it can."""
    if facts.work in (Work.RETRAINING, Work.OTHER):
        return BUSY
    return facts.past or (TO_DECIDE if facts.awaits else "")


def no_places(facts: Facts) -> str:
    """Return why images can neither be moved nor pinned now; "" where they can."""
    return locked(facts) or (DRAWING if facts.work is Work.MAPPING else "")


def why_no_adding(facts: Facts) -> str:
    """Return why no images can be added now; "" where they can."""
    return BUSY if facts.work is not Work.NOTHING else ""


def why_no_new_map(facts: Facts) -> str:
    """Return why no network can be trained and no map drawn now; "" where it can."""
    return _occupied(facts) or (KEEP_MAP if facts.keeps_map else "")


def sections(facts: Facts) -> Mapping[Step, SectionState]:
    """Return what every section shows."""
    if not facts.n_images:
        waits = dict.fromkeys(Step, SectionState(closed=NO_IMAGES))
        return waits | {Step.DATA: SectionState(mark=ACTIVE, blocked=_reading(facts))}
    count = counted(facts.n_images, "image")
    closed = "" if facts.backbone else NO_NETWORK
    at, proposals = facts.review
    occupied = _occupied(facts)
    teaches = not facts.no_lesson
    is_retraining = facts.work is Work.RETRAINING
    to_decide = locked(facts) == TO_DECIDE
    return {
        Step.DATA: SectionState(
            f"● not saved · {count}" if facts.at_risk else count,
            DONE,
            blocked=_reading(facts),
        ),
        Step.NETWORK: SectionState(
            facts.backbone,
            DONE if facts.backbone else ACTIVE,
            blocked=why_no_new_map(facts),
        ),
        Step.MAP: SectionState(facts.method.upper(), DONE, closed),
        Step.GUIDANCE: SectionState(
            f"{at} of {proposals}" if proposals else "",
            ACTIVE if proposals else TODO,
            closed,
        ),
        Step.EDITS: SectionState(
            counted(facts.n_edits, "edit") if facts.n_edits else "",
            ACTIVE if teaches else TODO,
            closed,
        ),
        Step.RETRAIN: SectionState(
            "running" if is_retraining else "to decide" if to_decide else "",
            ACTIVE if teaches or facts.awaits else TODO,
            closed,
            occupied or facts.no_lesson,
        ),
        Step.RESULTS: SectionState(blocked=_reading(facts) or facts.past),
    }


def _occupied(facts: Facts) -> str:
    """Return why the training process cannot be asked; "" where it can."""
    return BUSY if facts.work is not Work.NOTHING else locked(facts)


def _reading(facts: Facts) -> str:
    return BUSY if facts.is_reading else ""


@dataclass(frozen=True)
class Folding:
    """What happens to the sections at a turn of the work.

    Parameters
    ----------
    opened : tuple of Step
        Sections that are unfolded.
    folded : tuple of Step
        Sections that are folded.
    scrolls : bool
        Whether the last one that is opened comes into view.
    """

    opened: tuple[Step, ...]
    folded: tuple[Step, ...] = ()
    scrolls: bool = True


class Turn(Enum):
    """What the work turns to, and what happens to the sections then."""

    TRAINING = Folding((Step.NETWORK,))
    EDITING = Folding((Step.MAP, Step.GUIDANCE), (Step.DATA, Step.NETWORK))
    """There is a map to work on."""
    FIRST_EDIT = Folding((Step.RETRAIN,), scrolls=False)
    """The user looks at the map, and goes on with it."""
    REVIEW = Folding((Step.GUIDANCE,), (Step.MAP,))
    RETRAINING = Folding((Step.RETRAIN,), (Step.GUIDANCE,))
