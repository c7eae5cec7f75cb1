"""What the documents name exists, and their commands and keys are the real ones."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from napari_spaceediting.commands.main import main, make_parser
from napari_spaceediting.plugin.keys import KEYS

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
)
PAGES = [path for path in DOCUMENTS if "results" not in path.parts]
PACKAGE = ROOT / "src" / "napari_spaceediting"
NAPARI = {
    "File", "IO Utilities", "Layers", "Open Sample", "Plugins", "Preferences",
    "Visualize", "Features table widget", "Plugin Preferences",
}  # fmt: skip
"""Words of napari's own menus."""
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


def name_of(document: Path) -> str:
    """Return a document's path in the repository."""
    return document.relative_to(ROOT).as_posix()


SHOWN = [(name_of(path), words) for path in DOCUMENTS for words in commands(path)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document):
    missing = [str(file) for file in files_named(document) if not file.exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
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


def test_every_command_is_shown_somewhere():
    known = set(make_parser()._subparsers._group_actions[0].choices)
    assert {words[0] for _, words in SHOWN} == known


@pytest.mark.parametrize("name", sorted({words[0] for _, words in SHOWN}))
def test_commands_have_help(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    assert name in capsys.readouterr().out


def menus(document: Path) -> set[str]:
    """Return the words of the window on the ways that a document tells to go."""
    text = " ".join(document.read_text(encoding="utf-8").split())
    ways = re.findall(r"(?<![*\w])\*([^*]*?(?: > [^*]+|…))\*(?![*\w])", text)
    return {word.strip(" ▾") for way in ways for word in way.split(" > ")}


@pytest.mark.parametrize("document", PAGES, ids=name_of)
def test_words_of_the_window_are_the_real_ones(document, words_of_the_window):
    missing = menus(document) - NAPARI
    assert {word for word in missing if word not in words_of_the_window} == set()


@pytest.fixture(scope="module")
def words_of_the_window() -> str:
    """Return all strings of the window's code, end to end."""
    files = [*(PACKAGE / "plugin").rglob("*.py"), PACKAGE / "napari.yaml"]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_files_of_the_code_that_are_named_exist(document):
    text = document.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:\w+/)+(?:\w+\.\w+)?)`", text))
    parts = {path.partition("/")[0] for path in named}
    ours = {
        part for part in parts if (PACKAGE / part).exists() or (ROOT / part).exists()
    }
    missing = [
        path
        for path in named
        if path.partition("/")[0] in ours
        and not any((start / path).exists() for start in (PACKAGE, ROOT))
    ]
    assert missing == []


def test_tables_of_the_documentation_say_all_keys(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    from tables import keys

    head, *rows = keys()
    assert [text for _, text in rows] == [entry.text for entry in KEYS]
    assert ("Control+Shift+Z", "Redo") in rows
    assert head == ("key", "what it does")
