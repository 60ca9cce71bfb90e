"""What `wait` does: where it begins, and what it waits for."""

from typing import TYPE_CHECKING

from msgstore.cli.damage import Damage
from msgstore.cli.settings import Settings

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.model.filter import MessageFilter
    from msgstore.model.message import PositionalMessage


def await_store(settings: Settings) -> "LocalMessageStore":
    """The store, which need not be there yet: what is waited for may be the first that is saved."""
    from msgstore.model.errors import StoreNotFound

    try:
        return settings.open_store()
    except StoreNotFound as error:
        settings.say(f"msgstore: {error.reason} yet: waiting for it")
        return settings.open_store(create=True)  # which makes none before something is saved


def first_to_come(
    store: "LocalMessageStore",
    wanted: "MessageFilter",
    timeout_s: float | None,
    damage: Damage,
) -> "PositionalMessage | None":
    """The first message that matches, from where the filter says or from now on; None in time."""
    first = None if is_anchored(wanted) else _end_of(store, damage) + 1
    return next(store.follow(wanted, first, timeout_s, **damage.options), None)


def is_anchored(wanted: "MessageFilter") -> bool:
    """Whether the filter says which message is meant, so that one that is there already counts."""
    anchors = (
        wanted.from_position,
        wanted.since,
        wanted.session_id,
        wanted.correlation_id,
        wanted.request_id,
        wanted.causation_id,
        wanted.message_id,
    )
    return any(anchor is not None for anchor in anchors)


def _end_of(store: "LocalMessageStore", damage: Damage) -> int:
    latest = store.get_all_messages(None, 1, direction="backwards", **damage.options)
    return max((message.position for message in latest), default=0)
