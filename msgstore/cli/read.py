"""`msgstore read`: one stream."""

from typing import Annotated

from typer import Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import Last, Limit, Reverse, SkipDamaged, Stream, whole_number

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
        int | None,
        Option(
            "--from-revision", parser=whole_number, metavar="N", help="At this revision or later."
        ),
    ] = None,
    to_revision: Annotated[
        int | None,
        Option(
            "--to-revision", parser=whole_number, metavar="N", help="At this revision or earlier."
        ),
    ] = None,
    limit: Limit = None,
    last: Last = None,
    reverse: Reverse = False,
    skip_damaged: SkipDamaged = False,
) -> int:
    """Print the messages of one stream, in order."""
    from msgstore.cli.damage import Damage
    from msgstore.cli.reading import Window, of_stream, print_messages

    window = Window(limit, last, reverse)
    with ctx.obj.open_store() as store:
        damage = Damage(store, skip_damaged)
        read = of_stream(store, stream, from_revision, to_revision, damage)
        print_messages(ctx.obj, window.of(read))
    return damage.exit_code()
