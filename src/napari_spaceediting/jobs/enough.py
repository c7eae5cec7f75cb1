"""Whether the job that runs in this process shall come to its end by the short way.

A job that looks here ends what it can end sooner and gives its usual result, where one
that is cancelled gives none.
"""

from __future__ import annotations

import threading

_wanted = threading.Event()

want, forget, is_wanted = _wanted.set, _wanted.clear, _wanted.is_set
