"""What `browse` needs before there is a screen: a terminal, Textual, a store, a filter that holds."""

import os
import sys
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from msgstore.cli.errors import BadUsage
from msgstore.model.errors import MsgStoreError

if TYPE_CHECKING:
    from msgstore.cli.options import Select
    from msgstore.cli.settings import Settings


class ExtraMissing(MsgStoreError):
    """A command was called whose library comes with an extra of msgstore."""

    advice = "pip install 'msgstore[tui]'"

    def __init__(self) -> None:
        super().__init__("browse needs Textual, which is not installed")


def browse_store(settings: "Settings", select: "Select", theme: str) -> None:
    """Returns when the user leaves. Raises BadUsage, ExtraMissing, and what opening a store raises."""
    _check(settings)
    if not settings.colored:
        os.environ["NO_COLOR"] = "1"  # Textual asks the environment only, when it is imported
    with settings.open_store() as store:
        select(store)
        from msgstore.cli.browser.app import Browser
        from msgstore.cli.browser.flags import given

        flags = given(cast("partial[Any]", select).keywords)
        Browser(settings, store, flags, theme).run_to_end()


def _check(settings: "Settings") -> None:
    if settings.output or settings.fields:
        raise BadUsage("browse draws a screen: it has no output", "msgstore query, with these")
    if find_spec("textual") is None:
        raise ExtraMissing()
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise BadUsage("browse needs a terminal on all sides", "msgstore query, in a pipe")
