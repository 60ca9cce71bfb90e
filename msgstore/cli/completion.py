"""What a shell offers on TAB. A completion never complains: it offers nothing instead."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from typer import Context

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore

_OFFERED_MAX = 200
# zsh evaluates what is offered, and the others split it at blanks and lines: whoever may save
# messages chooses these texts, and must not thereby run a command in the shell of an operator.
_HARMLESS = r"[\w@%+=.,/][\w@%+=:.,/-]*"


def complete_stream(ctx: Context, incomplete: str) -> list[str]:
    return _offer(ctx, incomplete, lambda store: (s.stream_id for s in store.get_streams()))


def complete_session(ctx: Context, incomplete: str) -> list[str]:
    """The latest first; `last` too."""
    return _offer(ctx, incomplete, _session_ids)


def _session_ids(store: "LocalMessageStore") -> Iterator[str]:
    yield "last"
    for session in reversed(store.get_sessions()):
        yield session.session_id


def _offer(
    ctx: Context, incomplete: str, names: Callable[["LocalMessageStore"], Iterator[str]]
) -> list[str]:
    try:
        with ctx.obj.open_store() as store:
            found = (
                n for n in names(store) if n.startswith(incomplete) and re.fullmatch(_HARMLESS, n)
            )
            return list(islice(found, _OFFERED_MAX))
    except Exception:  # whatever it is: a Tab in a shell must not answer with an error
        return []
