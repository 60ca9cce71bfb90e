"""`msgstore wait`: until a message is there."""

from typing import Annotated

from typer import Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import Select, SkipDamaged, duration, with_filters

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore wait --request-id req-7 --kind event --timeout 30s
  msgstore wait --session "$MSGSTORE_SESSION" -t WorkerReady --timeout 1m

  from=$(($(msgstore query --count) + 1))    # before what will save the message begins
  ./server & msgstore wait -t ServerReady --from-position "$from" --timeout 30s

A message that is there already counts where --from-position, --since, --session, --id or another
id says which one is meant. Else only messages count that arrive from now on.
"""


@app.command(cls=Command, epilog=EPILOG)
@with_filters
def wait(
    ctx: Context,
    select: Select,
    timeout: Annotated[
        float | None,
        Option(
            "--timeout",
            parser=duration,
            metavar="TIME",
            help="Exit 124 when it has not come by then: 30s, 5m [wait for ever].",
        ),
    ] = None,
    skip_damaged: SkipDamaged = False,
) -> int:
    """Wait for a message that matches, and print it."""
    from msgstore.cli.damage import Damage
    from msgstore.cli.errors import DONE, TIMED_OUT
    from msgstore.cli.output import records_output
    from msgstore.cli.shapes import MESSAGE
    from msgstore.cli.waiting import await_store, first_to_come

    output = records_output(ctx.obj, MESSAGE)
    with await_store(ctx.obj) as store:
        wanted = select(store)
        damage = Damage(store, skip_damaged)
        found = first_to_come(store, wanted, timeout, damage)
        if found is not None:
            output.put_all([found])
    return damage.exit_code(TIMED_OUT if found is None else DONE)
