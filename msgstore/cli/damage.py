"""`--skip-damaged`: reading goes on behind damage, and what it left out is said."""

from typing import TYPE_CHECKING, Any

from msgstore.cli.errors import DAMAGED, BadUsage, write_stderr
from msgstore.cli.escape import visible

if TYPE_CHECKING:
    from datetime import tzinfo

    from msgstore.backends.protocol import Group, LocalMessageStore
    from msgstore.model.errors import CorruptRecord
    from msgstore.model.filter import MessageFilter

_SAID_MAX = 20


class Damage:
    """Told of each damaged place, says the first of them on stderr; each only once."""

    def __init__(self, store: "LocalMessageStore", skip: bool) -> None:
        """Without `skip` it is told of nothing. Raises BadUsage for a store that cannot."""
        if skip and not getattr(store, "has_files", hasattr(store, "verify")):
            raise BadUsage("--skip-damaged: this store has no files", "leave it out")
        if skip and not hasattr(store, "fingerprint"):
            raise BadUsage("--skip-damaged: a pack is whole or of no use", "export it again")
        self.options: dict[str, Any] = {"on_damage": self._tell} if skip else {}
        """What a read of the store is given."""
        self._told: set[tuple[str, int, int | None]] = set()

    def _tell(self, error: "CorruptRecord") -> None:
        place = (error.path, error.offset, error.position)
        if place in self._told:
            return
        self._told.add(place)
        if len(self._told) <= _SAID_MAX:
            write_stderr(f"msgstore: {visible(_sentence(error))}\n")

    def count_by(
        self, store: "LocalMessageStore", group: "Group", zone: "tzinfo", filter: "MessageFilter"
    ) -> dict[str, int]:
        """As the store's own, but of the messages that can be read."""
        if not self.options:
            return store.count_by(group, filter, zone=zone)
        from collections import Counter

        from msgstore.backends.base import group_key, in_group_order

        messages = store.get_all_messages(filter, **self.options)
        return in_group_order(Counter(group_key(m, group, zone) for m in messages), group)

    def exit_code(self, code: int = 0) -> int:
        """What to end with: 3 if anything was left out, which is said in full numbers now."""
        if len(self._told) > _SAID_MAX:
            write_stderr(f"msgstore: and {len(self._told) - _SAID_MAX:,} more were left out\n")
        return DAMAGED if self._told else code


def _sentence(error: "CorruptRecord") -> str:
    known = {
        "position": error.position,
        "stream": error.stream_id,
        "revision": error.revision,
    }
    facts = ", ".join(f"{name} {fact}" for name, fact in known.items() if fact is not None)
    return f"left out {facts or 'a part'}: {error.path} at byte {error.offset}: {error.problem}"
