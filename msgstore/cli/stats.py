"""`msgstore stats`: how much of what."""

from typing import Annotated, Literal

from typer import Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import SkipDamaged

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore stats
  msgstore stats --by type
  msgstore stats --by hour -o csv

Hours and days are local in tables, and UTC in all other output.
"""


@app.command(cls=Command, epilog=EPILOG)
def stats(
    ctx: Context,
    by: Annotated[
        Literal["type", "stream", "session", "kind", "hour", "day"] | None,
        Option("--by", help="Count messages by this instead."),
    ] = None,
    skip_damaged: SkipDamaged = False,
) -> int:
    """Print totals, or counts by type, stream, session, hour …"""
    from msgstore.cli.damage import Damage
    from msgstore.cli.errors import BadUsage
    from msgstore.cli.output import record_output, records_output
    from msgstore.cli.records import counts_of, zone_of
    from msgstore.cli.shapes import STATS, count_shape

    if skip_damaged and by is None:
        raise BadUsage("--skip-damaged is for counts of messages", "add --by")
    with ctx.obj.open_store() as store:
        damage = Damage(store, skip_damaged)
        if by is None:
            record_output(ctx.obj, STATS).put_all([store.get_stats()])
        else:
            output = records_output(ctx.obj, count_shape(by))
            counts = damage.count_by(store, by, zone_of(ctx.obj))
            output.put_all(counts_of(counts, by))
    return damage.exit_code()
