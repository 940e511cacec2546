"""Secrets in pickles.

A pickle travels: into a log, a cache, a queue. The secrets of a store do not belong there, yet the
workers of a DataLoader need them. Processes that multiprocessing starts share a key with the
process that started them (``multiprocessing.current_process().authkey``), whether they were forked
or spawned; secrets are sealed with that key. A process that has another key drops them, and the
store takes what the environment has.

The seal is a stream cipher and an authentication code, both made of BLAKE2b keyed with a hash of
the shared key: each pad is used once, since its nonce is random.
"""

from __future__ import annotations

import json
import os
from typing import Any

_SECRETS = ("access_key_id", "secret_access_key", "session_token", "service_account_key")
_SEALED = "sealed"
_NONCE = 16
_CODE = 32
_BLOCK = 64


def seal(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration whose secrets only a process of the same family can open."""
    secrets = {name: config[name] for name in _SECRETS if config.get(name) is not None}
    if not secrets:
        return config
    nonce = os.urandom(_NONCE)
    text = json.dumps(secrets).encode()
    body = nonce + _with_pad(text, nonce)
    return _without_secrets(config) | {_SEALED: _code(body) + body}


def unseal(config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration with its secrets, or without if they are sealed for others."""
    if _SEALED not in config:
        return config
    open_ = {name: value for name, value in config.items() if name != _SEALED}
    import hmac  # noqa: PLC0415 - as in `_hash`

    code, body = config[_SEALED][:_CODE], config[_SEALED][_CODE:]
    if not hmac.compare_digest(code, _code(body)):
        return open_
    nonce, text = body[:_NONCE], body[_NONCE:]
    secrets: dict[str, Any] = json.loads(_with_pad(text, nonce))
    return open_ | secrets


def _without_secrets(config: dict[str, Any]) -> dict[str, Any]:
    return {name: None if name in _SECRETS else value for name, value in config.items()}


def _key(purpose: bytes) -> bytes:
    import multiprocessing  # noqa: PLC0415 - 10 ms that an import of mithril need not take

    shared = bytes(multiprocessing.current_process().authkey)
    return _hash(shared, b"mithril " + purpose)


def _with_pad(text: bytes, nonce: bytes) -> bytes:
    key = _key(b"pad")
    blocks = range(-(-len(text) // _BLOCK))
    pad = b"".join(_hash(nonce + block.to_bytes(8, "little"), key) for block in blocks)
    return bytes(one ^ two for one, two in zip(text, pad, strict=False))


def _code(body: bytes) -> bytes:
    return _hash(body, _key(b"code"), _CODE)


def _hash(data: bytes, key: bytes, size: int = _BLOCK) -> bytes:
    import hashlib  # noqa: PLC0415 - 5 ms that an import of mithril need not take

    return hashlib.blake2b(data, key=key, digest_size=size).digest()
