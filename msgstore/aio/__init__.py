"""The whole library for programs on asyncio, over every backend.

```python
from msgstore.aio import open_store

async with open_store("journal") as store:
    await store.save_message("orders-1", Message("OrderPlaced"))
    async for stored in store.follow():
        ...
```
"""

from msgstore.aio.opening import open_store as open_store
from msgstore.aio.threaded import ThreadedMessageStore as ThreadedMessageStore
from msgstore.backends.async_protocol import AsyncLocalMessageStore as AsyncLocalMessageStore
from msgstore.backends.async_protocol import AsyncMessages as AsyncMessages
from msgstore.backends.async_protocol import AsyncMessageStore as AsyncMessageStore
from msgstore.backends.async_protocol import AsyncTransaction as AsyncTransaction
from msgstore.backends.async_protocol import CameTooLate as CameTooLate
from msgstore.backends.async_protocol import NotBegun as NotBegun
from msgstore.backends.async_protocol import outcome as outcome

__all__ = [
    "AsyncLocalMessageStore",
    "AsyncMessageStore",
    "AsyncMessages",
    "AsyncTransaction",
    "CameTooLate",
    "NotBegun",
    "ThreadedMessageStore",
    "open_store",
    "outcome",
]
