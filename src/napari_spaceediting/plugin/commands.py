"""What has a key on the map, as commands of napari's palette.

The manifest names them; a test holds it and the table of keys together.
"""

from __future__ import annotations

from collections.abc import Callable

from napari_spaceediting.plugin.keys import KEYS


def __getattr__(name: str) -> Callable[[], None]:
    """Return a command of the table of keys, which acts on the current window."""
    if all(key.command != name for key in KEYS):
        raise AttributeError(f"There is no command {name!r}.")

    def command() -> None:
        from napari import current_viewer

        from napari_spaceediting.plugin.state import warn
        from napari_spaceediting.plugin.workbench import workbench_of

        bench = workbench_of(current_viewer())
        if bench.state.session is None:
            bench.show_docks()
            warn("There are no images yet: open some in the Space Editor.")
            return
        bench.commands()[name]()

    return command
