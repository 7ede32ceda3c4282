"""Learn from a refusal in which other form an endpoint takes a request.

Only what the endpoint names is changed; a request for one letter, whose structure and log-probabilities many endpoints
do not know, is also tried without them where nothing is named.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, get_args

from dtbench.models.endpoint.form import LOGPROBS, LONGEST, STRUCTURE, RequestForm
from dtbench.models.endpoint.http import Reply
from dtbench.models.endpoint.parse import refused_context
from dtbench.models.endpoint.settings import SAMPLING
from dtbench.models.endpoint.wire import AudioPart

REFUSED = {400, 422}
"""Statuses with which endpoints refuse a request that they do not understand."""
_NAMED_ONLY = {403, 404, 500}
"""Statuses that some take for it too, 403 is OpenAI's for log-probabilities; they count only where the words say so."""
_MOST_WORDS = 4000
_UNKNOWN = re.compile(
    r"cannot find field|unrecogni[sz]ed|unsupported|not supported"
    r"|does ?n[o']t support|does not (?:take|accept|allow)|not permitted|extra_forbidden|additional propert"
    r"|unexpected (?:keyword|argument|field|property)|extraneous|not (?:allowed|recogni[sz]ed|valid)"
    r"|invalid (?:value|field|argument|parameter)|\bunknown\b",
    re.IGNORECASE,
)
_RANGE = re.compile(
    r"range|int32|2147483647|2\*\*31|2\^31|between|less than|at most|<=|too (?:large|big)|out of|must be \[|maximum",
    re.IGNORECASE,
)
_STREAM_ONLY = re.compile(
    r"(?:only|must|please|requires?|needs?|has to)\b.{0,60}\bstream|\bstream\w*\b.{0,40}\b(?:only|required|must)",
    re.IGNORECASE | re.DOTALL,
)
_OF_CLIP = re.compile(r"audio_url|input_audio|\burl\b|base64|audio (?:data|content|part|format)", re.IGNORECASE)
_AUDIO_PARTS: tuple[AudioPart, ...] = get_args(AudioPart)
_CHOICE_FIELDS = {
    **dict.fromkeys(("structured_outputs", "regex", "guided_choice"), STRUCTURE),
    **dict.fromkeys(("logprobs", "top_logprobs"), LOGPROBS),
}
_ASKED = (frozenset({STRUCTURE, LOGPROBS}), frozenset({LOGPROBS}), frozenset({STRUCTURE}), frozenset[str]())
"""What a request for one letter asks for, tried in this order where a refusal names nothing."""


class Asked(NamedTuple):
    """What a refused request was, as far as its form matters."""

    fields: Collection[str]
    """The names of the fields of its body."""
    has_clip: bool
    forced: bool


def refusal_words(reply: Reply) -> str | None:
    """Return what an endpoint says of a request that it refuses; None where the reply is no refusal."""
    if refused_context(reply) is not None:  # that is for one prompt to settle, not for the form
        return None
    status, words = reply.status, reply.body[:_MOST_WORDS].decode("utf-8", "replace")
    if status == 200 and b'"error"' in reply.body[:_MOST_WORDS]:  # a provider's refusal within a router's success
        status = _status_within(reply.body)
    if status in REFUSED:
        return _unescaped(words)
    return _unescaped(words) if status in _NAMED_ONLY and _UNKNOWN.search(words) else None


def _status_within(body: bytes) -> int:
    """Return the status that the error in a body names, beside choices or within one."""
    try:
        answer = json.loads(body)
        choices = answer.get("choices") or [{}]
        error = answer.get("error") or choices[0].get("error") or {}
        return int(error.get("code", 0))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return 0


def _unescaped(words: str) -> str:
    """Return the words of JSON within JSON as a reader sees them."""
    return words.replace("\\", "")


def next_form(form: RequestForm, words: str, asked: Asked, tried: Collection[RequestForm]) -> RequestForm | None:
    """Return the form to try after this one was refused in these words; None where they show none."""
    named = _without_named(form, words, asked, tried)
    if named is not None:
        return named
    if form.seed in asked.fields and _names(words, str(form.seed)) and _RANGE.search(words) and form.seed_bits > 31:
        return dataclasses.replace(form, seed_bits=31)
    if not form.stream and _STREAM_ONLY.search(words):
        return dataclasses.replace(form, stream=True)
    if asked.has_clip and _OF_CLIP.search(words):
        return _other_part(form, tried)
    return _asking_less(form, tried) if asked.forced else None


def _names(words: str, field: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(field)}(?!\w)", words) is not None


def _without_named(form: RequestForm, words: str, asked: Asked, tried: Collection[RequestForm]) -> RequestForm | None:
    """Return the form without the fields that the endpoint says it does not know."""
    if not _UNKNOWN.search(words):
        return None
    changed = form
    for name in asked.fields:
        if _names(words, name):
            changed = _without(changed, name, words, tried)
    return None if changed == form else changed


def _without(form: RequestForm, name: str, words: str, tried: Collection[RequestForm]) -> RequestForm:
    changes: dict[str, Any] = {}
    if name == form.seed:
        known_range = form.seed_bits > 31 and _RANGE.search(words)
        changes = {"seed_bits": 31} if known_range else {"seed": None}
    elif name in LONGEST:
        other = LONGEST[1 - LONGEST.index(name)]
        renamed = any(one.longest == other for one in tried)
        changes = {"left_out": form.left_out | {name}} if renamed else {"longest": other}
    elif name in _CHOICE_FIELDS:
        changes = {"asks": form.asks - {_CHOICE_FIELDS[name]}}
    elif name == "stream_options":
        changes = {"stream_usage": False}
    elif name == "stream":
        changes = {"stream": not form.stream if _STREAM_ONLY.search(words) else False}
    elif name in SAMPLING:
        changes = {"left_out": form.left_out | {name}}
    return dataclasses.replace(form, **changes)


def _other_part(form: RequestForm, tried: Collection[RequestForm]) -> RequestForm | None:
    """Return the form with the next way to send a clip; None where all were tried."""
    seen = {one.audio_part for one in tried} | {form.audio_part}
    left = [part for part in _AUDIO_PARTS if part not in seen]
    return dataclasses.replace(form, audio_part=left[0]) if left else None


def _asking_less(form: RequestForm, tried: Collection[RequestForm]) -> RequestForm | None:
    """Return the form that asks for less beside a letter than the first one did; None where all were tried."""
    offered = frozenset().union(*(one.asks for one in tried))
    # What was refused by name stays away: no form tried since asks for it.
    for asks in _ASKED:
        smaller = dataclasses.replace(form, asks=asks)
        if asks < offered and smaller not in tried:
            return smaller
    return None


def sent_fields(body: Mapping[str, Any], form: RequestForm, *, seeded: bool) -> set[str]:
    """Return the names of the fields of a request in this form."""
    return {*body, *({form.seed} if seeded and form.seed is not None else ())}
