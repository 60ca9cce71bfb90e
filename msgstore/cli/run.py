"""`msgstore run`: a command, with all that it saves, as a session."""

from typing import Annotated

from typer import Argument, Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.completion import complete_stream
from msgstore.cli.options import Durability, LockTimeout

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore run -- make test
  msgstore run --name nightly --label host=web-1 -- ./import.sh --all
  msgstore run --capture-jsonl -- ./job | jq .
  msgstore query --session last

The command finds MSGSTORE_STORE, MSGSTORE_SESSION and MSGSTORE_CORRELATION_ID in its environment:
what it saves, with msgstore or with open_store() of the library, is stamped with them.

The exit code is that of the command: 128 + N if signal N killed it, 127 if it was not found,
126 if it cannot be run.
"""


@app.command(cls=Command, epilog=EPILOG, context_settings={"allow_interspersed_args": False})
def run(
    ctx: Context,
    command: Annotated[
        list[str], Argument(metavar="CMD...", help="The command and its arguments, after --.")
    ],
    name: Annotated[
        str | None, Option("--name", metavar="TEXT", help="What people call it [the command's].")
    ] = None,
    label: Annotated[
        list[str] | None, Option("--label", metavar="K=V", help="A fact about it; repeatable.")
    ] = None,
    correlation_id: Annotated[
        str | None,
        Option("--correlation-id", metavar="ID", help="Of all that it saves [a new one]."),
    ] = None,
    capture: Annotated[
        bool,
        Option("--capture-jsonl", help="Save each line of its stdout that is a JSON object, too."),
    ] = False,
    capture_stream: Annotated[
        str | None,
        Option(
            "--capture-stream",
            metavar="STREAM",
            help="Where lines go that name no stream [msgstore-output].",
            autocompletion=complete_stream,
        ),
    ] = None,
    durability: Durability = None,
    lock_timeout: LockTimeout = 30,
) -> int:
    """Run a command, and record it as a session with all that it saves."""
    from msgstore.cli.errors import BadUsage
    from msgstore.cli.json_input import read_labels
    from msgstore.cli.running import Runner
    from msgstore.model.values import check_text
    from msgstore.runs.record import OUTPUT_STREAM

    if capture_stream is not None and not capture:
        raise BadUsage("--capture-stream is for lines of the output", "add --capture-jsonl")
    stream_id = check_text(capture_stream or OUTPUT_STREAM, "capture_stream") if capture else None
    runner = Runner(ctx.obj, {"durability": durability, "lock_timeout_s": lock_timeout})
    run = runner.begin(command, correlation_id, name, read_labels(label))
    return runner.carry_out(run, command, stream_id)
