"""What the store on NATS promises besides the contract: several clients, replacement, asyncio."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from itertools import islice

import pytest

from msgstore import (
    CorruptStore,
    Message,
    MessageFilter,
    MessageTooLarge,
    SaveRequest,
    StoreUnavailable,
    WrongExpectedRevision,
)
from msgstore.backends.nats import following
from msgstore.backends.nats.address import NatsAddress
from msgstore.backends.nats.core import NatsCore
from msgstore.backends.nats.getting import Getter
from msgstore.backends.nats.records import Raw
from msgstore.backends.nats.store import NatsMessageStore
from msgstore.testing.claims.follow import Follower

from .servers import Server


@pytest.fixture
def url(server: Server) -> str:
    return server.url(f"s{os.urandom(8).hex()}")


@pytest.fixture
def pair(url: str) -> Iterator[tuple[NatsMessageStore, NatsMessageStore]]:
    """Two clients of one store."""
    with NatsMessageStore(url) as first, NatsMessageStore(url) as second:
        yield first, second


Pair = tuple[NatsMessageStore, NatsMessageStore]


def test_what_is_kept_in_mind_is_not_believed(pair: Pair) -> None:
    """A client that thinks that it knows a stream's end is put right by the server, not by luck."""
    first, second = pair
    first.save_message("orders", Message("A"))
    second.save_message("orders", Message("B"), 0)
    assert first.save_message("orders", Message("C"), 1).last_revision == 2
    with pytest.raises(WrongExpectedRevision) as caught:
        second.save_message("orders", Message("D"), 1)
    assert caught.value.actual == 2
    assert second.save_message("orders", Message("D")).last_revision == 3
    assert second.save_messages("orders", []).last_revision == 3


def test_a_transaction_over_what_another_saved(pair: Pair) -> None:
    """In a commit over several streams each is put right, not the first alone."""
    first, second = pair
    for stream_id in ("orders", "carts"):
        first.save_message(stream_id, Message("A"))
    second.save_message("carts", Message("B"))
    with first.transaction() as transaction:
        transaction.save_message("orders", Message("C"))
        transaction.save_message("carts", Message("D"))
    assert [result.last_revision for result in transaction.results] == [1, 2]
    assert second.verify().findings == ()


def test_a_store_that_another_emptied(pair: Pair) -> None:
    """After another client's `reset` saves, reads and sessions are those of the new store."""
    first, second = pair
    first.save_messages("orders", [Message("A"), Message("B")])
    second.save_message("orders", Message("C"))
    first.reset()
    assert list(second.get_all_messages()) == []
    assert second.save_message("orders", Message("D"), -1).last_position == 1
    assert first.save_message("orders", Message("E"), 0).last_position == 2
    assert second.get_stats().total_messages == 2


def test_a_save_to_a_store_that_was_emptied(pair: Pair) -> None:
    """A save decided in the store before cannot get into the new one with a wrong revision."""
    first, second = pair
    second.save_messages("orders", [Message("A"), Message("B")])  # it keeps in mind where it ends
    first.reset()
    first.save_messages("carts", [Message("A"), Message("B")])  # the same sequences once more
    result = second.save_message("orders", Message("C"))
    assert (result.last_revision, result.last_position) == (0, 3)
    assert second.verify().findings == ()


