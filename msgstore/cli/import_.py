"""`msgstore import`: messages out of a file into the store."""

from typing import Annotated, Literal

from typer import Argument, Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import Durability, LockTimeout, Session, number_from_1

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore import orders.jsonl --dry-run
  msgstore --store copy import run.msgpack
  consumer | msgstore import - --format cloudevents

A message whose id is known is not stored again: after an error or an interrupt run it
again. Positions, revisions and times are given by the store that imports, the session by
--session as in `save`; into an empty store all of another comes with its own places.
"""


@app.command("import", cls=Command, epilog=EPILOG)
def import_(
    ctx: Context,
    path: Annotated[str, Argument(metavar="FILE", help="What to read; - for stdin.")],
    format: Annotated[
        Literal["jsonl", "cloudevents", "cloudevents-batch", "sqlite", "pack", "reference"] | None,
        Option(
            "--format",
            metavar="FORMAT",
            help="jsonl, cloudevents, cloudevents-batch, sqlite, pack or reference"
            " [by the content].",
        ),
    ] = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Read and check everything, and save nothing.")
    ] = False,
    session: Session = None,
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
) -> None:
    """Save the messages of a file that `export` made, or others; each id once."""
    from msgstore.cli.importing import import_file

    writing = {"durability": durability, "lock_timeout_s": lock_timeout}
    import_file(ctx.obj, path, format, dry_run, session, batch_size, writing)
