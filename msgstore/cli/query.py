"""`msgstore query`: messages of the whole store that match."""

from typing import Annotated

from typer import Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import Last, Limit, Reverse, Select, SkipDamaged, with_filters

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore query --correlation-id corr-1
  msgstore query -t OrderPlaced -t OrderShipped --since yesterday --last 20
  msgstore query --json '{"orderId": "ord-1"}' --where 'total>=100'
  msgstore query --stream 'orders-*' --fields position,type,data.total -o csv
  msgstore query --kind command --since 1h --count
  msgstore query --request-id req-7 -e >/dev/null || echo missing

All filters must hold. Times: 2026-11-23T14:30 (local, or with Z or an offset), 14:30,
today, yesterday, 90s, 1h, '1h ago', 2d, 3w, epoch seconds; both ends are included.
"""


@app.command(cls=Command, epilog=EPILOG)
@with_filters
def query(
    ctx: Context,
    select: Select,
    limit: Limit = None,
    last: Last = None,
    reverse: Reverse = False,
    count: Annotated[bool, Option("--count", help="Print only how many.")] = False,
    exit_status: Annotated[
        bool, Option("-e", "--exit-status", help="Exit with 1 if nothing matches.")
    ] = False,
    skip_damaged: SkipDamaged = False,
) -> int:
    """Print the messages that match."""
    from msgstore.cli.damage import Damage
    from msgstore.cli.errors import DONE, NEGATIVE
    from msgstore.cli.reading import Window, matching, print_messages

    window = Window(limit, last, reverse)
    with ctx.obj.open_store() as store:
        filter = select(store)
        damage = Damage(store, skip_damaged)
        if not count:
            found = print_messages(ctx.obj, window.of(matching(store, filter, damage)))
        elif skip_damaged:  # rows alone would count what cannot be read
            found = window.cap(sum(1 for _ in store.get_all_messages(filter, **damage.options)))
        else:
            found = window.cap(store.count_messages(filter))
        if count:
            print(found)
    return damage.exit_code(NEGATIVE if exit_status and not found else DONE)
