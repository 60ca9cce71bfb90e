"""`msgstore save`: one message from the arguments, or many from stdin."""

from typing import Annotated, Literal

from typer import Argument, Context, Option, Typer

from msgstore.cli.command import Command
from msgstore.cli.completion import complete_stream
from msgstore.cli.options import Durability, LockTimeout, Session, number_from_1

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore save orders-1 -t OrderPlaced orderId=ord-1 total:=100
  msgstore save orders-1 -t OrderPlaced --data '{"orderId": "ord-1"}' --expected-revision none
  msgstore save orders-1 -t Imported --data @order.json --meta source=import
  msgstore save - < messages.jsonl
  msgstore --store old query -o jsonl | msgstore --store new save -

Lines of `save -` and `save STREAM -`: {"streamId": "orders-1", "type": "OrderPlaced",
"data": {...}}, with id, requestId, correlationId, causationId, timestamp, metadata,
messageType and expectedRevision where they are wanted; or what `query` prints.
"""


@app.command(cls=Command, epilog=EPILOG)
def save(
    ctx: Context,
    stream: Annotated[
        str,
        Argument(
            metavar="STREAM",
            help="The stream's id; - for JSON Lines from stdin.",
            autocompletion=complete_stream,
        ),
    ],
    pairs: Annotated[
        list[str] | None,
        Argument(metavar="[KEY=TEXT|KEY:=JSON]...", help="Data; - for JSON Lines, all to STREAM."),
    ] = None,
    type: Annotated[
        str | None, Option("-t", "--type", metavar="TYPE", help="The message's type.")
    ] = None,
    data: Annotated[
        str | None, Option("--data", metavar="JSON|@FILE|-", help="Data, under what the pairs say.")
    ] = None,
    kind: Annotated[
        Literal["command", "event"] | None,
        Option("--kind", help="Default: read off the stream's id."),
    ] = None,
    id: Annotated[
        str | None, Option("--id", metavar="ID", help="Saving it twice stores it once.")
    ] = None,
    request_id: Annotated[str | None, Option("--request-id", metavar="ID")] = None,
    correlation_id: Annotated[str | None, Option("--correlation-id", metavar="ID")] = None,
    causation_id: Annotated[str | None, Option("--causation-id", metavar="ID")] = None,
    timestamp: Annotated[
        str | None, Option("--timestamp", metavar="TIME", help="The producer's own time.")
    ] = None,
    meta: Annotated[
        list[str] | None, Option("--meta", metavar="K=V", help="Metadata, K:=JSON too; repeatable.")
    ] = None,
    session: Session = None,
    expected_revision: Annotated[
        str | None,
        Option(
            "--expected-revision",
            metavar="N|none|exists|any",
            help="Save only if the stream is there.",
        ),
    ] = None,
    batch_size: Annotated[
        int,
        Option(
            "--batch-size", parser=number_from_1, metavar="N", help="Lines a commit takes at most."
        ),
    ] = 1000,
    atomic: Annotated[bool, Option("--atomic", help="All lines or none.")] = False,
    durability: Durability = None,
    lock_timeout: LockTimeout = 30,
) -> None:
    """Save one message, or one for each line of stdin."""
    from msgstore.cli import saving

    writing = {"durability": durability, "lock_timeout_s": lock_timeout}
    if stream == "-" or pairs == ["-"]:
        saving.refuse_flags_of_one(ctx.params)
        with saving.open_store(ctx.obj, session, writing) as store:
            target = None if stream == "-" else stream
            saving.save_lines(ctx.obj, store, target, batch_size, atomic)
    else:
        message, expected = saving.build_message(ctx.obj, ctx.params)
        tell = saving.result_printer(ctx.obj, message)
        with saving.open_store(ctx.obj, session, writing) as store:
            tell(store.save_message(stream, message, expected, kind))
