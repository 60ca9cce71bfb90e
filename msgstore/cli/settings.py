"""What every command is told: which store, what output, how loud."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgstore.cli.errors import BadUsage, write_stderr
from msgstore.cli.escape import visible

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore

DEFAULT_STORE = "./.msgstore"
FORMATS = ("table", "wide", "json", "jsonl", "csv", "raw", "pretty")
COLORS = ("auto", "always", "never")


class Settings:
    """The flags that every command takes, over the environment, over the defaults."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.store: str | None = None
        self.output: str | None = None
        self.fields: str | None = None
        self.color = "auto"
        self.quiet = False
        self.debug = False

    @property
    def store_url(self) -> str:
        return self.store or self.environment.get("MSGSTORE_STORE") or DEFAULT_STORE

    def open_store(self, *, create: bool = False, **options: Any) -> "LocalMessageStore":
        """Raises StoreNotFound where there is no store and none is to be created."""
        from msgstore.backends.registry import open_url

        return open_url(self.store_url, create=create, **options)

    def store_path(self, deed: str) -> str:
        """The folder of the store, for what can only be done to files. Raises BadUsage."""
        from msgstore.backends.registry import path_of

        path = path_of(self.store_url)
        if path is None:
            raise BadUsage(f"this store has no files to {deed}", "name a store on disk")
        return path

    def shared_store(self) -> str:
        """What another process is to be told of the store: an absolute path, or a URL."""
        import os

        from msgstore.backends.registry import is_elsewhere

        if is_elsewhere(self.store_url):
            return self.store_url
        return os.path.abspath(self.store_path("share with a command"))

    def output_format(self, on_terminal: str, in_pipe: str = "jsonl") -> str:
        """What was asked for, else what suits where stdout goes."""
        chosen = self.output or self.environment.get("MSGSTORE_OUTPUT")
        if not chosen:
            return on_terminal if sys.stdout.isatty() else in_pipe
        if chosen not in FORMATS:
            raise BadUsage(
                f"MSGSTORE_OUTPUT: {chosen!r} is no output", f"one of {', '.join(FORMATS)}"
            )
        return chosen

    @property
    def colored(self) -> bool:
        """Whether stdout takes colour: said, or a terminal that nobody asked to be plain."""
        if self.color != "auto":
            return self.color == "always"
        plain = self.environment.get("NO_COLOR") or self.environment.get("TERM") == "dumb"
        return sys.stdout.isatty() and not plain

    def say(self, text: str) -> None:
        """What is not data, on stderr; nothing if it should be quiet."""
        if not self.quiet:
            write_stderr(f"{visible(text)}\n")
