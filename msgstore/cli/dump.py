"""`msgstore dump`: the bytes of a store with their meaning beside them, as docs/format.md has it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Context, Option, Typer

from msgstore.cli.command import Command, Group
from msgstore.cli.options import number_from_1, whole_number

if TYPE_CHECKING:
    from msgstore.cli.settings import Settings
    from msgstore.engine.dumping import Dumper
    from msgstore.format.annotate import Annotation

EPILOG = """
Examples:
  msgstore dump record 42
  msgstore dump row 42 -o json
  msgstore dump journal
  msgstore dump hint

For those who look into damage. Files are read as they are: nothing is locked, recovered or
changed. The exit code is 3 where something does not hold, a checksum or a length say.
"""

app = Typer(
    name="dump",
    cls=Group,
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.callback()
def dump() -> None:
    """Show bytes of the store's files, field by field."""


RECORD_EPILOG = """
Examples:
  msgstore dump record 42
  msgstore dump record 01939a3c-5b0e-7c21-9a4e-0f6d2b8c1e77 -o json
"""


@app.command(cls=Command, epilog=RECORD_EPILOG)
def record(
    ctx: Context,
    message: Annotated[str, Argument(metavar="POSITION|ID", help="Its position, or its own id.")],
) -> int:
    """Show the record of a message, and whether it is what its index row says."""
    from msgstore.cli.errors import BadUsage

    def look(dumper: "Dumper") -> "Annotation":
        if message.isascii() and message.isdecimal() and len(message) < 19:
            return dumper.record(int(message))
        position = dumper.position_of(message)
        if position is None:
            raise BadUsage(f"no message with id {message!r} is found", "name it by its position")
        return dumper.record(position)

    return _print(ctx.obj, look)


ROW_EPILOG = """
Examples:
  msgstore dump row 42
"""


@app.command(cls=Command, epilog=ROW_EPILOG)
def row(
    ctx: Context,
    position: Annotated[int, Argument(parser=number_from_1, metavar="POSITION")],
) -> int:
    """Show the index row of a position."""
    return _print(ctx.obj, lambda dumper: dumper.row(position))


JOURNAL_EPILOG = """
Examples:
  msgstore dump journal
  msgstore dump journal --entry 3

Entries are numbered as they stand in the file. Those of earlier generations are left over:
they count no more, and are overwritten in time.
"""


@app.command(cls=Command, epilog=JOURNAL_EPILOG)
def journal(
    ctx: Context,
    entry: Annotated[
        int | None,
        Option("--entry", parser=number_from_1, metavar="N", help="Only this one, field by field."),
    ] = None,
) -> int:
    """Show the slots and entries of the journal."""
    if entry is not None:
        return _print(ctx.obj, lambda dumper: dumper.entry(entry))
    from msgstore.cli.output import records_output
    from msgstore.cli.shapes import DUMP

    output = records_output(ctx.obj, DUMP)
    with _dumper(ctx.obj) as dumper:
        parts = list(dumper.journal())
    output.put_all(parts)
    return _exit_code(sum(len(part.problems) for part in parts))


HINT_EPILOG = """
Examples:
  msgstore dump hint
"""


@app.command(cls=Command, epilog=HINT_EPILOG)
def hint(ctx: Context) -> int:
    """Show where the last writer left off."""
    return _print(ctx.obj, lambda dumper: dumper.hint())


FRAME_EPILOG = """
Examples:
  msgstore dump frame catalog 56
  msgstore dump frame sessions 0
  msgstore dump frame streams/3f/orders-1~3f2c9ae1b0c4d5e6f708192a3b4c5d6e.msgpack 128

PATH is a file's path inside the store: of a segment, the catalog, the session log, or of
what recovery set aside in quarantine/.
"""


@app.command(cls=Command, epilog=FRAME_EPILOG)
def frame(
    ctx: Context,
    path: Annotated[str, Argument(metavar="PATH", help="The file, by its path in the store.")],
    offset: Annotated[int, Argument(parser=whole_number, metavar="OFFSET", help="In bytes.")],
) -> int:
    """Show the frame that starts at a byte of a file."""
    return _print(ctx.obj, lambda dumper: dumper.frame(path, offset))


def _print(settings: "Settings", look: "Callable[[Dumper], Annotation]") -> int:
    from msgstore.cli.output import record_output
    from msgstore.cli.shapes import DUMP

    output = record_output(settings, DUMP)
    with _dumper(settings) as dumper:
        found = look(dumper)
    output.put_all([found])
    return _exit_code(len(found.problems))


def _exit_code(problems: int) -> int:
    from msgstore.cli.errors import DAMAGED, DONE

    return DAMAGED if problems else DONE


@contextmanager
def _dumper(settings: "Settings") -> "Iterator[Dumper]":
    """What the operating system refuses in here is told as a refusal to read the store."""
    from msgstore.backends.registry import store_path
    from msgstore.disk.files import RealDisk
    from msgstore.engine.dumping import Dumper
    from msgstore.engine.failures import unreadable

    path = store_path(settings.store_url)
    try:
        yield Dumper(RealDisk(path))
    except OSError as error:
        raise unreadable(path, error) from error
