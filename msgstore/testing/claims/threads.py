"""Threads: one object used by several at once."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgstore import (
    LocalMessageStore,
    Message,
    MessageFilter,
    SaveResult,
    WrongExpectedRevision,
)
from msgstore.testing.claims.base import StoreClaims, event, numbers, positions, revisions
from msgstore.testing.claims.follow import PATIENCE_S

BATCH = 50


def run_together(jobs: list[Callable[[], None]]) -> None:
    """Runs the jobs on threads that start together; raises the first error of any of them."""
    barrier = threading.Barrier(len(jobs))
    errors: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        try:
            barrier.wait(PATIENCE_S)
            job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
    with _impatient_threads():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads), "a thread does not end"
    if errors:
        raise errors[0]


@contextmanager
def _impatient_threads() -> Iterator[None]:
    """Lets threads take turns a thousand times as often, to bring out what depends on their order."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(usual_s / 1000)
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)


class ThreadClaims(StoreClaims):
    """One store object may be used from several threads."""

    rounds = 40
    """How many batches are saved while others read everything; fewer for a store that reads slowly."""

    def test_savers_with_expectations(self, store: LocalMessageStore) -> None:
        """Of savers that expect the same revision one gets through; with retries none is lost."""

        def count_up() -> None:
            for _ in range(15):
                while True:
                    info = store.get_stream_info("counter")
                    revision = -1 if info is None else info.revision
                    try:
                        store.save_message("counter", event(revision + 1), revision)
                        break
                    except WrongExpectedRevision:
                        continue

        run_together([count_up] * 4)
        assert numbers(store.get_messages("counter")) == list(range(60))

    def test_savers_into_one_stream(self, store: LocalMessageStore) -> None:
        """Each save has its own revisions and positions, and they are where the result says."""
        results: list[SaveResult] = []

        def save() -> None:
            for number in range(20):
                results.append(store.save_messages("orders", [event(number), event(number)]))

        run_together([save] * 4)
        taken = sorted((result.first_revision, result.last_position) for result in results)
        assert taken == [(first, first + 2) for first in range(0, 160, 2)]
        stored = list(store.get_all_messages())
        assert (revisions(stored), positions(stored)) == (list(range(160)), list(range(1, 161)))

    def test_savers_of_the_same_message(self, store: LocalMessageStore) -> None:
        """Of savers of one id one stores it, and all are told the same place."""
        results: list[SaveResult] = []

        def save() -> None:
            for number in range(20):
                message = event(number, id=f"m-{number}")
                results.append(store.save_message("orders", message))

        run_together([save] * 4)
        assert Counter(result.duplicate for result in results) == {True: 60, False: 20}
        assert len({(result.first_revision, result.first_position) for result in results}) == 20
        assert store.get_stats().total_messages == 20

    def test_never_half_a_batch(self, store: LocalMessageStore) -> None:
        """Whoever reads while batches are saved sees whole batches, each way of reading."""
        saved = threading.Event()

        def save() -> None:
            try:
                for number in range(self.rounds):
                    store.save_messages("orders", [event(number)] * BATCH)
            finally:
                saved.set()

        def look(count: Callable[[], int]) -> Callable[[], None]:
            def until_saved() -> None:
                last = False
                while not last:
                    last = saved.is_set()
                    assert count() % BATCH == 0

            return until_saved

        run_together([save, *[look(count) for count in _counts(store)]])
        assert store.get_stats().total_messages == self.rounds * BATCH

    def test_never_half_a_transaction(self, store: LocalMessageStore) -> None:
        """Whoever reads while transactions commit sees both streams or neither."""
        saved = threading.Event()

        def save() -> None:
            try:
                for number in range(self.rounds):
                    with store.transaction() as transaction:
                        transaction.save_messages("orders", [event(number)] * BATCH)
                        transaction.save_messages("carts", [event(number)] * BATCH)
            finally:
                saved.set()

        def read() -> None:
            last = False
            while not last:
                last = saved.is_set()
                per_stream = Counter(m.stream_id for m in store.get_all_messages())
                assert per_stream["orders"] == per_stream["carts"]

        run_together([save, read, read])

    def test_a_session_of_many_threads(self, local_store: LocalMessageStore) -> None:
        """A session counts what every thread saves while it is current."""
        with local_store.session() as session_id:

            def save() -> None:
                for number in range(20):
                    local_store.save_message("orders", Message("X", number))

            run_together([save] * 3)
            assert local_store.get_session_info(session_id).message_count == 60
        assert local_store.count_messages(MessageFilter(session_id=session_id)) == 60

    def test_sessions_of_many_threads(self, local_store: LocalMessageStore) -> None:
        """Sessions that threads start and end at once are all kept."""

        def run() -> None:
            for _ in range(10):
                local_store.end_session(local_store.create_session(), "ok")

        run_together([run] * 3)
        assert [info.status for info in local_store.get_sessions()] == ["ok"] * 30


def _counts(store: LocalMessageStore) -> list[Callable[[], int]]:
    """Ways to count messages; each tells whole batches from half ones."""

    def of_stream() -> int:
        info = store.get_stream_info("orders")
        return 0 if info is None else info.message_count

    return [
        lambda: len(list(store.get_all_messages())),
        lambda: len(list(store.get_all_messages(direction="backwards"))),
        lambda: len(list(store.get_messages("orders"))),
        lambda: len(list(store.get_messages("orders", direction="backwards"))),
        lambda: len(list(store.get_all_messages(MessageFilter(json_filter={"n": 3})))),
        lambda: store.count_messages(),
        lambda: store.get_stats().total_messages,
        of_stream,
    ]
