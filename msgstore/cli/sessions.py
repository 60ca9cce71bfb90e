"""`msgstore sessions`: recorded runs."""

from typing import Annotated

from typer import Argument, Context, Option, Typer

from msgstore.cli.command import Command, Group
from msgstore.cli.completion import complete_session
from msgstore.cli.options import Durability, LockTimeout

EPILOG = """
Examples:
  msgstore sessions
  msgstore sessions start --name nightly --label host=web-1
  msgstore query --session last
  msgstore sessions end --status ok

A session is named by its id, by what only its id begins with, or by last, last~1, last~2 …
"""

app = Typer(
    name="sessions",
    cls=Group,
    epilog=EPILOG,
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
)

Id = Annotated[
    str,
    Argument(
        metavar="ID", help="An id or its beginning, last, last~1.", autocompletion=complete_session
    ),
]


@app.callback()
def sessions(ctx: Context) -> None:
    """List sessions; show, start or end one."""
    if ctx.invoked_subcommand is None:
        from msgstore.cli.output import records_output
        from msgstore.cli.records import Session
        from msgstore.cli.shapes import SESSION

        output = records_output(ctx.obj, SESSION)
        with ctx.obj.open_store() as store:
            active = store.active_session()
            output.put_all(Session(s, s.session_id == active) for s in store.get_sessions())


SHOW_EPILOG = """
Examples:
  msgstore sessions show last
  msgstore sessions show last~1 -o json
"""


@app.command(cls=Command, epilog=SHOW_EPILOG)
def show(ctx: Context, session: Id) -> None:
    """Print the facts of one session."""
    from msgstore.cli.naming import resolve_session
    from msgstore.cli.output import check_message, record_output
    from msgstore.cli.records import Session
    from msgstore.cli.shapes import SESSION

    output = record_output(ctx.obj, SESSION)
    with ctx.obj.open_store() as store:
        session_id = resolve_session(store, session)
        latest = store.get_session_messages(session_id, None, 5, direction="backwards")
        info = store.get_session_info(session_id)
        is_active = session_id == store.active_session()
        output.put_all([Session(info, is_active, map(check_message, latest))])


START_EPILOG = """
Examples:
  msgstore sessions start --name nightly --label host=web-1
  export MSGSTORE_SESSION=$(msgstore sessions start)
"""


@app.command(cls=Command, epilog=START_EPILOG)
def start(
    ctx: Context,
    name: Annotated[
        str | None, Option("--name", metavar="TEXT", help="What people call it.")
    ] = None,
    label: Annotated[
        list[str] | None, Option("--label", metavar="K=V", help="A fact about it; repeatable.")
    ] = None,
    durability: Durability = None,
    lock_timeout: LockTimeout = 30,
) -> None:
    """Start a session, make it the active one, and print its id."""
    from msgstore.cli.json_input import read_labels

    labels = read_labels(label)
    with ctx.obj.open_store(
        create=True, durability=durability, lock_timeout_s=lock_timeout
    ) as store:
        session_id = store.create_session(name, labels)
        store.activate_session(session_id)
    print(session_id)


END_EPILOG = """
Examples:
  msgstore sessions end
  msgstore sessions end last~1 --status failed
"""


@app.command(cls=Command, epilog=END_EPILOG)
def end(
    ctx: Context,
    session: Annotated[
        str | None,
        Argument(metavar="[ID]", help="Default: the active one.", autocompletion=complete_session),
    ] = None,
    status: Annotated[str | None, Option("--status", metavar="TEXT", help="How it went.")] = None,
    durability: Durability = None,
    lock_timeout: LockTimeout = 30,
) -> None:
    """End a session: it takes no more messages."""
    from msgstore.cli.errors import BadUsage
    from msgstore.cli.naming import resolve_session
    from msgstore.cli.tally import counted

    with ctx.obj.open_store(durability=durability, lock_timeout_s=lock_timeout) as store:
        session_id = store.active_session() if session is None else resolve_session(store, session)
        if session_id is None:
            raise BadUsage("no session is active", "name one: `msgstore sessions` lists them")
        store.end_session(session_id, status)
        ctx.obj.say(
            f"ended {session_id}, {counted(store.get_session_info(session_id).message_count, 'message')}"
        )
