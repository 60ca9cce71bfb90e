"""`msgstore export`: messages into a file, in a format of one's choice."""

from typing import Annotated, Literal

from typer import Argument, Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import Select, SkipDamaged, with_filters

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore export last run.msgpack
  msgstore export orders.sqlite --stream 'orders-*'
  msgstore export - --format cloudevents --since 1h | consumer
  msgstore --store run.msgpack query -t OrderPlaced

The format is that of the file's name, unless --format says another: .jsonl and .ndjson,
.csv, .cloudevents.jsonl, .cloudevents.json (one array), .sqlite and .db, .msgpack (a pack,
which opens in place of a store), .json (what the TypeScript package reads).
"""


@app.command(cls=Command, epilog=EPILOG)
@with_filters
def export(
    ctx: Context,
    select: Select,
    target: Annotated[
        list[str],
        Argument(
            metavar="[SESSION] FILE", help="What to export, if not all; and where, - for stdout."
        ),
    ],
    format: Annotated[
        Literal["jsonl", "csv", "cloudevents", "cloudevents-batch", "sqlite", "pack", "reference"]
        | None,
        Option(
            "--format",
            metavar="FORMAT",
            help="jsonl, csv, cloudevents, cloudevents-batch, sqlite, pack or reference"
            " [by the file's name; jsonl to stdout].",
        ),
    ] = None,
    source: Annotated[
        str | None,
        Option("--source", metavar="URI", help="The source that CloudEvents name."),
    ] = None,
    force: Annotated[bool, Option("--force", help="Replace a file that is there.")] = False,
    skip_damaged: SkipDamaged = False,
) -> int:
    """Write the messages that match to a file, which is there whole or not at all."""
    from msgstore.cli.damage import Damage
    from msgstore.cli.exporting import Export, report_printer, split_target, with_session

    session, path = split_target(target)
    export = Export(ctx.obj, path, format, source, force)
    tell = report_printer(ctx.obj, path)
    with ctx.obj.open_store() as store:
        damage = Damage(store, skip_damaged)
        tell(export.run(store, with_session(store, select(store), session), damage))
    return damage.exit_code()
