"""The entry point: arguments in, an exit code out, and never a traceback that nobody asked for."""

import gc
import os
import signal
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

from msgstore.cli.settings import Settings

if TYPE_CHECKING:
    from typer._click.exceptions import UsageError


def main() -> NoReturn:
    """Runs the command line of this process, and ends it.

    Two habits of the interpreter cost a short command a tenth of its time, and are left out: looking
    for garbage among modules that are just being loaded, and taking down, object by object, what the
    system takes back anyway. By then the store is closed and all output flushed.
    """
    gc.set_threshold(100_000)
    code = run(sys.argv[1:])
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code)


def run(arguments: list[str]) -> int:
    """Carries out one command line and returns its exit code; all errors end here."""
    settings = Settings(os.environ)
    try:
        _prepare_streams()
        code = _call(arguments, settings)
        sys.stdout.flush()
    except SystemExit as stop:  # Typer's, after it printed the script for completion
        sys.stdout.flush()
        return stop.code if isinstance(stop.code, int) else 0
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return 130
    except BrokenPipeError:
        _drop_stdout()
        return 0
    except Exception as error:
        from msgstore.cli.errors import report

        return report(error, settings.debug)
    return code


def _prepare_streams() -> None:
    """stdout may be closed, or not know all of Unicode: both are no reason to fail."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _call(arguments: list[str], settings: Settings) -> int:
    # Imported under the roof of `run`: an interrupt may come this early.
    from typer import Exit
    from typer._click.exceptions import UsageError
    from typer.main import get_command

    from msgstore.cli.root import app

    command = get_command(app)
    if "_MSGSTORE_COMPLETE" in os.environ:
        command.main(prog_name="msgstore", obj=settings)
    try:
        with command.make_context("msgstore", arguments, obj=settings) as context:
            return command.invoke(context) or 0
    except Exit as stop:
        return stop.exit_code
    except UsageError as error:
        return _explain_usage(error)


def _explain_usage(error: "UsageError") -> int:
    from typer._click.exceptions import NoArgsIsHelpError

    from msgstore.cli.errors import USAGE, say_error, write_stderr

    if isinstance(error, NoArgsIsHelpError):
        write_stderr(f"{error.format_message()}\n")
    else:
        place = error.ctx.command_path if error.ctx else "msgstore"
        say_error(error.format_message(), f"{place} -h")
    return USAGE


def _drop_stdout() -> None:
    """Whoever read our output has left: what is still buffered must not be missed at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
