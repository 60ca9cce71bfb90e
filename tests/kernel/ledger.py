"""What a store must hold after trouble: batches that tell of themselves whether they are whole."""

from __future__ import annotations

from collections.abc import Iterable

from msgstore import FileMessageStore, Message, PositionalMessage


def batch_of(label: str, size: int, fill: int = 0) -> list[Message]:
    """Messages that tell which batch they are of, how large it is, and their place in it."""
    return [
        Message("Step", {"batch": label, "size": size, "at": at, "fill": "x" * fill})
        for at in range(size)
    ]


class Watch:
    """Looks at messages in the order of their positions; `violations` says what was wrong."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.batches: dict[str, int] = {}
        """Size by label, of every batch that was seen whole."""
        self._position = 0
        self._revisions: dict[str, int] = {}
        self._batch: tuple[str, int, int] | None = None
        """Label, size and next place of the batch that is being seen."""

    def see(self, stored: PositionalMessage) -> None:
        """The next message: of the next position and revision, and of the batch that was begun."""
        self._position += 1
        revision = self._revisions.get(stored.stream_id, -1) + 1
        if (stored.position, stored.revision) != (self._position, revision):
            self.violations.append(f"a gap at {stored.position}: {stored}")
        self._revisions[stored.stream_id] = revision
        data = stored.message.data
        assert isinstance(data, dict)
        label, size, at = data["batch"], data["size"], data["at"]
        if (label, size, at) != (self._batch or (label, size, 0)):
            self.violations.append(f"at {stored.position} {label}[{at}], expected {self._batch}")
        self._batch = (label, size, at + 1) if at + 1 < size else None
        if self._batch is None:
            if label in self.batches:
                self.violations.append(f"{label} twice, again at {stored.position}")
            self.batches[label] = size

    def end(self) -> None:
        """Here a reader's snapshot ends."""
        if self._batch is not None:
            self.violations.append(f"half a batch at {self._position}: {self._batch}")


def look_over(store: FileMessageStore) -> Watch:
    """One reading of the whole store."""
    watch = Watch()
    for stored in store.get_all_messages():
        watch.see(stored)
    watch.end()
    return watch


def examine(
    store: FileMessageStore, acknowledged: Iterable[str], refused: Iterable[str] = ()
) -> list[str]:
    """What is wrong with a store in which these batches were acknowledged, and those refused."""
    watch = look_over(store)
    missing = sorted(set(acknowledged) - set(watch.batches))
    saved = sorted(set(refused) & set(watch.batches))
    findings = store.verify().findings
    return [
        *watch.violations,
        *(f"acknowledged and lost: {label}" for label in missing),
        *(f"refused and yet saved: {label}" for label in saved),
        *(f"verify: {finding}" for finding in findings),
    ]
