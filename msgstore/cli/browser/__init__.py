"""The screens of `msgstore browse`. Textual is known here only, and loaded by that command alone."""
