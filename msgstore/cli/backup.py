"""`msgstore backup`: a copy of the store, made while it is in use."""

from typing import Annotated

from typer import Argument, Context, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import LockTimeout, Verify

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore backup /backups/orders
  msgstore --store /var/lib/orders backup /backups/orders --verify all
  msgstore --store /backups/orders query --since yesterday

The copy is a store. Run it again and only what came since is copied. Writers are not held
up. After damage in what is to be copied (exit code 3) an earlier copy is what it was.
"""


@app.command(cls=Command, epilog=EPILOG)
def backup(
    ctx: Context,
    dest: Annotated[str, Argument(metavar="DEST", help="The folder of the copy.")],
    verify: Verify = "copied",
    lock_timeout: LockTimeout = 30,
) -> None:
    """Copy the store, or bring an earlier copy up to date."""
    from msgstore.backends.backups import backup_store
    from msgstore.backends.registry import store_path
    from msgstore.cli.copies import copy_printer

    tell = copy_printer(ctx.obj, "backed up")
    source, path = store_path(ctx.obj.store_url), store_path(dest)
    tell(backup_store(source, path, verify=verify, lock_timeout_s=lock_timeout))
