"""Where a store on NATS is, and who asks: the URL and the environment, before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from msgstore.model.errors import InvalidArgument

_NAME = r"[A-Za-z0-9_-]{1,64}"
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+)(?::(\d{1,5}))?"
_OPTIONS = ("replicas", "creds", "ca", "tls_name")
REPLICAS = (1, 3, 5)
DEFAULT_PORT = 4222
_VARIABLES = {
    "creds": "MSGSTORE_NATS_CREDS",
    "token": "MSGSTORE_NATS_TOKEN",
    "user": "MSGSTORE_NATS_USER",
    "password": "MSGSTORE_NATS_PASSWORD",
}


@dataclass(frozen=True, slots=True)
class NatsAddress:
    """`nats://[user:password@|token@]host[:port][,host…]/NAME[?replicas=3&creds=…&ca=…]`.

    What says who asks is not part of its `repr`, and never of `shown`.
    """

    servers: tuple[str, ...]
    """`nats://host:port` each, or `tls://…`."""
    name: str
    replicas: int = 1
    """Of a store that is made; one that is there has its own."""
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    creds: str | None = field(default=None, repr=False)
    ca: str | None = None
    tls_name: str | None = None

    @property
    def shown(self) -> str:
        """The URL as errors name it."""
        first, *others = self.servers
        return f"{','.join([first, *(server.split('//')[1] for server in others)])}/{self.name}"

    @property
    def is_encrypted(self) -> bool:
        return self.servers[0].startswith("tls:") or self.ca is not None

    @classmethod
    def parse(cls, url: str, environment: Mapping[str, str]) -> NatsAddress:
        """The URL, over what the environment says.

        Raises InvalidArgument, whose sentence has nothing secret.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            raise _wrong("it is no URL") from None
        secret, _, hosts = parts.netloc.rpartition("@")
        name = unquote(parts.path.strip("/"))
        if not re.fullmatch(_NAME, name):
            raise _wrong("it ends with the store's name: letters, digits, - and _, at most 64")
        if parts.fragment:
            raise _wrong("it has a # in it")
        options = _options(parts.query)
        return cls(
            servers=_servers(parts.scheme.lower(), hosts),
            name=name,
            replicas=_replicas(options.get("replicas", "1")),
            ca=options.get("ca") or environment.get("MSGSTORE_NATS_CA") or None,
            tls_name=options.get("tls_name"),
            **_identity(secret, options.get("creds"), environment),
        )


def _wrong(reason: str) -> InvalidArgument:
    return InvalidArgument("store", f"{reason}; write nats://host:4222/NAME")


def _servers(scheme: str, hosts: str) -> tuple[str, ...]:
    servers = []
    for host in hosts.split(","):
        match = re.fullmatch(_HOST, host)
        if match is None or int(match[2] or DEFAULT_PORT) > 65_535:
            raise _wrong("it names no host")
        servers.append(f"{scheme}://{match[1]}:{match[2] or DEFAULT_PORT}")
    return tuple(servers)


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in _OPTIONS:
            raise _wrong(f"{key[:40]!r} is not one of its options: {', '.join(_OPTIONS)}")
        if not value or key in options:
            raise _wrong(f"{key} is to be given once, with a value")
        options[key] = value
    return options


def _replicas(text: str) -> int:
    if text not in map(str, REPLICAS):
        raise _wrong(f"replicas={text[:20]} is none of 1, 3 and 5")
    return int(text)


def _identity(
    secret: str, creds: str | None, environment: Mapping[str, str]
) -> dict[str, str | None]:
    """Who asks: what the URL says, and only if it says nothing what the environment does."""
    user, colon, password = secret.partition(":")
    if creds:
        return {"creds": creds}
    if colon:
        return {"user": unquote(user), "password": unquote(password)}
    if user:
        return {"token": unquote(user)}
    said = {name: environment.get(variable) or None for name, variable in _VARIABLES.items()}
    if said["creds"]:
        return {"creds": said["creds"]}
    if said["user"]:
        return {"user": said["user"], "password": said["password"] or ""}
    return {"token": said["token"]}
