"""Every claim of the contract, as one class of tests to inherit."""

from __future__ import annotations

from msgstore.testing.claims.errors import ErrorClaims
from msgstore.testing.claims.filters import FilterClaims
from msgstore.testing.claims.follow import FollowClaims
from msgstore.testing.claims.idempotency import IdempotencyClaims
from msgstore.testing.claims.messages import MessageClaims
from msgstore.testing.claims.reading import ReadingClaims
from msgstore.testing.claims.saving import SaveEachClaims, SavingClaims
from msgstore.testing.claims.sessions import SessionBlockClaims, SessionClaims
from msgstore.testing.claims.stats import ResetClaims, StatsClaims
from msgstore.testing.claims.texts import TextClaims
from msgstore.testing.claims.threads import ThreadClaims
from msgstore.testing.claims.transactions import TransactionClaims


class StoreContract(
    MessageClaims,
    TextClaims,
    SavingClaims,
    SaveEachClaims,
    IdempotencyClaims,
    TransactionClaims,
    ReadingClaims,
    FilterClaims,
    SessionClaims,
    SessionBlockClaims,
    StatsClaims,
    ResetClaims,
    FollowClaims,
    ThreadClaims,
    ErrorClaims,
):
    """What every store promises. Inherit it, and say in `make_store` how to make an empty one.

    A store that outlives its object also overrides `reopen`. One without sessions and `reset` sets
    `local = False`. Only what `msgstore` exports is used, and no test asserts how long a thing takes.
    """
