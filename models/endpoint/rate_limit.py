"""Read from a refusal how long to wait: hosts say it in headers, in fields of the body, or in words.

A 429, and a 503 that names a wait, says that the endpoint had too many requests. It may also say that a quota of a day
or of an account is used up, which no wait of a run outlasts.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

PAYMENT_REQUIRED, TOO_MANY = LIMITED = (402, 429)
"""Statuses that stand for a limit, of money or of requests."""
LONGEST = 1e9
_READ = 20_000
"""Bytes of a body that are looked through for words."""
_SECONDS: Mapping[str, float] = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""By the first letter of a unit."""
_PART = re.compile(
    r"(\d+(?:\.\d+)?)\s*(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)(?![a-z])", re.IGNORECASE
)
_DURATION = re.compile(rf"(?:{_PART.pattern}\s*)+", re.IGNORECASE)
_WORDS = re.compile(
    rf"(?:try again|retry|wait|resets?|available)[^.\d]{{0,40}}?\b(?:in|after|for)\s+({_DURATION.pattern})",
    re.IGNORECASE,
)
_USED_UP = re.compile(r"insufficient_quota|insufficient (?:balance|credits?)|credit balance is too low", re.IGNORECASE)
_DAILY = re.compile(r"per[_ -]?day\b|\b(?:daily|monthly) (?:\w+ )?(?:limit|quota)", re.IGNORECASE)
_MINUTELY = re.compile(r"per[_ -]?(?:min|sec)", re.IGNORECASE)
_EPOCH, _EPOCH_MS = 1e9, 1e12
"""Numbers beyond these are moments, not seconds."""


class RateLimit(NamedTuple):
    """What a refusal says of a limit."""

    wait: float | None = None
    """Seconds until the next request may be sent; None where it does not say."""
    used_up: bool = False
    """Whether a quota of a day, or of the account, is used up."""

    def refuses(self, status: int) -> bool:
        """Whether a reply with this status is a refusal of too many requests, and not a failure."""
        return status == TOO_MANY or (status == 503 and self.wait is not None)


def read_rate_limit(status: int, headers: Mapping[str, str], body: bytes) -> RateLimit:
    """Return what a refusal says: in its headers, else in fields of its body, else in the words of its message."""
    text = body[:_READ].decode("utf-8", "replace")
    waits = (*_waits_of_headers(headers), *_waits_of_body(body), *_waits_of_words(text))
    wait = next((wait for wait in waits if wait is not None), None)
    used_up = status == PAYMENT_REQUIRED or (status == TOO_MANY and _is_used_up(body, text))
    return RateLimit(None if wait is None else min(max(wait, 0.0), LONGEST), used_up)


def _waits_of_headers(headers: Mapping[str, str]) -> Iterator[float | None]:
    yield _number(headers.get("retry-after-ms"), 0.001)
    now = _moment(headers.get("date")) or time.time()  # by the clock of the host, however ours is set
    yield _retry_after(headers.get("retry-after"), now)
    resets = {
        kind: wait
        for kind in ("requests", "tokens", "")
        if (wait := _until(headers.get(f"x-ratelimit-reset{'-' * bool(kind)}{kind}"), now)) is not None
    }
    spent = [kind for kind in resets if _number(headers.get(f"x-ratelimit-remaining{'-' * bool(kind)}{kind}")) == 0]
    yield max((resets[kind] for kind in spent), default=min(resets.values(), default=None))


def _waits_of_body(body: bytes) -> Iterator[float | None]:
    for error in _errors(body):
        details = error.get("details")
        for detail in details if isinstance(details, list) else ():
            if isinstance(detail, dict):
                yield _duration(detail.get("retryDelay"))  # google.rpc.RetryInfo
        yield _number(error.get("retry_after"))


def _waits_of_words(text: str) -> Iterator[float | None]:
    if match := _WORDS.search(text):
        yield _duration(match[1])


def _is_used_up(body: bytes, text: str) -> bool:
    """Whether the refusal names a quota of a day or of the account; of Google, its QuotaFailure alone decides."""
    ids = [
        str(violation.get("quotaId", violation.get("quotaMetric", "")))
        for error in _errors(body)
        for detail in (error["details"] if isinstance(error.get("details"), list) else ())
        if isinstance(detail, dict) and isinstance(detail.get("violations"), list)
        for violation in detail["violations"]
        if isinstance(violation, dict)
    ]
    if ids:
        return any("perday" in id_.lower() for id_ in ids)
    daily = _DAILY.search(text) is not None and _MINUTELY.search(text) is None
    return daily or _USED_UP.search(text) is not None


def _errors(body: bytes) -> Iterator[dict[str, Any]]:
    """Yield the error objects of a body; Google's OpenAI form sends a list."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return
    for one in parsed if isinstance(parsed, list) else [parsed]:
        if isinstance(one, dict):
            error = one.get("error")
            yield error if isinstance(error, dict) else one


def _number(value: object, scale: float = 1.0) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value) * scale
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(number) else number


def _duration(value: object) -> float | None:
    """Read `34s`, `1m12.5s`, `120ms` or `34 seconds`."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value.strip()):
        return None
    return sum(float(number) * _scale(unit.lower()) for number, unit in _PART.findall(value))


def _scale(unit: str) -> float:
    return 0.001 if unit == "ms" or unit.startswith("milli") else _SECONDS[unit[0]]


def _until(value: str | None, now: float) -> float | None:
    """Read a reset: a duration, seconds, or a moment in seconds or milliseconds since 1970."""
    number = _number(value)
    if number is None:
        return _duration(value)
    if number < _EPOCH:
        return number
    return (number / 1000 if number >= _EPOCH_MS else number) - now


def _retry_after(value: str | None, now: float) -> float | None:
    """Read a Retry-After header, which holds seconds or a date."""
    number = _number(value)
    if number is not None or not value:
        return number
    moment = _moment(value)
    return _duration(value) if moment is None else moment - now


def _moment(value: str | None) -> float | None:
    """Read the date of a header, as seconds since 1970."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (ValueError, OverflowError):
        return None
