"""The key of category hashes: where it is read from, and the name under which the rest of the program knows it.

Category values leave the process only as keyed hashes (`stream.plan.Field.show` apart), so whoever reads the ledger
cannot try out values. The key itself appears nowhere: a `HashKey` prints its id, eight digits of a keyed digest, by
which a lost or changed key is noticed at start. Without a stated key one is made from the application's name. Then
anybody who knows the name can try out values, which is why the id says ``none`` and `check` warns.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stream.config.errors import Problem

MIN_BYTES = 16
MAX_BYTES = 4096
NO_KEY = "none"
"""The id of a key that nobody stated."""


@dataclass(frozen=True)
class HashKey:
    """A key for `hashlib.blake2b`.

    Attributes:
        secret: 32 bytes; never printed.
        id: what names the key in plans and ledgers: eight hexadecimal digits, or `NO_KEY`.
    """

    secret: bytes = field(repr=False)
    id: str


def key_of_app(app: str) -> HashKey:
    """Return the key used where none is stated.

    >>> key_of_app("sg-fraud")
    HashKey(id='none')
    """
    return HashKey(hashlib.blake2b(app.encode(), digest_size=32, person=b"sg-app").digest(), NO_KEY)


def key_of_secret(secret: bytes) -> HashKey:
    """Return the key made from a stated secret of any length."""
    key = hashlib.blake2b(secret, digest_size=32, person=b"sg-hash-key").digest()
    return HashKey(key, hashlib.blake2b(b"id", key=key, digest_size=4).hexdigest())


def read_key(env: str | None, file: str | None, folder: Path, environ: Mapping[str, str]) -> HashKey | Problem:
    """Read the secret from an environment variable or a file.

    A problem is returned rather than raised: a traceback that prints local variables would print the secret.

    Args:
        env, file: as stated; exactly one should be.
        folder: where relative paths begin.
        environ: the environment.
    """
    if (env is None) == (file is None):
        found = "nothing" if env is None else "both"
        return Problem(("hash_key",), "not a valid value", found, "either {env: NAME} or {file: PATH}")
    if env is not None:
        return _of_env(env, environ)
    assert file is not None
    return _of_file(file, folder)


def _of_env(name: str, environ: Mapping[str, str]) -> HashKey | Problem:
    place = ("hash_key", "env")
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,127}", name):
        expected = "the name of an environment variable: letters, digits and '_'"
        return Problem(place, "not a valid value", "a text (not shown, it may be the secret itself)", expected)
    if name not in environ:
        return Problem(place, "the secret is missing", f"no environment variable {name}", _EXPECTED)
    return _checked(place, f"environment variable {name}", environ[name].encode(errors="surrogateescape"))


def _of_file(name: str, folder: Path) -> HashKey | Problem:
    place = ("hash_key", "file")
    try:
        with (folder / name).open("rb") as stream:
            return _checked(place, f"file {name}", stream.read(MAX_BYTES + 1))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        return Problem(place, "the secret is missing", f"file {name}: {reason.lower()}", _EXPECTED)


def _checked(place: tuple[str, str], source: str, secret: bytes) -> HashKey | Problem:
    stripped = secret.strip()
    if MIN_BYTES <= len(stripped) <= MAX_BYTES:
        return key_of_secret(stripped)
    hint = "make one with: openssl rand -hex 32"
    return Problem(place, "the secret has the wrong length", f"{source} with {len(stripped)} bytes", _EXPECTED, hint)


_EXPECTED = f"a secret of {MIN_BYTES} to {MAX_BYTES} bytes"
