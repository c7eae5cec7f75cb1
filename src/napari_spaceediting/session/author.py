"""Whose edits these are."""

from __future__ import annotations

import getpass
import os

VARIABLE = "SPACEEDITING_AUTHOR"


def author() -> str:
    """Return the name of the user, "" where nobody knows it.

    The environment variable `SPACEEDITING_AUTHOR`, or the name that the system has.
    """
    named = os.environ.get(VARIABLE, "").strip()
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a number that nobody has the name of
        return ""
