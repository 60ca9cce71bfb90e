"""`msgstore trace`: what led to what."""

from typing import Annotated

from typer import Argument, Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import Produced, Select, number_from_1, whole_number, with_filters

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore trace 42
  msgstore trace corr-1 --timeline
  msgstore trace --session last -t PlaceOrder -t OrderPlaced
  msgstore trace corr-1 -o jsonl | jq 'select(.trace.slowest)'

A message stands below the one that its causation id names; else an event below the command
with its request id; else the beginning of a child correlation, <parent>-<ms>-<random>, below
the first message of its parent. Whatever is linked to what was asked for is shown, and with
filters only what matches them; without an argument all that matches.
"""


@app.command(cls=Command, epilog=EPILOG)
@with_filters
def trace(
    ctx: Context,
    select: Select,
    target: Annotated[
        str | None,
        Argument(
            metavar="[ID|POSITION|CORRELATION]",
            help="A message's id or position, a correlation id, or a request id.",
        ),
    ] = None,
    timeline: Annotated[
        bool, Option("--timeline", help="Draw a lane for each stream instead.")
    ] = False,
    produced: Produced = False,
    limit: Annotated[
        int, Option("-n", "--limit", parser=number_from_1, metavar="N", help="At most N messages.")
    ] = 10_000,
    look_ahead: Annotated[
        int,
        Option(
            "--look-ahead",
            parser=whole_number,
            metavar="N",
            help="Positions behind each message to look for child correlations in.",
        ),
    ] = 1000,
    exit_status: Annotated[
        bool, Option("-e", "--exit-status", help="Exit with 1 if there is an orphan or a cycle.")
    ] = False,
) -> int:
    """Show the tree of causes that a message or a correlation belongs to."""
    from msgstore.cli.errors import DONE, NEGATIVE
    from msgstore.cli.tracing import Trace

    with ctx.obj.open_store() as store:
        found = Trace(store, select(store), "produced" if produced else "recorded")
        found.find(target, limit, look_ahead)
    found.print(ctx.obj, timeline)
    return NEGATIVE if exit_status and found.is_broken else DONE
