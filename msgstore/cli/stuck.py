"""`msgstore stuck`: commands that no event answers."""

from typing import Annotated

from typer import Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import Limit, Select, SkipDamaged, duration, with_filters

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore stuck
  msgstore stuck --after 5m -e
  msgstore stuck --stream 'orders-*' --since yesterday --fields position,type,ageMs
  msgstore stuck --type msgstore.Run

An event answers a command if it was recorded after it, and has the same request id, or the
command's own id as its causation id. Filters choose the commands, not the answers.
"""


@app.command(cls=Command, epilog=EPILOG)
@with_filters
def stuck(
    ctx: Context,
    select: Select,
    after: Annotated[
        float,
        Option(
            "--after",
            parser=duration,
            metavar="TIME",
            help="Only those that are so old: 90s, 5m, 1h, 2d.",
            show_default=False,
        ),
    ] = 0,
    limit: Limit = None,
    count: Annotated[bool, Option("--count", help="Print only how many.")] = False,
    exit_status: Annotated[
        bool, Option("-e", "--exit-status", help="Exit with 1 if there are any.")
    ] = False,
    skip_damaged: SkipDamaged = False,
) -> int:
    """Print the commands that no event answers, oldest first."""
    from functools import partial
    from itertools import islice

    from msgstore.analysis.stuck import unanswered
    from msgstore.cli.damage import Damage
    from msgstore.cli.errors import DONE, NEGATIVE, BadUsage
    from msgstore.cli.output import check_message, records_output
    from msgstore.cli.records import StuckCommand
    from msgstore.cli.shapes import STUCK
    from msgstore.cli.times import moment_before, utc_now
    from msgstore.model.message import MessageType

    now = utc_now()
    with ctx.obj.open_store() as store:
        wanted = select(store)
        if wanted.kind is MessageType.EVENT:
            raise BadUsage("--kind event: only commands can be stuck", "leave --kind out")
        damage = Damage(store, skip_damaged)
        read = partial(store.get_all_messages, **damage.options)
        found = islice(unanswered(read, wanted, moment_before(now, after)), limit)
        if count:
            number = sum(1 for _ in found)
            print(number)
        else:
            output = records_output(ctx.obj, STUCK)
            output.put_all(StuckCommand.at(check_message(stored), now) for stored in found)
            number = output.count
    return damage.exit_code(NEGATIVE if exit_status and number else DONE)
