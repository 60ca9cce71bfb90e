"""`msgstore tail`: the latest messages, and those to come."""

from typing import Annotated

from typer import Argument, Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.completion import complete_stream
from msgstore.cli.options import (
    Select,
    SkipDamaged,
    number_from_1,
    seconds,
    whole_number,
    with_filters,
)

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore tail
  msgstore tail -f -t OrderPlaced
  msgstore tail -f orders-1 -n 0 --until-count 1 --timeout 30
  msgstore tail -f --cursor-file seen.json -o jsonl | consumer

With --cursor-file the first call prints what it would without, and each later one all that
came after what was printed. The file is written after the output was handed on: if the
process is killed in between, the last message is printed again, and none is missed.
"""


@app.command(cls=Command, epilog=EPILOG)
@with_filters
def tail(
    ctx: Context,
    select: Select,
    stream_id: Annotated[
        str | None,
        Argument(metavar="[STREAM]", help="Only this stream.", autocompletion=complete_stream),
    ] = None,
    count: Annotated[
        int | None,
        Option(
            "-n",
            "--limit",
            parser=whole_number,
            metavar="N",
            help="Begin with the last N [10; all after a position or cursor].",
        ),
    ] = None,
    follow: Annotated[bool, Option("-f", "--follow", help="Go on with what arrives.")] = False,
    cursor_file: Annotated[
        str | None,
        Option("--cursor-file", metavar="FILE", help="Begin after what was printed last time."),
    ] = None,
    timeout: Annotated[
        float | None,
        Option(
            "--timeout",
            parser=seconds,
            metavar="SECONDS",
            help="With -f: exit 124 when nothing comes for so long.",
        ),
    ] = None,
    until_count: Annotated[
        int | None,
        Option("--until-count", parser=number_from_1, metavar="N", help="Stop after N messages."),
    ] = None,
    skip_damaged: SkipDamaged = False,
) -> int:
    """Print the last messages, and with -f those that arrive."""
    from msgstore.cli.damage import Damage
    from msgstore.cli.errors import BadUsage
    from msgstore.cli.tailing import Tail, narrow

    if timeout is not None and not follow:
        raise BadUsage("--timeout waits for messages to come", "add -f")
    with ctx.obj.open_store() as store:
        wanted = narrow(select(store), stream_id)
        damage = Damage(store, skip_damaged)
        tail = Tail(ctx.obj, store, wanted, cursor_file, until_count, damage)
        return damage.exit_code(tail.run(count, follow, timeout))
