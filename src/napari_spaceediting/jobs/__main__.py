"""The background process: takes one job after another and reports back.

Started by `WorkerProcess`, which sends to its standard input and hears its output.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable
from typing import IO, Any

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.jobs import enough
from napari_spaceediting.jobs.job import Job, Progress
from napari_spaceediting.jobs.messages import BROKEN, receive, send

# Shortest time between two messages of progress that say the same words.
_SECONDS_PER_PROGRESS = 0.05


class Server:
    """Runs the jobs that arrive on a pipe, and answers on another."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes]) -> None:
        self._requests = requests
        self._answers = answers
        self._jobs: queue.SimpleQueue[Callable[[], Job[Any]]] = queue.SimpleQueue()
        self._cancelled = threading.Event()  # belongs to the latest job

    def serve(self) -> None:
        """Run jobs until the other side hangs up."""
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        while True:
            self._run(self._jobs.get())

    def _listen(self) -> None:
        """Take messages; end the process, whatever it does, when the parent is gone."""
        try:
            while True:
                kind, unpickle = receive(self._requests)
                if kind == "enough":
                    enough.want()
                elif kind == "run":
                    self._cancelled.clear()
                    enough.forget()
                    self._jobs.put(unpickle)
                else:
                    self._cancelled.set()
        except BROKEN:
            os._exit(0)

    def _run(self, unpickle: Callable[[], Job[Any]]) -> None:
        try:
            steps = unpickle().run()
            words: str | None = None
            waiting: Progress | None = None
            next_time = 0.0
            while not self._cancelled.is_set():
                try:
                    progress = next(steps)
                except StopIteration as end:
                    if waiting is not None:
                        self._send("progress", waiting)
                    self._send("result", end.value)
                    return
                now = time.monotonic()
                is_part = progress.finished is not None  # which is never left out
                if is_part or progress.message != words or now >= next_time:
                    self._send("progress", progress)
                    words, waiting = progress.message, None
                    next_time = now + _SECONDS_PER_PROGRESS
                else:
                    waiting = progress
            steps.close()
            self._send("cancelled")
        except SpaceEditingError as error:
            self._send("failed", (type(error), str(error), ""))
        except Exception as error:
            words = (str(error).strip().splitlines() or [""])[0].rstrip(".")
            name = type(error).__name__
            message = f"{name}: {words}" if words else name
            self._send("failed", (None, message, traceback.format_exc()))

    def _send(self, kind: str, value: object = None) -> None:
        send(self._answers, kind, value)


def main() -> None:
    """Serve the process that started this one."""
    # Ctrl-C in the terminal is meant for the parent, which decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(5)
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # What jobs and libraries print is no answer: it goes where errors go.
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    Server(requests, answers).serve()


if __name__ == "__main__":
    main()
