"""`msgstore rebuild-index`: everything but the messages, made anew from the messages."""

from typer import Context, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import LockTimeout

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore rebuild-index
  msgstore rebuild-index && msgstore verify

If a message is missing or damaged nothing is changed and the exit code is 3: see msgstore repair.
"""


@app.command(cls=Command, epilog=EPILOG)
def rebuild_index(ctx: Context, lock_timeout: LockTimeout = 30) -> None:
    """Make index, catalog and journal anew from the segments."""
    from msgstore.backends.repairing import rebuild_index
    from msgstore.cli.output import record_output
    from msgstore.cli.shapes import REPAIR

    output = record_output(ctx.obj, REPAIR)
    path = ctx.obj.store_path("rebuild")
    output.put_all([rebuild_index(path, lock_timeout_s=lock_timeout)])
