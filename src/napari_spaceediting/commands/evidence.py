"""The command `evidence`, and what is told of a round."""

from __future__ import annotations

import textwrap
from argparse import Namespace
from typing import TYPE_CHECKING

from napari_spaceediting.commands.command import Commands, Report, at_least_one
from napari_spaceediting.errors import SessionError

if TYPE_CHECKING:
    from napari_spaceediting.editing.evidence import Evidence
    from napari_spaceediting.session.session import Session


def add_to(commands: Commands) -> None:
    """Add it."""
    parser = commands.add_on_session(
        "evidence", "Show what a round did.", _evidence, saves=False
    )
    parser.add_argument(
        "--round", type=at_least_one, help="from 1; the last by default"
    )


def _evidence(session: Session, options: Namespace) -> Report:
    n_rounds = len(session.state.rounds)
    number = n_rounds if options.round is None else options.round
    if not 1 <= number <= n_rounds:
        raise SessionError(
            f"There is no round {number}: choose one from 1 to {n_rounds}."
            if n_rounds
            else "The session has no round yet: retrain first."
        )
    return report_on_round(session, number)


def report_on_round(session: Session, number: int) -> Report:
    """Report what a round did, counted from 1."""
    from napari_spaceediting.session.codec import Codec
    from napari_spaceediting.session.export.certainty import calibrated_in_words

    past = session.state.rounds[number - 1]
    ids = session.dataset.ids
    values = Codec().unstructure(past.evidence)
    for name in ("fixed", "broken", "edited"):
        values[name] = ids[getattr(past.evidence, name)].tolist()
    values = {
        "round": number,
        "status": past.status.value,
        "verdict": past.evidence.verdict(),
        "headroom_share": past.evidence.headroom_share,
        **values,
    }
    said = "" if past.damage else calibrated_in_words(session.dataset, past.after)
    return Report(values, [*evidence_in_words(past.evidence), *filter(None, [said])])


def evidence_in_words(evidence: Evidence) -> list[str]:
    """Return the accuracy of all arms, what the edits gained, and the verdict."""
    from napari_spaceediting.editing.arms import ARMS

    repeated = evidence.seeds > 1
    lines = []
    if evidence.arms:
        first = ", first repetition" if repeated else ""
        lines.append(
            f"Accuracy on {evidence.n_images:,} {evidence.measured_on} images{first}:"
        )
    for name, arm in ARMS.items():
        if name in evidence.arms:
            score = evidence.arms[name]
            low, high = score.interval
            told = f"{score.accuracy:6.1%}   95% interval {low:.1%} to {high:.1%}"
            lines.append(f"  {name:9} {told:40}   {arm.how}".rstrip())
    certain = [
        n for n in ARMS if n in evidence.arms and evidence.arms[n].log_loss is not None
    ]
    if certain:
        lines.append("Log-loss, and the error of calibration:")
    for name in certain:
        score = evidence.arms[name]
        lines.append(f"  {name:9} {score.log_loss:6.3f}   {score.calibration:.1%}")
    if "before" in evidence.arms:
        lines.append(
            f"  {len(evidence.fixed)} of the images were fixed and "
            f"{len(evidence.broken)} broken since before."
        )
    if evidence.over:
        often = f", over {evidence.seeds} repetitions" if repeated else ""
        lines.append(f"Points that after is better than the others{often}:")
    for name in ARMS:
        gain = evidence.over.get(name)
        if gain is not None:
            low, value, high = (100 * x for x in (gain.low, gain.value, gain.high))
            lines.append(
                f"  {name:9} {value:+6.1f}   95% interval {low:+.1f} to {high:+.1f}"
            )
    said = (evidence.verdict(), evidence.cautions())
    return [*lines, *(textwrap.fill(words, 79) for words in said if words)]
