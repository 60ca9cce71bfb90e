"""`msgstore diff`: what differs between two recorded runs."""

from typing import Annotated

from typer import Argument, Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.completion import complete_session
from msgstore.cli.options import Select, with_filters

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore diff last~1 last
  msgstore diff last~1 last --ignore data.at --ignore 'data.items.*.id'
  msgstore diff nightly-session last --ignore streamId --ignore metadata -o json
  msgstore diff last~1 last >/dev/null || echo 'the run has changed'

Messages are compared by type, by what caused them, by stream, and in the order in which they
stand there. Ids, times and positions never count; with --ignore streamId names of streams do
not either. Exit code 1 if the runs differ. In a pattern * is any part of one step of a path,
** any number of steps.
"""

Run = Annotated[
    str,
    Argument(help="An id or its beginning, last, last~1.", autocompletion=complete_session),
]


@app.command(cls=Command, epilog=EPILOG)
@with_filters
def diff(
    ctx: Context,
    run_a: Run,
    run_b: Run,
    select: Select,
    ignore: Annotated[
        list[str] | None,
        Option("--ignore", metavar="PATH", help="Does not count: data.at. A pattern; repeatable."),
    ] = None,
) -> int:
    """Compare two sessions: what is missing, extra or changed in the second."""
    from msgstore.cli.diffing import compare_sessions, print_comparison, to_ignored
    from msgstore.cli.errors import DONE, NEGATIVE

    ignored = to_ignored(ignore or [])
    with ctx.obj.open_store() as store:
        found = compare_sessions(store, run_a, run_b, select(store), ignored)
    print_comparison(ctx.obj, found)
    return NEGATIVE if found.differences else DONE
