"""`msgstore restore`: a new store from a backup, or from the beginning of one."""

from typing import Annotated

from typer import Argument, Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import LockTimeout, Verify, number_from_1
from msgstore.model.errors import StoreNotFound


class _NoBackup(StoreNotFound):
    advice = "name the folder of a backup, as `msgstore backup` makes it"


app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore restore /backups/orders --store /var/lib/orders
  msgstore restore /backups/orders --store ./before-the-accident --to-position 8000

--store names the new store. Where there is one already nothing is done: exit code 5.
"""


@app.command(cls=Command, epilog=EPILOG)
def restore(
    ctx: Context,
    backup: Annotated[str, Argument(metavar="BACKUP", help="The folder of the backup.")],
    to_position: Annotated[
        int | None,
        Option(
            "--to-position",
            parser=number_from_1,
            metavar="N",
            help="Only the commits that end at this position or before.",
        ),
    ] = None,
    verify: Verify = "copied",
    lock_timeout: LockTimeout = 30,
) -> None:
    """Make the store that --store names from a backup."""
    from msgstore.backends.backups import restore_store
    from msgstore.backends.registry import store_path
    from msgstore.cli.copies import copy_printer

    tell = copy_printer(ctx.obj, "restored")
    path = store_path(ctx.obj.store_url)
    try:
        result = restore_store(
            store_path(backup), path, to_position, verify=verify, lock_timeout_s=lock_timeout
        )
    except StoreNotFound as error:
        raise _NoBackup(error.path) from error
    tell(result)
    if to_position is not None and result.position != to_position:
        ctx.obj.say(f"the last commit up to position {to_position:,} ends at {result.position:,}")
