"""`msgstore` itself: the list of its commands, each imported when it is called."""

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.main import get_command

from msgstore.cli.command import Group
from msgstore.cli.errors import EXIT_CODES

SAY_HELP = {"help_option_names": ["-h", "--help"]}

EPILOG = """
Examples:
  msgstore save orders-1 -t OrderPlaced orderId=ord-1 total:=100
  msgstore query --correlation-id corr-1 --since 1h
  msgstore tail -f

Environment:
  MSGSTORE_STORE    the store, where --store does not say [./.msgstore]
  MSGSTORE_SESSION  the session of a save, where --session does not say
  MSGSTORE_CORRELATION_ID
                    the correlation id of a save, where --correlation-id does not say
  TRACEPARENT       the trace that a save belongs to; goes into its metadata
  MSGSTORE_NATS_USER, MSGSTORE_NATS_PASSWORD, MSGSTORE_NATS_TOKEN,
  MSGSTORE_NATS_CREDS, MSGSTORE_NATS_CA
                    who asks a store on NATS, and whom to trust, where its URL does not say
  MSGSTORE_OUTPUT   the output, where -o does not say
  NO_COLOR          no colours, where --color does not say
  MSGSTORE_ALLOW_NETWORK_FS=1
                    use a store on a network file system, from one host only

Exit codes:
""" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())


def _home(name: str) -> Any:
    module = "import_" if name == "import" else name.replace("-", "_")  # `import` is Python's
    return lambda: get_command(import_module(f"msgstore.cli.{module}").app)


COMMANDS = (
    *("save", "read", "query", "tail", "sessions", "stats", "streams", "show"),
    *("run", "wait", "stuck"),
    *("trace", "diff", "latency"),
    *("verify", "repair", "rebuild-index", "backup", "restore", "dump"),
    *("export", "import", "copy", "report", "browse"),
)


class Root(Group):
    homes = {name: _home(name) for name in COMMANDS}  # noqa: RUF012


app = typer.Typer(
    name="msgstore",
    cls=Root,
    context_settings=SAY_HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from msgstore import __version__

        typer.echo(f"msgstore {__version__}")
        raise typer.Exit()


@app.callback()
def msgstore(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Record commands and events in streams, and look at what was recorded."""
