"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# How long an example takes says something about the machine, not about the code.
settings.register_profile("msgstore", deadline=None)
settings.load_profile("msgstore")

# The tests may themselves be recorded by `msgstore run`: what they save is none of its messages.
for name in [*os.environ]:
    if name.startswith("MSGSTORE_") or name == "TRACEPARENT":
        del os.environ[name]
