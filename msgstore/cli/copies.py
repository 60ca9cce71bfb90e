"""What `backup` and `restore` say."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgstore.cli.escape import visible
from msgstore.cli.settings import Settings
from msgstore.cli.tally import counted

if TYPE_CHECKING:
    from msgstore.model.results import BackupResult


def copy_printer(settings: Settings, done: str) -> "Callable[[BackupResult], None]":
    """What prints the outcome: a sentence for people, else JSON. Wrong flags fail here, before a copy."""
    from msgstore.cli.output import record_output
    from msgstore.cli.shapes import COPIED

    if settings.output_format("table") not in ("table", "wide") or settings.fields:
        output = record_output(settings, COPIED)
        return lambda result: output.put_all([result])
    return lambda result: None if settings.quiet else print(visible(_sentence(done, result)))


def _sentence(done: str, result: "BackupResult") -> str:
    checked = "all of it" if result.verified == "all" else "what was copied"
    if not result.messages:
        text = f"{result.path} ends at position {result.position:,}: no messages were to be copied"
        return f"{text}, all of it was verified" if result.verified == "all" else text
    count = counted(result.messages, "message")
    place = f"{result.path}, which ends at position {result.position:,}"
    return f"{done} {count} ({result.bytes:,} bytes) to {place}; {checked} was verified"
