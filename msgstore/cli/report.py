"""`msgstore report`: a run as one page for a browser."""

from typing import Annotated, Any

from typer import Argument, Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.completion import complete_session
from msgstore.cli.options import (
    Last,
    Limit,
    Produced,
    Select,
    SkipDamaged,
    whole_number,
    with_filters,
)

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore report last -o run.html
  msgstore report --stream 'orders-*' --since 1h -o orders.html
  msgstore --store run.msgpack report -o run.html
  msgstore report last~1 -o - | ssh web-1 'cat > /srv/www/run.html'

The page needs nothing else, and asks nothing of a network. Behind the command's name -o is
the file; before it, as everywhere, the form of what is printed: msgstore -o json report …
"""


class ReportCommand(Command):
    """`-o` behind the name is the page, and not the form of the output."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params = [param for param in self.params if param.name != "output"]


@app.command(cls=ReportCommand, epilog=EPILOG)
@with_filters
def report(
    ctx: Context,
    select: Select,
    run: Annotated[
        str | None,
        Argument(
            metavar="[SESSION]",
            help="Only this session: an id or its beginning, last, last~1, no-session.",
            autocompletion=complete_session,
        ),
    ] = None,
    path: Annotated[
        str | None,
        Option("-o", "--output", metavar="FILE", help="The page to write, - for stdout."),
    ] = None,
    limit: Limit = None,
    last: Last = None,
    produced: Produced = False,
    data_max: Annotated[
        int,
        Option(
            "--data-max",
            parser=whole_number,
            metavar="BYTES",
            help="Leave out data and metadata that are longer.",
        ),
    ] = 16_384,
    force: Annotated[bool, Option("--force", help="Replace a file that is there.")] = False,
    skip_damaged: SkipDamaged = False,
) -> int:
    """Write a page with what happened: activity, a timeline, causes, and each message's data."""
    from msgstore.cli.damage import Damage
    from msgstore.cli.exporting import with_session
    from msgstore.cli.reporting import Part, Report, report_printer

    part = Part(limit, last, data_max, "produced" if produced else "recorded")
    report = Report(ctx.obj, path, part, force)
    tell = report_printer(ctx.obj, report.path)
    with ctx.obj.open_store() as store:
        damage = Damage(store, skip_damaged)
        tell(report.run(store, with_session(store, select(store), run), damage))
    return damage.exit_code()
