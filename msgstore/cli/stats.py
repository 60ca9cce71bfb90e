"""`msgstore stats`: how much of what."""

from typing import TYPE_CHECKING, Annotated, Literal

from typer import Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import Select, SkipDamaged, with_filters

if TYPE_CHECKING:
    from msgstore.backends.protocol import Group

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore stats
  msgstore stats --by type
  msgstore stats --by hour --session last -o csv
  msgstore stats --by type --watch

Hours and days are local in tables, and UTC in all other output. With --watch a terminal shows
the counts as they change; in a pipe there is a line for each change. Ctrl-C ends it.
"""


@app.command(cls=Command, epilog=EPILOG)
@with_filters
def stats(
    ctx: Context,
    select: Select,
    by: Annotated[
        Literal["type", "stream", "session", "kind", "hour", "day"] | None,
        Option("--by", help="Count messages by this instead."),
    ] = None,
    watch: Annotated[
        bool, Option("--watch", help="Go on with what arrives; ends with Ctrl-C.")
    ] = False,
    skip_damaged: SkipDamaged = False,
) -> int:
    """Print totals, or counts by type, stream, session, hour …"""
    from msgstore.cli.damage import Damage
    from msgstore.cli.output import record_output
    from msgstore.cli.shapes import STATS

    with ctx.obj.open_store() as store:
        filter = select(store)
        _check(by, watch, skip_damaged, is_filtered=filter != type(filter)())
        damage = Damage(store, skip_damaged)
        if by is None:
            record_output(ctx.obj, STATS).put_all([store.get_stats()])
        elif watch:
            from msgstore.cli.watching import watch_counts

            watch_counts(ctx.obj, store, filter, by)
        else:
            from msgstore.cli.output import records_output
            from msgstore.cli.records import counts_of, zone_of
            from msgstore.cli.shapes import count_shape

            output = records_output(ctx.obj, count_shape(by))
            counts = damage.count_by(store, by, zone_of(ctx.obj), filter)
            output.put_all(counts_of(counts, by))
    return damage.exit_code()


def _check(by: "Group | None", watch: bool, skip_damaged: bool, *, is_filtered: bool) -> None:
    """Raises BadUsage for what goes with counts only, or not with each other."""
    from msgstore.cli.errors import BadUsage

    if watch and skip_damaged:
        raise BadUsage("--watch and --skip-damaged exclude each other", "leave one of them out")
    named = {"--skip-damaged": skip_damaged, "--watch": watch, "a filter": is_filtered}
    for flag, is_given in named.items():
        if is_given and by is None:
            raise BadUsage(f"{flag} is for counts of messages", "add --by")
