"""`msgstore streams`: which there are."""

from typing import Annotated

from typer import Argument, Context, Typer

from msgstore.cli.command import Command
from msgstore.cli.completion import complete_stream

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore streams
  msgstore streams 'orders-*'
  msgstore streams --fields streamId,messageCount -o csv
"""


@app.command(cls=Command, epilog=EPILOG)
def streams(
    ctx: Context,
    pattern: Annotated[
        str,
        Argument(
            metavar="[GLOB]", help="A pattern with * ? [abc].", autocompletion=complete_stream
        ),
    ] = "*",
) -> None:
    """List streams, oldest first."""
    from msgstore.cli.output import records_output
    from msgstore.cli.shapes import STREAM
    from msgstore.model.filter import MessageFilter

    chosen = MessageFilter(stream_pattern=pattern)
    output = records_output(ctx.obj, STREAM)
    with ctx.obj.open_store() as store:
        output.put_all(s for s in store.get_streams() if chosen.matches_stream(s.stream_id))
