"""`msgstore copy`: from one store into another."""

from typing import Annotated

from typer import Argument, Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import Durability, LockTimeout, Select, number_from_1, with_filters

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore copy .msgstore /backups/orders
  msgstore copy run.msgpack runs --session last
  msgstore copy .msgstore new --stream 'orders-*' --dry-run
  msgstore copy .msgstore /backups/orders --check

Broken off at any moment, run it again: it goes on where the target ends, and stores no
message twice. Messages keep their revisions, or the copy stops; with filters that take out
parts of streams, or with --renumber, they get new ones. Positions are those of the source
where the target is empty and nothing is left out. The report says what was kept.
"""


@app.command(cls=Command, epilog=EPILOG)
@with_filters
def copy(
    ctx: Context,
    select: Select,
    source: Annotated[str, Argument(metavar="SRC", help="A store or a pack: a path or URL.")],
    target: Annotated[str, Argument(metavar="DST", help="A store, made where there is none.")],
    dry_run: Annotated[
        bool, Option("--dry-run", help="Say what would be copied, and save nothing.")
    ] = False,
    check: Annotated[
        bool,
        Option("--check", help="Only compare; exit with 1 unless DST has it all, in order."),
    ] = False,
    renumber: Annotated[
        bool, Option("--renumber", help="Take the next free revisions where others stand.")
    ] = False,
    no_sessions: Annotated[
        bool, Option("--no-sessions", help="Leave the sessions behind; stamp messages with none.")
    ] = False,
    batch_size: Annotated[
        int,
        Option(
            "--batch-size",
            parser=number_from_1,
            metavar="N",
            help="Messages a commit takes at most.",
        ),
    ] = 1000,
    durability: Durability = None,
    lock_timeout: LockTimeout = 30,
) -> int:
    """Copy messages from one store to another, and compare what stands there."""
    from msgstore.cli.copying import StoreCopy

    writing = {"durability": durability, "lock_timeout_s": lock_timeout}
    work = StoreCopy(ctx.obj, source, target, select, dry_run=dry_run, check=check)
    if dry_run or check:
        return work.compare()
    return work.copy(writing, renumber, not no_sessions, batch_size)