def test_a_follower_of_a_store_that_was_emptied(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A follower goes on with the first message of the new store."""
    monkeypatch.setattr(following, "_GLANCE_S", 0.1)
    first, second = pair
    first.save_messages("orders", [Message("A"), Message("B")])
    follower = Follower(islice(second.follow(), 3))
    follower.wait_for(2)
    first.reset()
    first.save_message("orders", Message("C"))
    assert [m.message.type for m in follower.join()] == ["A", "B", "C"]


def test_clients_with_expectations(pair: Pair) -> None:
    """Clients that count up one stream get through in turn, and none is lost."""

    def count_up(store: NatsMessageStore) -> None:
        for _ in range(20):
            while True:
                info = store.get_stream_info("counter")
                revision = -1 if info is None else info.revision
                try:
                    store.save_message("counter", Message("X", revision + 1), revision)
                    break
                except WrongExpectedRevision:
                    continue

    threads = [threading.Thread(target=count_up, args=(store,)) for store in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [m.message.data for m in pair[0].get_messages("counter")] == list(range(40))


def test_seeking(pair: Pair) -> None:
    """Revisions are found wherever they are, in dense streams and in sparse ones."""
    store, _ = pair
    for start in range(0, 3000, 1000):
        sparse = [SaveRequest.of("sparse", [Message("S", start)])]
        others = [
            SaveRequest.of(f"o-{n % 7}", [Message("X", n)]) for n in range(start, start + 999)
        ]
        store.save_each(others[:500] + sparse + others[500:])
    assert [m.message.data for m in store.get_messages("sparse")] == [0, 1000, 2000]
    assert [m.message.data for m in store.get_messages("sparse", 1, 1)] == [1000]
    for revision in (0, 1, 63, 64, 200, 427):
        (found,) = store.get_messages("o-3", revision, 1)
        assert found.revision == revision
    backwards = list(store.get_messages("o-3", direction="backwards"))
    assert [m.revision for m in backwards] == list(range(len(backwards)))[::-1]
    last = list(store.get_messages("o-3", None, 5, direction="backwards"))
    assert last == backwards[:5]
    assert len({m.timestamp for m in backwards}) == 3
    assert store.verify().findings == ()


def test_a_commit_of_which_the_server_shows_a_part(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a server shows while it stores a batch ends, for readers, before that batch."""
    store, _ = pair
    store.save_message("orders", Message("A"))
    store.save_messages("orders", [Message("B"), Message("C"), Message("D")])
    last = Getter.last

    async def within(getter: Getter, subject: str, *, bucket: bool = False) -> Raw | None:
        is_of_all = subject == getter.place.everything
        return await (getter.at(3) if is_of_all else last(getter, subject, bucket=bucket))

    monkeypatch.setattr(Getter, "last", within)
    assert [m.message.type for m in store.get_all_messages()] == ["A"]
    assert [m.message.type for m in store.get_messages("orders")] == ["A"]
    assert store.count_messages() == store.get_stats().total_messages == 1


def test_times(pair: Pair) -> None:
    """Times narrow what is read, and both ends count."""
    store, _ = pair
    for number in range(3):
        store.save_messages("orders", [Message("X", number), Message("Y", number)])
    times = [m.timestamp for m in store.get_all_messages()]
    wanted = MessageFilter(from_timestamp=times[2], to_timestamp=times[3])
    assert [m.position for m in store.get_all_messages(wanted)] == [3, 4]
    assert [m.position for m in store.get_all_messages(wanted, direction="backwards")] == [4, 3]


def test_a_message_beyond_the_servers_limit(tmp_path: object, server: Server) -> None:
    """The largest message is what the server takes, and what is beyond it is refused by name."""
    from pathlib import Path

    folder = Path(str(tmp_path))
    with Server(folder) as small:
        small.kill()
        config = small.config.read_text()
        small.config.write_text(config.replace("max_payload: 33554432", "max_payload: 65536"))
        small.start()
        with NatsMessageStore(small.url("journal")) as store:
            most = store.limits.message_bytes_max
            assert most == 65536 - 4096
            overhead = len('{"type":"X","data":""}')
            longest_id = "ä" * 512
            store.save_message("a" * 1024, Message("X", "x" * (most - overhead), id=longest_id))
            with pytest.raises(MessageTooLarge) as caught:
                store.save_message("orders", Message("X", "x" * (most - overhead + 1)))
            assert caught.value.size_bytes_max == most


def test_a_server_that_was_killed(tmp_path: object, server: Server) -> None:
    """After `kill -9` and a new start everything acknowledged is there, and the object goes on."""
    from pathlib import Path

    with Server(Path(str(tmp_path))) as own, NatsMessageStore(own.url("journal")) as store:
        for number in range(10):
            store.save_messages("orders", [Message("X", number), Message("Y", number)])
        own.kill()
        own.start()
        assert store.save_message("orders", Message("Z"), 19).last_position == 21
        assert store.verify().findings == ()
        assert store.count_messages() == 21


def test_asyncio(url: str) -> None:
    """The core is for asyncio: tasks that save at once share commits, and reads are iterated."""

    async def use() -> list[int]:
        core = await NatsCore.open(NatsAddress.parse(url, {}))
        requests = [[SaveRequest.of(f"s-{n % 5}", [Message("X", n)])] for n in range(100)]
        saved = await asyncio.gather(*[core.save(one, independent=True) for one in requests])
        positions = sorted(result.last_position for (result,) in saved)
        read = [stored.position async for stored in core.get_all_messages()]
        assert positions == read == list(range(1, 101))
        follower = core.follow(from_position=99, timeout=0)
        found = await follower.next() or []
        await follower.close()
        await core.close()
        return [stored.position for stored in found]

    assert asyncio.run(use()) == [99, 100]


def test_a_cancelled_save(url: str) -> None:
    """A save that is cancelled while others are under way is stored whole or not at all."""

    async def use() -> tuple[int, int]:
        core = await NatsCore.open(NatsAddress.parse(url, {}))
        one = [SaveRequest.of("orders", [Message("A"), Message("B")])]
        tasks = [asyncio.create_task(core.save(one, independent=False)) for _ in range(20)]
        await tasks[0]
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await core.flush()
        messages = [stored async for stored in core.get_all_messages()]
        await core.close()
        return len(messages), sum(m.message.type == "A" for m in messages)

    messages, firsts = asyncio.run(use())
    assert messages == 2 * firsts >= 2


def test_closing_under_a_follower(url: str) -> None:
    """A follower whose store is closed by another thread ends with an error, and does not hang."""
    store = NatsMessageStore(url)
    store.save_message("orders", Message("X"))
    ended: list[BaseException] = []
    began = threading.Event()

    def follow() -> None:
        try:
            for _ in store.follow():
                began.set()
        except StoreUnavailable as error:
            ended.append(error)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    assert began.wait(60)
    store.close()
    thread.join(60)
    assert not thread.is_alive()
    assert len(ended) == 1


def test_a_child_process(url: str) -> None:
    """After a fork parent and child go on with connections of their own, and both end."""
    with NatsMessageStore(url) as store:
        store.save_message("orders", Message("Before"))
        child = os.fork()
        if child == 0:
            code = 1
            try:
                store.save_message("orders", Message("Child"), 0)
                store.close()
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        store.save_message("orders", Message("Parent"), 1)
        types = [stored.message.type for stored in store.get_all_messages()]
        assert types == ["Before", "Child", "Parent"]


def test_a_store_that_nobody_closed(url: str) -> None:
    """A program that ends with the store open ends, and says nothing of it."""
    import subprocess
    import sys

    code = (
        "import sys, msgstore\n"
        f"store = msgstore.open_store({url!r})\n"
        "store.save_message('orders', msgstore.Message('X'))\n"
        "following = store.follow()\n"
        "next(following)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def publish(store: NatsMessageStore, server: Server, body: bytes, **headers: str) -> None:
    """As anybody can who may publish to the subject: to the stream `orders`, past msgstore."""
    import nats

    subject = f"{store._core._parts.getter.place.subjects}orders"  # type: ignore[union-attr]
    named = {name.replace("_", "-"): value for name, value in headers.items()} or None

    async def publish() -> None:
        client = await nats.connect(f"nats://127.0.0.1:{server.port}")
        await client.jetstream().publish(subject, body, headers=named)
        await client.close()

    asyncio.run(publish())


def test_what_somebody_else_published(url: str, server: Server) -> None:
    """A message that msgstore did not write is damage where it is read, and no crash anywhere."""
    with NatsMessageStore(url) as store:
        store.save_message("orders", Message("X"))
        publish(store, server, b"[1]")
        assert store.get_stats().total_messages == 2
        with pytest.raises(CorruptStore, match="no message of msgstore"):
            list(store.get_all_messages())
        (finding, *_) = store.verify().findings
        assert (finding.stream_id, finding.position) == ("orders", 2)
        with pytest.raises(CorruptStore):
            store.save_message("orders", Message("Y"))
        assert store.save_message("carts", Message("Z", id="m-1")).last_position == 3


def test_a_revision_that_is_not_the_next(url: str, server: Server) -> None:
    """A message that looks like one of msgstore's, and has another revision, is found by `verify`."""
    with NatsMessageStore(url) as store:
        store.save_message("orders", Message("X"))
        body = b'{"type":"X","data":null}'
        facts = {"Nats_Msg_Id": "m-1", "Msgstore_Kind": "event", "Msgstore_Revision": "7"}
        publish(store, server, body, **facts)
        (finding,) = store.verify().findings
        assert (finding.position, finding.reason) == (
            2,
            "revision 7 stands where 1 was to come",
        )
