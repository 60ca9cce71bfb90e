"""What things are called on the server: streams, subjects, keys. Pure functions.

    stream   msgstore_NAME         subjects  msgstore.NAME.EPOCH.TOKEN       one message each
    bucket   KV_msgstore_NAME      subjects  $KV.msgstore_NAME.EPOCH.…       one value each

TOKEN is the id of a stream. EPOCH is made anew when a store is made or emptied, so that nothing
that was meant for the store before can be taken for its own.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from string import ascii_letters, digits

_PLAIN = frozenset((ascii_letters + digits + "_-").encode())
_ESCAPED = [chr(b) if b in _PLAIN else f"={b:02X}" for b in range(256)]
TOKEN_BYTES_MAX = 1400
"""The server takes protocol lines of 4,096 bytes, with subject, reply and sizes."""
_EPOCH_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def encode_token(text: str) -> str:
    """A text as one token of a subject: letters, digits, `-` and `_` as they are, other bytes `=XX`.

    Where that would be too long, `==` and the text's bytes in base64url.
    """
    raw = text.encode()
    token = "".join([_ESCAPED[byte] for byte in raw])
    if len(token) <= TOKEN_BYTES_MAX:
        return token
    return "==" + urlsafe_b64encode(raw).decode().rstrip("=")


def decode_token(token: str) -> str:
    """The text of `encode_token`. Raises ValueError for what is none."""
    if token.startswith("=="):
        body = token[2:]
        return urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode()
    first, *parts = token.split("=")
    raw = first.encode()
    for part in parts:
        raw += bytes.fromhex(part[:2]) + part[2:].encode()
    return raw.decode()


def new_epoch() -> str:
    return "".join(_EPOCH_ALPHABET[byte % 36] for byte in os.urandom(10))


def stream_name(name: str) -> str:
    return f"msgstore_{name}"


def bucket_name(name: str) -> str:
    return f"KV_msgstore_{name}"


def subject_prefix(name: str, epoch: str) -> str:
    return f"msgstore.{name}.{epoch}."


def bucket_subjects(name: str) -> str:
    return f"$KV.msgstore_{name}.>"


def key_prefix(name: str, epoch: str) -> str:
    return f"$KV.msgstore_{name}.{epoch}."


def id_key(encoded_id: str) -> str:
    """The key under which the position of an id is kept: 16 bytes of its hash, as 22 letters.

    Two ids of one hash would be two in 2**64 or so; what is found is compared with the message.
    """
    digest = blake2b(encoded_id.encode(), digest_size=16).digest()
    return "id." + urlsafe_b64encode(digest).decode().rstrip("=")
