"""`msgstore read`: one stream."""

from typing import TYPE_CHECKING, Annotated

from typer import Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import Last, Limit, Reverse, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msgstore.model.filter import Direction
    from msgstore.model.message import PositionalMessage

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore read orders-1
  msgstore read orders-1 --last 5
  msgstore read orders-1 --from-revision 100 -n 20 -o csv
  msgstore read orders-1 -o raw | jq .total

An unknown stream holds nothing, which is no error.
"""


@app.command(cls=Command, epilog=EPILOG)
def read(
    ctx: Context,
    stream: Stream,
    from_revision: Annotated[
        int | None, Option("--from-revision", min=0, metavar="N", help="At this revision or later.")
    ] = None,
    to_revision: Annotated[
        int | None, Option("--to-revision", min=0, metavar="N", help="At this revision or earlier.")
    ] = None,
    limit: Limit = None,
    last: Last = None,
    reverse: Reverse = False,
) -> None:
    """Print the messages of one stream, in order."""
    from msgstore.cli.reading import Window, print_messages

    window = Window(limit, last, reverse)
    with ctx.obj.open_store() as store:

        def read(
            count: int | None, direction: "Direction", first: "PositionalMessage | None" = None
        ) -> "Iterator[PositionalMessage]":
            start = from_revision if first is None else first.revision
            return store.get_messages(
                stream, start, count, to_revision=to_revision, direction=direction
            )

        print_messages(ctx.obj, window.of(read))
