"""What the documents name exists, and their commands and keys are the real ones."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from napari_spaceediting.commands.main import main, make_parser
from napari_spaceediting.plugin.keys import KEYS

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
OURS = "https://github.com/napari-spaceediting/napari-spaceediting/blob/main/"
OUR_PICTURES = (
    "https://raw.githubusercontent.com/napari-spaceediting/napari-spaceediting/main/"
)
MOST_BYTES = 250_000


def files_named(document: Path) -> list[Path]:
    """Return the files of the repository that a document links to."""
    text = document.read_text(encoding="utf-8")
    files = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        for start in (OURS, OUR_PICTURES):
            if target.startswith(start):
                files.append(ROOT / target.removeprefix(start))
                break
        else:
            path = target.partition("#")[0]
            if path and "://" not in target:
                files.append(document.parent / path)
    return files


def anchors(text: str) -> set[str]:
    """Return the anchors of headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in words}


def commands(document: Path) -> list[list[str]]:
    """Return the commands in the code blocks of a document, split into words."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [
        shlex.split(line, comments=True)[1:]
        for line in lines
        if line.startswith("napari-spaceediting ")
    ]


SHOWN = [(path.name, words) for path in DOCUMENTS for words in commands(path)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    missing = [str(file) for file in files_named(document) if not file.exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_a_document_lead_to_a_heading(document):
    text = document.read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors(text)


def test_every_picture_is_shown_and_small():
    shown = {file.resolve() for path in DOCUMENTS for file in files_named(path)}
    pictures = sorted((ROOT / "docs" / "pictures").rglob("*.png"))
    assert pictures
    assert [path.name for path in pictures if path.resolve() not in shown] == []
    assert [p.name for p in pictures if p.stat().st_size > MOST_BYTES] == []


@pytest.mark.parametrize(
    "words", [words for _, words in SHOWN], ids=[" ".join(w) for _, w in SHOWN]
)
def test_commands_are_understood(words):
    assert callable(make_parser().parse_args(words).run)


def test_guide_shows_every_command():
    known = set(make_parser()._subparsers._group_actions[0].choices)
    shown = {words[0] for name, words in SHOWN if name == "guide.md"}
    assert shown == known


@pytest.mark.parametrize("name", sorted({words[0] for _, words in SHOWN}))
def test_commands_have_help(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    assert name in capsys.readouterr().out


def test_guide_lists_the_keys():
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    table = guide.split("<!-- keys")[1].split("-->", 1)[1].split("<!-- end")[0]
    rows = [
        f"| `{entry.key.replace('Control-', 'Control+').replace('Shift-', 'Shift+')}` "
        f"| {entry.text} |"
        for entry in KEYS
    ]
    assert table.strip().splitlines() == [
        "| key | what it does |",
        "| --- | --- |",
        *rows,
    ]
