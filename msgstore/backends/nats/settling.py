"""A save whose acknowledgement did not come: found out whether it stands.

It cannot be stored twice: it was decided at a sequence of its stream, and only one message can ever
stand right behind that. So what stands there says how it went; and where nothing does, the same
messages may be sent once more.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgstore.backends.nats.getting import Getter
from msgstore.backends.nats.publishing import Item, Refused, publish
from msgstore.backends.nats.questions import Deadline, NotSent, WireError
from msgstore.backends.nats.records import EXPECTED, MSG_ID, Raw
from msgstore.backends.nats.wire import Wire
from msgstore.model.errors import OutcomeUnknown, StoreUnavailable


async def settle(
    wire: Wire, getter: Getter | None, items: Sequence[Item], deadline: Deadline
) -> int | None:
    """The sequence of the first message; None where nothing was saved, and nothing will be.

    Raises OutcomeUnknown when the time is up before that is known. Raises Replaced.
    """
    first = items[0]
    reason = "the server did not say whether it was saved"
    while getter is not None and not deadline.is_over:
        try:
            await wire.ready(deadline)
            found = await _behind(getter, first.subject, int(first.headers[EXPECTED]))
            if found is not None:
                return found.sequence if _is_it(found, first) else None
            ack = await publish(wire, items, deadline)
            if not ack.is_duplicate:
                return ack.last - len(items) + 1
        except Refused:
            pass  # what stands there now says why
        except NotSent:
            pass
        except (WireError, StoreUnavailable) as error:
            reason = f"the server did not say whether it was saved: {error}"
        if not await deadline.pause():
            break
    raise OutcomeUnknown(wire.address.shown, reason)


async def _behind(getter: Getter, subject: str, sequence: int) -> Raw | None:
    """The message of a subject that stands right behind one at a sequence."""
    last = await getter.last(subject)
    if last is None or last.sequence <= sequence:
        return None
    return await getter.first_from(subject, sequence + 1)


def _is_it(found: Raw, item: Item) -> bool:
    return found.headers.get(MSG_ID) == item.headers[MSG_ID] and found.body == item.body
