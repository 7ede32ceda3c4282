"""What is secret in this process, and how it is found in a text: whole or in pieces, encoded, or broken by blanks.

Texts are compared without blanks, backslashes, letters beyond ASCII and case, so that a line break, an escape or
another spelling hides nothing. A look at a record costs 10 us a kilobyte, however many secrets there are: every piece
of PIECE characters covers a block of BLOCK of them at one of two offsets, and blocks are looked up as numbers in a set.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MASK = "***"
SHORTEST = 8
"""A shorter secret is too likely to be an ordinary word: it is masked where its place tells it, and nowhere else."""
PIECE = 12
"""So many characters of a secret that stand together are masked; of a shorter secret, only all of it."""
BLOCK = 8
NAME = (
    r"(?:(?:[a-z0-9]+[-_.])*(?:api[-_]?keys?|(?:access|secret|private)[-_]?keys?|secrets?|passw(?:or)?d|credentials?"
    r"|authorization)|(?:(?:api|access|auth|bearer|refresh|session|hf|hub)[-_]?)?token|key)"
)
"""What only a secret is called."""
_WHOLE_NAME = re.compile(NAME, re.IGNORECASE)
_BLANKS = re.compile(r"\\+[nrt]|[^!-\[\]-~]+")
_PATH = re.compile(r"[/~.]|[a-z]:\\|[a-z][a-z0-9+.-]*://", re.IGNORECASE)
"""Where a value of the environment begins so, its pieces are parts of paths: only all of it is secret."""
_DROPPED = bytes(code for code in range(256) if not 0x21 <= code <= 0x7E or code == 0x5C)
_LOWER = bytes(range(256)).lower()


class _Known:
    """What this process was given as a secret, and the matcher that was made last."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        """They need not stand in the environment under a secret's name."""
        self.logins: set[str] = set()
        """`user:password`: the user's name alone is no secret."""
        self.matcher: SecretMatcher | None = None


_KNOWN = _Known()


def remember_secret(*values: str | None) -> None:
    """Mask these values from now on, wherever something is stored or printed; None and the empty text are none."""
    _KNOWN.secrets.update(value for value in values if value)
    _KNOWN.matcher = None


def remember_login(login: str) -> None:
    """Mask the login of an address from now on, its password alone, and its base64."""
    remember_secret(login.partition(":")[2])
    _KNOWN.logins.add(login)


def secret_matcher() -> SecretMatcher:
    """Return the matcher of all secrets that are known now; those of the environment are read anew."""
    _KNOWN.matcher = _matcher(_secrets_of_environment(), frozenset(_KNOWN.secrets), frozenset(_KNOWN.logins))
    return _KNOWN.matcher


def last_matcher() -> SecretMatcher:
    """Return the matcher that was made last, with what was remembered since: for what is stored by the thousand."""
    return _KNOWN.matcher or secret_matcher()


def is_secret_name(name: str) -> bool:
    """Whether what bears this name can only be a secret; a plain `key` may be that of a table, too."""
    return bears_secret(name) and name.lower() != "key"


@functools.lru_cache(maxsize=4096)
def bears_secret(name: str) -> bool:
    """Whether a text under this name is taken for a secret."""
    return _WHOLE_NAME.fullmatch(name) is not None


def _secrets_of_environment() -> frozenset[str]:
    return frozenset(os.environ[name] for name in os.environ if bears_secret(name) or name.endswith("_TOKEN"))


class _Stretch(NamedTuple):
    """A part of a text, from its first character to the one behind its last."""

    start: int
    end: int


