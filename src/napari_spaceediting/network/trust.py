"""Backbones of other packages that the user has named: only their code is run."""

from __future__ import annotations

import json
import re
from contextlib import suppress

from napari_spaceediting.data.cache import config_dir
from napari_spaceediting.data.writing import write_file
from napari_spaceediting.errors import SpaceEditingError

_FILE = "trusted-backbones.json"
_IMPORTED = re.compile(r"[\w.]+:[\w.]+")


class UntrustedBackbone(SpaceEditingError):
    """A backbone is code that the user has not named yet."""


def is_imported(name: str) -> bool:
    """Whether a name says where a function is: "package.module:function"."""
    return _IMPORTED.fullmatch(name) is not None


def is_trusted(name: str) -> bool:
    """Whether a backbone runs no code but ours, or the user has named it before.

    Parameters
    ----------
    name : str
        As in `ClassifierSpec.backbone`.
    """
    return not is_imported(name) or name in _remembered()


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
