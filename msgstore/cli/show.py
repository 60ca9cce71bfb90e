"""`msgstore show`: one message, whole."""

from typing import TYPE_CHECKING, Annotated

from typer import Argument, Context, Typer

from msgstore.cli.command import Command

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.model.message import PositionalMessage

app = Typer(add_completion=False, rich_markup_mode=None)

EPILOG = """
Examples:
  msgstore show 42
  msgstore show 01939a3c-5b0e-7c21-9a4e-0f6d2b8c1e77 -o json

Digits are a position; a message whose id is all digits is found by `query --id`.
"""


@app.command(cls=Command, epilog=EPILOG)
def show(
    ctx: Context,
    message: Annotated[str, Argument(metavar="POSITION|ID", help="Its position, or its own id.")],
) -> None:
    """Print one message with all its fields."""
    from msgstore.cli.output import record_output
    from msgstore.cli.shapes import MESSAGE

    output = record_output(ctx.obj, MESSAGE, on_terminal="pretty")
    with ctx.obj.open_store() as store:
        output.put_all([find(store, message)])


def find(store: "LocalMessageStore", text: str) -> "PositionalMessage":
    """The message at a position or with an id. Raises BadUsage where there is none."""
    from msgstore.cli.errors import BadUsage
    from msgstore.model.filter import MessageFilter

    if is_position(text):
        found = store.get_message(int(text)) if int(text) else None
        what = f"at position {text}"
    else:
        found = next(store.get_all_messages(MessageFilter(message_id=text), 1), None)
        what = f"with id {text!r}"
    if found is None:
        raise BadUsage(f"no message {what}", "`msgstore tail` shows the last ones")
    return found


def is_position(text: str) -> bool:
    """Whether it is taken for a position rather than an id."""
    return text.isascii() and text.isdecimal() and len(text) < 19
