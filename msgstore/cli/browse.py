"""`msgstore browse`: a screen to look around in a store."""

from typing import Annotated, Literal

from typer import Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import Select, with_filters

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore browse
  msgstore browse --session last
  msgstore browse -t OrderPlaced --since yesterday
  msgstore --store run.msgpack browse

Begins with the newest messages and goes on with what arrives. Keys: / filters, Enter opens, r and
s lead to runs and streams, y copies the equivalent command, ? lists all keys, q leaves.
Needs Textual: pip install 'msgstore[tui]'.
"""


@app.command(cls=Command, epilog=EPILOG)
@with_filters
def browse(
    ctx: Context,
    select: Select,
    theme: Annotated[
        Literal["dark", "light"], Option("--theme", help="The ground it is drawn on [dark].")
    ] = "dark",
) -> None:
    """Look around in a store: runs, streams, messages, and those that arrive."""
    from msgstore.cli.browsing import browse_store

    browse_store(ctx.obj, select, theme)
