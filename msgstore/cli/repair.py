"""`msgstore repair`: set right what is damaged, mark what is lost."""

from typing import Annotated

from typer import Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.options import LockTimeout

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore repair
  msgstore repair --apply
  msgstore query --type msgstore.Lost

Without --apply nothing is changed, and the exit code is 3 if there is something to do.
Nothing is deleted: what is replaced goes to quarantine/ in the store.
"""


@app.command(cls=Command, epilog=EPILOG)
def repair(
    ctx: Context,
    apply: Annotated[bool, Option("--apply", help="Do it, rather than say what there is.")] = False,
    lock_timeout: LockTimeout = 30,
) -> int:
    """Say what is damaged and what is lost, and make the store whole again."""
    from msgstore.backends.repairing import repair_store
    from msgstore.cli.errors import DAMAGED, DONE
    from msgstore.cli.output import record_output
    from msgstore.cli.shapes import REPAIR

    output = record_output(ctx.obj, REPAIR)
    path = ctx.obj.store_path("repair")
    report = repair_store(path, apply=apply, lock_timeout_s=lock_timeout)
    output.put_all([report])
    if report.is_due:
        ctx.obj.say("nothing was changed; `msgstore repair --apply` does it")
    return DAMAGED if report.is_due else DONE
