from __future__ import annotations

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.codec import edits_from
from napari_spaceediting.session.export.certainty import held_out_of
from napari_spaceediting.session.export.exporting import exporting
from napari_spaceediting.session.session import Session, new_session


@pytest.fixture
def page(session, tmp_path):
    written = run_job(exporting(session, tmp_path / "report.html"))
    return written.path.read_text("utf-8")


def test_a_report_needs_nothing_but_itself(page):
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert loaded
    assert all(address.startswith("data:") for address in loaded)


def test_a_report_has_the_figures_of_the_window(session, page):
    evidence = session.state.rounds[0].evidence
    for arm in evidence.arms.values():
        low, high = arm.interval
        said = f"{arm.accuracy:.1%} (95% interval {low:.1%} to {high:.1%})"
        assert said in page
    for gain in evidence.over.values():
        low, value, high = (100 * x for x in (gain.low, gain.value, gain.high))
        assert f"{value:+.1f} ({low:+.1f} to {high:+.1f})" in page
    measured = evidence.arms["after"]
    rows = re.findall(r"<tr><th>(.*?)</th>(<td.*?)</tr>", page)
    counts = [[int(n) for n in re.findall(r">(\d+)<", cells)] for _, cells in rows]
    assert counts == measured.confusion.tolist()
    for sentence in held_out_of(session).certainty().describe():
        assert sentence in page


def test_a_report_counts_labels_as_they_are_now(session, page):
    edits, split = session.edits, session.dataset.split
    of = re.findall(r"<tr><td>([^<]+)</td><td class=\"n\">([\d,]+)</td>", page)
    counts = {name: int(count) for name, count in of}
    train = np.bincount(edits.labels[split == 0] + 1)
    assert counts["no label"] == train[0]
    assert counts["odd, é"] == train[1 + edits.class_names.index("odd, é")]


def test_the_worst_mistakes_are_shown(session, tmp_path):
    checkpoint = session.state.checkpoint
    probabilities = checkpoint.network.predictions.probabilities
    test = np.flatnonzero((session.dataset.split == 2) & session.dataset.is_labelled)
    labels = checkpoint.labels.copy()
    labels[test[:3]] = (probabilities[test[:3]].argmax(axis=1) + 1) % 4
    state = replace(session.state, checkpoint=replace(checkpoint, labels=labels))
    run_job(exporting(Session(state), tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count("<figure>") == 3
    worst = test[probabilities[test[:3]].max(axis=1).argmax()]
    first = page[page.index("<figure>") : page.index("</figure>")]
    assert str(session.dataset.ids[worst]) in first
    assert f"{probabilities[worst].max():.0%}" in first


def test_the_edits_in_it_repeat_the_round(session, page):
    kept = re.search(r'download="round-1.json" href="[^,]+,([^"]+)"', page)
    entries = json.loads(base64.b64decode(kept[1]))
    again = edits_from(entries, session.dataset.ids)
    assert [edit.tag for edit in again] == ["1", "odd, é"]
    assert "retrain again.spaceediting --edits round-1.json --accept" in page
    assert "<li>Moved 1 image to 2</li>" in page


def test_names_are_no_code(session, tmp_path):
    from napari_spaceediting.editing.image_edits import Relabel

    session.apply(Relabel(np.array([0]), "<script>alert(1)</script>"))
    run_job(exporting(session, tmp_path / "report.html"))
    assert "<script>" not in (tmp_path / "report.html").read_text("utf-8")


def test_a_session_without_a_network_has_a_report(session, tmp_path):
    fresh = new_session(session.dataset)
    run_job(exporting(fresh, tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "No network has been trained yet" in page
    with pytest.raises(SessionError, match="could not be written"):
        run_job(exporting(fresh, tmp_path / "no" / "report.html"))
