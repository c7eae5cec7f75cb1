"""Say in words why a file cannot be read."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_spaceediting.data.meaning import Unfit
from napari_spaceediting.errors import DataError, reason_of


@contextmanager
def reading(what: str, path: Path) -> Iterator[None]:
    """Say in words why a file cannot be read, such as an "image".

    Raises
    ------
    DataError
        In place of any other exception.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            # Whoever opens a pipe waits for somebody to write into it.
            raise no_file(what, path)
        yield
    except FileNotFoundError as error:
        raise DataError(
            f"The {what} {path} is missing: put it back, or open the data from where "
            f"it is now."
        ) from error
    except IsADirectoryError as error:
        raise DataError(
            f"The {what} {path} is a folder: leave it out, or rename it."
        ) from error
    except Unfit as error:
        raise DataError(f"The {what} {path} {error}.") from error
    except DataError:
        raise
    except Exception as error:
        # Readers raise anything from OSError to struct.error on a broken file.
        raise DataError(
            f"The {what} {path} cannot be read ({reason_of(error)})."
        ) from error


def no_file(what: str, path: Path) -> DataError:
    """Say that what has the name of a file is a pipe, a device or the like."""
    return DataError(f"The {what} {path} is no file: leave it out.")