class SecretMatcher:
    """Finds the secrets that it was made of."""

    def __init__(self, secrets: Iterable[str], logins: Iterable[str] = ()) -> None:
        whole = {form for login in logins for form in _long_enough(_plain_forms(login))}
        pieces = {form for login in logins for form in _long_enough(_base64_forms(login))}
        for secret in filter(None, (secret.strip() for secret in secrets)):
            forms = _long_enough((*_plain_forms(secret), *_base64_forms(secret)))
            (whole if _PATH.match(secret) else pieces).update(forms)
        self._whole = sorted({*whole, *(form for form in pieces if len(form) < PIECE)}, key=len, reverse=True)
        self._whole_bytes = [form.encode() for form in self._whole]
        self._blocks = {form[at : at + BLOCK] for form in pieces if len(form) >= PIECE for at in _offsets(form)}
        self._numbers = {int.from_bytes(block.encode(), sys.byteorder) for block in self._blocks}

    def may_hold(self, data: bytes) -> bool:
        """Whether a secret, or a piece of one, may stand in a text or in JSON; False is certain."""
        if not self._whole_bytes and not self._numbers:
            return False
        for escape in (b"\\n", b"\\r", b"\\t"):
            data = data.replace(escape, b"")
        plain = data.translate(_LOWER, _DROPPED)
        if any(form in plain for form in self._whole_bytes):
            return True
        view, size = memoryview(plain), len(plain)
        shifted = max(0, size - BLOCK // 2)
        return not (
            self._numbers.isdisjoint(view[: size - size % BLOCK].cast("Q"))
            and self._numbers.isdisjoint(view[size - shifted : size - shifted % BLOCK].cast("Q"))
        )

    def mask(self, text: str) -> str:
        """Return the text with a mask in place of every secret."""
        if not self.may_hold(text.encode("utf-8", "surrogatepass")):
            return text
        kept: list[str] = []
        end = 0
        for stretch in self._stretches(text):
            kept += [text[end : stretch.start], MASK]
            end = stretch.end
        return "".join([*kept, text[end:]])

    def _stretches(self, text: str) -> Iterator[_Stretch]:
        """Yield the stretches of a text that are secret, from left to right, none touching another."""
        places = [at for begin, end in _between_blanks(text) for at in range(begin, end)]
        plain = "".join(text[at] for at in places).lower()
        secret = bytearray(len(plain))
        for found in (*self._pieces(plain), *self._wholes(plain)):
            secret[found.start : found.end] = b"\1" * (found.end - found.start)
        for run in re.finditer(rb"\x01+", secret):
            yield _Stretch(places[run.start()], places[run.end() - 1] + 1)

    def _pieces(self, plain: str) -> Iterator[_Stretch]:
        start = end = 0
        for at in range(len(plain) - BLOCK + 1):
            if plain[at : at + BLOCK] not in self._blocks:
                continue
            start = at if at > end else start
            end = at + BLOCK
            if end - start >= PIECE:
                yield _Stretch(start, end)

    def _wholes(self, plain: str) -> Iterator[_Stretch]:
        for form in self._whole:
            at = plain.find(form)
            while at >= 0:
                yield _Stretch(at, at + len(form))
                at = plain.find(form, at + 1)


@functools.lru_cache(maxsize=8)
def _matcher(environment: frozenset[str], secrets: frozenset[str], logins: frozenset[str]) -> SecretMatcher:
    return SecretMatcher(environment | secrets, logins)


def _between_blanks(text: str) -> Iterator[_Stretch]:
    at = 0
    for blank in _BLANKS.finditer(text):
        yield _Stretch(at, blank.start())
        at = blank.end()
    yield _Stretch(at, len(text))


def _squeeze(text: str) -> str:
    return "".join(text[begin:end] for begin, end in _between_blanks(text)).lower()


def _offsets(form: str) -> range:
    return range(len(form) - BLOCK + 1)


def _long_enough(forms: Iterable[str]) -> set[str]:
    return {form for form in map(_squeeze, forms) if len(form) >= SHORTEST}


def _plain_forms(secret: str) -> Iterator[str]:
    """Yield a secret as it is and as it stands in URLs, HTML, JSON and in hexadecimal digits; none of a short one."""
    if len(secret) < SHORTEST:
        return
    import html
    import json
    from urllib.parse import quote

    escaped = quote(secret, safe="")
    yield from (secret, escaped, escaped.replace("%20", "+"), quote(secret), quote(escaped))
    as_html = html.escape(secret)
    yield from (as_html, html.escape(secret, quote=False), as_html.replace("&#x27;", "&#39;"))
    yield from (as_html.replace("&quot;", "&#34;"), json.dumps(secret)[1:-1])
    yield "".join(f"\\u{ord(sign):04x}" if sign in "<>&'\"" else sign for sign in secret)
    data = secret.encode("utf-8", "surrogatepass")
    yield data.hex()
    yield "".join(f"%{byte:02x}" for byte in data)
    for spelling in ("&#{:d};", "&#x{:x};", "\\u{:04x}", "\\x{:02x}"):
        yield "".join(spelling.format(ord(sign)) for sign in secret)


def _base64_forms(secret: str) -> Iterator[str]:
    """Yield what base64 makes of a secret, alone or within a longer text."""
    import base64

    data = secret.encode("utf-8", "surrogatepass")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):  # within a longer text that was encoded, it begins at any of three places
            encoded = encode(b"\0" * before + data).decode()
            yield encoded if before == 0 else encoded[-(-before * 8 // 6) :]
            # A character of base64 holds 6 bits: the last may hold some of what follows.
            yield encoded.rstrip("=")[-(-before * 8 // 6) : -1]
