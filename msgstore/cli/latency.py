"""`msgstore latency`: how long it takes from one type of message to another."""

from typing import Annotated

from typer import Argument, Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import Produced, Select, with_filters

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore latency PlaceOrder OrderPlaced
  msgstore latency OrderPlaced OrderShipped --since 1d -o json
  msgstore latency Heartbeat Heartbeat --session last --produced

Counts within a correlation. A message of type B takes one A that came before it and has no B
yet: the one that it names as its cause; else the one with its request id; else the one that
waits longest.
"""


@app.command(cls=Command, epilog=EPILOG)
@with_filters
def latency(
    ctx: Context,
    from_type: Annotated[str, Argument(metavar="A", help="The type of message that begins.")],
    to_type: Annotated[str, Argument(metavar="B", help="The type of message that ends.")],
    select: Select,
    produced: Produced = False,
    exit_status: Annotated[
        bool, Option("-e", "--exit-status", help="Exit with 1 if there is no such pair.")
    ] = False,
) -> int:
    """Print percentiles of the time between two types of message in a correlation."""
    from dataclasses import replace

    from msgstore.analysis.latency import measure
    from msgstore.cli.errors import DONE, NEGATIVE, BadUsage
    from msgstore.cli.output import record_output
    from msgstore.cli.shapes import LATENCY

    if not from_type or not to_type:
        raise BadUsage("the type of a message is empty", "msgstore stats --by type lists them")
    with ctx.obj.open_store() as store:
        filter = select(store)
        if filter.names is not None:
            raise BadUsage("--type: the types are A and B", "leave it out")
        wanted = replace(filter, message_names=(from_type, to_type))
        found = measure(
            store.get_all_messages(wanted),
            from_type,
            to_type,
            "produced" if produced else "recorded",
        )
    record_output(ctx.obj, LATENCY).put_all([found])
    return NEGATIVE if exit_status and not found.count else DONE
