"""The conformance suite of msgstore, for anyone who writes a store. Needs pytest.

```python
from msgstore.testing import StoreContract

class TestMyStore(StoreContract):
    def make_store(self, tmp_path):
        return MyStore(tmp_path / "store")
```
"""

import pytest

pytest.register_assert_rewrite("msgstore.testing.claims")

from msgstore.testing.async_contract import AsyncStoreContract as AsyncStoreContract  # noqa: E402
from msgstore.testing.contract import StoreContract as StoreContract  # noqa: E402

__all__ = ["AsyncStoreContract", "StoreContract"]
