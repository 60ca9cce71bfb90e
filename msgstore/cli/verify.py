"""`msgstore verify`: is what is on disk what was written?"""

from typing import Annotated

from typer import Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.completion import complete_stream

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore verify
  msgstore verify --stream orders-1
  msgstore verify --quick >/dev/null || echo damaged

Nothing is changed. The exit code is 0 for a sound store and 3 for a damaged one.
"""


@app.command(cls=Command, epilog=EPILOG)
def verify(
    ctx: Context,
    stream: Annotated[
        str | None,
        Option("--stream", metavar="ID", help="Only this stream.", autocompletion=complete_stream),
    ] = None,
    quick: Annotated[
        bool,
        Option(
            "--quick/--full",
            help="Only the index, or every message too (default).",
            show_default=False,
        ),
    ] = False,
) -> int:
    """Read everything and say what is damaged."""
    from msgstore.cli.errors import DAMAGED, DONE, BadUsage
    from msgstore.cli.output import record_output
    from msgstore.cli.shapes import REPORT

    output = record_output(ctx.obj, REPORT)
    with ctx.obj.open_store() as store:
        if not hasattr(store, "verify"):
            raise BadUsage("this store has no files to verify", "verify a store on disk")
        report = store.verify(stream, quick)
    output.put_all([report])
    return DAMAGED if report.findings else DONE
