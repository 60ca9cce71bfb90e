"""The URL of a store on NATS."""

from __future__ import annotations

import pytest

from msgstore import InvalidArgument
from msgstore.backends.nats.address import NatsAddress

BAD = {
    "no name": "nats://localhost",
    "an empty name": "nats://localhost/",
    "a name with a dot": "nats://localhost/a.b",
    "a name of two parts": "nats://localhost/a/b",
    "a long name": "nats://localhost/" + "a" * 65,
    "no host": "nats:///journal",
    "a port beyond the last": "nats://localhost:70000/journal",
    "an unknown option": "nats://localhost/journal?replica=3",
    "an option twice": "nats://localhost/journal?ca=a&ca=b",
    "two replicas": "nats://localhost/journal?replicas=2",
    "a fragment": "nats://localhost/journal#a",
    "an open bracket": "nats://[::1/journal",
}


def test_the_shortest() -> None:
    """A host and a name will do; the port is that of NATS."""
    address = NatsAddress.parse("nats://localhost/journal", {})
    assert (address.servers, address.name) == (("nats://localhost:4222",), "journal")
    assert (address.replicas, address.user, address.token, address.creds) == (1, None, None, None)
    assert address.shown == "nats://localhost:4222/journal"
    assert not address.is_encrypted


def test_several_hosts() -> None:
    """All servers of a cluster may be named."""
    address = NatsAddress.parse("tls://a:1,[::1]:2,c/journal?replicas=3", {})
    assert address.servers == ("tls://a:1", "tls://[::1]:2", "tls://c:4222")
    assert address.shown == "tls://a:1,[::1]:2,c:4222/journal"
    assert (address.replicas, address.is_encrypted) == (3, True)


IDENTITIES: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "in the URL": ("u:p%40w@", {}, {"user": "u", "password": "p@w"}),
    "a token in the URL": ("s3cret@", {}, {"token": "s3cret"}),
    "of the environment": (
        "",
        {"MSGSTORE_NATS_USER": "u", "MSGSTORE_NATS_PASSWORD": "p"},
        {"user": "u", "password": "p"},
    ),
    "a token of the environment": ("", {"MSGSTORE_NATS_TOKEN": "t"}, {"token": "t"}),
    "a file of the environment": (
        "",
        {"MSGSTORE_NATS_CREDS": "a.creds", "MSGSTORE_NATS_USER": "u"},
        {"creds": "a.creds"},
    ),
    "the URL wins": ("u:p@", {"MSGSTORE_NATS_CREDS": "a.creds"}, {"user": "u", "password": "p"}),
    "an empty variable": ("", {"MSGSTORE_NATS_USER": ""}, {}),
}


@pytest.mark.parametrize("case", IDENTITIES)
def test_who_asks(case: str) -> None:
    """The URL says who asks, else the environment; nothing of it is shown."""
    secret, environment, expected = IDENTITIES[case]
    address = NatsAddress.parse(f"nats://{secret}localhost/journal", environment)
    names = ("user", "password", "token", "creds")
    assert {n: v for n in names if (v := getattr(address, n)) is not None} == expected
    assert address.shown == "nats://localhost:4222/journal"
    assert not any(value in repr(address) for value in expected.values() if len(value) > 2)


@pytest.mark.parametrize("case", BAD)
def test_no_address(case: str) -> None:
    """Anything else is refused, with what is wrong and how to write it."""
    with pytest.raises(InvalidArgument, match="write nats://host:4222/NAME") as caught:
        NatsAddress.parse(BAD[case], {})
    assert caught.value.argument == "store"


def test_a_wrong_url_keeps_its_secret() -> None:
    """What is refused is not repeated where a password could stand in it."""
    with pytest.raises(InvalidArgument) as caught:
        NatsAddress.parse("nats://u:s3cret@localhost/a.b", {})
    assert "s3cret" not in str(caught.value)
