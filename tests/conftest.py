"""What holds for all tests."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# How long an example takes says something about the machine, not about the code.
settings.register_profile("msgstore", deadline=None)
settings.load_profile("msgstore")

# The tests may themselves be recorded by `msgstore run`: what they save is none of its messages. And a
# terminal of theirs has the size that they give it.
for name in [*os.environ]:
    if name.startswith("MSGSTORE_") or name in ("TRACEPARENT", "COLUMNS", "LINES"):
        del os.environ[name]

# A shell lets what it starts in the background ignore Ctrl-C, and every program that a test starts
# would do so too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
