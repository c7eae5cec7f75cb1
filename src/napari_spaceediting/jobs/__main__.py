"""The background process: takes one job after another and reports back.

Started by `WorkerProcess`, which writes the address to call and the key to show
as one line of JSON to the standard input.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Client, Connection
from typing import Any

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.jobs.parcel import Parcel

# Shortest time between two messages of progress that say the same words.
_SECONDS_PER_PROGRESS = 0.05


class Server:
    """Runs the jobs that arrive on a connection."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._jobs: queue.SimpleQueue[tuple[int, Parcel]] = queue.SimpleQueue()
        self._cancelled = -1  # every job up to this number is to stop

    def serve(self) -> None:
        """Run jobs until the other side hangs up."""
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        while True:
            number, packed = self._jobs.get()
            self._run(number, packed)

    def _listen(self) -> None:
        """Take messages; end the process, whatever it does, when the parent is gone."""
        try:
            while True:
                kind, number, parcel = Parcel.receive(self._connection)
                if kind == "run":
                    self._jobs.put((number, parcel))
                else:
                    self._cancelled = number
        except (EOFError, OSError):
            os._exit(0)

    def _run(self, number: int, packed: Parcel) -> None:
        try:
            steps = packed.unpack().run()
            words: str | None = None
            waiting: Progress | None = None
            next_time = 0.0
            while self._cancelled < number:
                try:
                    progress = next(steps)
                except StopIteration as end:
                    if waiting is not None:
                        self._send("progress", number, waiting)
                    self._send("result", number, end.value)
                    return
                now = time.monotonic()
                is_part = progress.finished is not None  # which is never left out
                if is_part or progress.message != words or now >= next_time:
                    self._send("progress", number, progress)
                    words, waiting = progress.message, None
                    next_time = now + _SECONDS_PER_PROGRESS
                else:
                    waiting = progress
            steps.close()
            self._send("cancelled", number)
        except SpaceEditingError as error:
            self._send("failed", number, (type(error), str(error), ""))
        except Exception as error:
            words = (str(error).strip().splitlines() or [""])[0].rstrip(".")
            name = type(error).__name__
            message = f"{name}: {words}" if words else name
            self._send("failed", number, (None, message, traceback.format_exc()))

    def _send(self, kind: str, number: int, value: object = None) -> None:
        Parcel.pack(value).send(self._connection, kind, number)


def main() -> None:
    """Call back the process that started this one, and serve it."""
    # Ctrl-C in the terminal is meant for the parent, which decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(5)
    call = json.loads(sys.stdin.readline())
    address = call["address"]
    if isinstance(address, list):
        address = tuple(address)
    with Client(address, authkey=bytes.fromhex(call["key"])) as connection:
        Server(connection).serve()


if __name__ == "__main__":
    main()
