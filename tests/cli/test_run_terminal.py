"""`msgstore run` on a terminal, with and without a shell that keeps jobs."""

from __future__ import annotations

import os
import pty
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import MSGSTORE, Cli

LISTENER = """
import os, signal, sys
signal.signal(signal.SIGINT, lambda n, f: os.write(1, b"<int>"))
signal.signal(signal.SIGCONT, lambda n, f: os.write(1, b"<cont>"))
os.write(1, b"<ready>")
for line in sys.stdin:
    os.write(1, b"<line " + line.strip().encode() + b">")
sys.exit(7)
"""


PROMPT = "%> "


class Terminal:
    """A program as the leader of a terminal's session; `expect` waits for what it shows."""

    def __init__(self, cli: Cli, *command: str) -> None:
        environment = {**cli.environment, "PATH": f"{Path(MSGSTORE).parent}:{os.environ['PATH']}"}
        self.pid, self._fd = pty.fork()
        if not self.pid:
            os.chdir(cli.folder)
            os.execve(command[0], command, {**environment, "PS1": "$ "})
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def expect(self, pattern: str) -> str:
        """What is shown up to the first match of the pattern; waits for it."""
        while not (match := re.search(pattern, self.shown)):
            self.shown += os.read(self._fd, 4096).decode()
        before, self.shown = self.shown[: match.end()], self.shown[match.end() :]
        return before

    def rest(self) -> str:
        try:
            while part := os.read(self._fd, 4096):
                self.shown += part.decode()
        except OSError:  # nobody is left
            pass
        return self.shown

    def wait(self) -> int:
        """Hangs up, and waits for what is left."""
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def shell(cli: Cli) -> Iterator[Terminal]:
    """An interactive bash, at its prompt; at the end its terminal hangs up."""
    terminal = Terminal(cli, "/bin/bash", "--norc", "--noprofile", "-i")
    terminal.expect(r"\$ ")
    terminal.type("stty -echo; bind 'set enable-bracketed-paste off'; PS1='%''> '\n")
    terminal.expect(PROMPT)
    yield terminal
    terminal.wait()


def test_what_is_typed_reaches_the_command_once(cli: Cli) -> None:
    """The command reads from the terminal; Ctrl-C is one SIGINT to it and none to msgstore."""
    terminal = Terminal(cli, MSGSTORE, "run", "--", sys.executable, "-c", LISTENER)
    terminal.expect("<ready>")
    terminal.type("hello\n")
    terminal.expect("<line hello>")
    # While msgstore stands still the signal is with the command alone; then both are with msgstore,
    # which is given the one of the lower number first.
    os.kill(terminal.pid, signal.SIGSTOP)
    os.waitpid(terminal.pid, os.WUNTRACED)
    terminal.type("\x03")
    terminal.expect("<int>")
    os.kill(terminal.pid, signal.SIGCONT)
    assert "<int>" not in terminal.expect("<cont>")
    terminal.type("\x04")
    assert "<int>" not in terminal.rest()
    assert terminal.wait() == 7
    assert cli("sessions").lines[0]["status"] == "exit 7"


def test_ctrl_c_kills_what_does_not_mind(cli: Cli) -> None:
    """A command that Ctrl-C kills is recorded as such, and the code is 130."""
    terminal = Terminal(cli, MSGSTORE, "run", "--", "sh", "-c", "echo ready; exec sleep 600")
    terminal.expect("ready")
    terminal.type("\x03")
    terminal.rest()
    assert terminal.wait() == 130
    assert cli("sessions").lines[0]["status"] == "signal SIGINT"


@pytest.mark.parametrize("flags", ["", "--capture-jsonl "])
def test_ctrl_z_and_fg(cli: Cli, shell: Terminal, flags: str) -> None:
    """Ctrl-Z stops the command and msgstore, so that the shell is back; fg continues both."""
    shell.type(f"msgstore run {flags}-- cat\n")
    shell.type("one\n")
    shell.expect("one\r\n")
    shell.type("\x1a")
    shell.expect(r"Stopped")
    shell.expect(PROMPT)
    shell.type("fg\n")
    shell.expect("msgstore run.*cat\r\n")
    shell.type("two\n")
    shell.expect("two\r\n")
    shell.type("\x04")
    shell.expect(PROMPT)
    shell.type("echo code $?\n")
    shell.expect("code 0")
    assert cli("sessions").lines[0]["status"] == "ok"


def test_a_program_that_does_not_stop(cli: Cli, shell: Terminal) -> None:
    """Where the command minds Ctrl-Z itself, msgstore does not stop either."""
    script = "trap 'echo caught' TSTP; echo ready; read a; echo got $a"
    shell.type(f'msgstore run -- bash -c "{script.replace("$", chr(92) + "$")}"\n')
    shell.expect("ready\r\n")
    shell.type("\x1a")
    shell.type("x\n")
    assert "Stopped" not in shell.expect("got x\r\n")
    shell.expect(PROMPT)


def test_in_the_background(cli: Cli, shell: Terminal) -> None:
    """A command in the background that reads from the terminal stops with msgstore, and fg goes on."""
    shell.type("msgstore run -- sh -c 'read a; echo got $a' &\n")
    shell.expect(PROMPT)
    shell.type("until jobs | grep -q Stopped; do :; done; echo it stands\n")
    shell.expect("it stands")
    shell.type("fg\n")
    shell.expect("msgstore run")
    shell.type("x\n")
    shell.expect("got x\r\n")
    shell.expect(PROMPT)


def test_at_both_ends_of_a_pipeline(cli: Cli, shell: Terminal) -> None:
    """All of a pipeline is one job: its last program reads from the terminal as without msgstore."""
    shell.type("msgstore run -- seq 2 | sh -c 'cat; read a </dev/tty; echo got $a'\n")
    shell.expect("2\r\n")
    shell.type("x\n")
    shell.expect("got x\r\n")
    shell.expect(PROMPT)


def test_a_shell_in_a_run(cli: Cli, shell: Terminal) -> None:
    """A shell with jobs of its own works inside: it takes the terminal, and gives it back."""
    shell.type("PS1='in: ' msgstore run -- bash --norc --noprofile -i\n")
    shell.expect("in: ")
    shell.type("stty -echo; cat\n")
    shell.type("one\n")
    shell.expect("one\r\n")
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.expect("in: ")
    shell.type("fg\n")
    shell.expect("cat\r\n")
    shell.type("\x04")
    shell.expect("in: ")
    shell.type("msgstore save s -t Inside >/dev/null; exit 9\n")
    shell.expect(PROMPT)
    shell.type("stty -echo; echo code $?\n")
    shell.expect("code")
    stored = cli("query", "-t", "Inside").lines[0]
    assert stored["sessionId"] == cli("sessions").lines[0]["sessionId"]
    assert cli("sessions").lines[0]["status"] == "exit 9"
