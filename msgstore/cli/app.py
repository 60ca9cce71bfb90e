"""The entry point: arguments in, an exit code out, and never a traceback that nobody asked for."""

import os
import signal
import sys

from msgstore.cli.settings import Settings


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Carries out one command line and returns its exit code; all errors end here."""
    settings = Settings(os.environ)
    try:
        code = _call(arguments, settings)
        sys.stdout.flush()
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
    from msgstore.cli.errors import USAGE, say_error, write_stderr
    from typer._click.exceptions import NoArgsIsHelpError

    if isinstance(error, NoArgsIsHelpError):
        write_stderr(f"{error.format_message()}\n")
    else:
        place = error.ctx.command_path if error.ctx else "msgstore"
        say_error(error.format_message(), f"{place} -h")
    return USAGE


def _drop_stdout() -> None:
    """Whoever read our output has left: what is still buffered must not be missed at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
