"""Bytes in, bytes out. Pure functions without I/O; `docs/format.md` is the specification."""

FORMAT_VERSION = 1
