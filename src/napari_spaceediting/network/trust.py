"""Backbones from elsewhere that the user has named: only their code is run."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

from napari_spaceediting.data.cache import config_dir
from napari_spaceediting.data.writing import write_file
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.network.spec import FILE, TIMM

_FILE = "trusted-backbones.json"
_IMPORTED = re.compile(r"[\w.]+:[\w.]+")


class UntrustedBackbone(SpaceEditingError):
    """A backbone is code that the user has not named yet."""


def is_timm(name: str) -> bool:
    """Whether a name is that of a model of timm, an installed package: "timm:NAME"."""
    return name.startswith(TIMM)


def is_file(name: str) -> bool:
    """Whether a name says in which file a network is: "file:PATH"."""
    return name.startswith(FILE)


def is_imported(name: str) -> bool:
    """Whether a name says where a function is: "package.module:function"."""
    ours = is_timm(name) or is_file(name)
    return not ours and _IMPORTED.fullmatch(name) is not None


def named(text: str) -> str:
    """Return the name of the backbone that a user means by a text.

    The path of a file that ends in .pt2, .pt or .ts is an exported network, and becomes
    "file:PATH" with an absolute path.
    """
    path = Path(text.removeprefix(FILE)).expanduser()
    if is_file(text) or path.suffix.lower() in (".pt2", ".pt", ".ts"):
        return f"{FILE}{path.absolute()}"
    return text


def is_trusted(name: str) -> bool:
    """Whether a backbone runs no code but ours, or the user has named it before.

    Parameters
    ----------
    name : str
        As in `ClassifierSpec.backbone`.
    """
    runs_code = is_imported(name) or is_file(name)
    return not runs_code or name in _remembered()


def trust(name: str) -> None:
    """Remember for this user that a backbone may be run, such as one just named.

    Raises
    ------
    SpaceEditingError
        If it cannot be written down.
    """
    if is_trusted(name):
        return
    path = config_dir() / _FILE
    names = json.dumps(sorted({*_remembered(), name}), indent=1)
    try:
        write_file(path, names.encode())
    except OSError as error:
        raise SpaceEditingError(
            f"That the backbone {name} is trusted cannot be written into {path} "
            f"({error.strerror or error}): free some space there."
        ) from error


def check_trust(name: str) -> None:
    """Let no backbone be imported that the user has not named.

    Raises
    ------
    UntrustedBackbone
        If it is not trusted.
    """
    if not is_trusted(name):
        raise UntrustedBackbone(
            f"The backbone {name} is code outside of this program, which a session "
            "from somebody else could name to harm you: if you know it, agree when the "
            f"window opens it, or give --trust-backbone {name}."
        )


def _remembered() -> set[str]:
    """Return the names in the file; one that cannot be read holds none."""
    with suppress(OSError, ValueError, TypeError):
        names = json.loads((config_dir() / _FILE).read_text())
        return {name for name in names if isinstance(name, str)}
    return set()
