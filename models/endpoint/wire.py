"""What goes to a chat endpoint and what comes back: bytes from a prompt, a response or an error from a reply."""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from dtbench.harness.core.errors import ModelError, one_line
from dtbench.harness.core.schema import Prompt, Response
from dtbench.models.endpoint.address import Address
from dtbench.models.endpoint.reply import Reply

LONGEST_MESSAGE = 300
AGAIN = {408, 409, 425, 429}
"""Beside these every 5xx is asked again; any other status says that the request itself is wrong."""
AudioPart = Literal["input_audio", "audio_url"]
"""How the clip stands in a message: as OpenAI has it, or as a data URL, which some servers of a family know alone."""


class _ClipEnvelope(NamedTuple):
    """What stands before the clip's base64 in a message, and what after it."""

    before: bytes
    after: bytes


_CLIP: Mapping[AudioPart, _ClipEnvelope] = {
    "input_audio": _ClipEnvelope(
        b'{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"', b'","format":"wav"}},'
    ),
    "audio_url": _ClipEnvelope(
        b'{"role":"user","content":[{"type":"audio_url","audio_url":{"url":"data:audio/wav;base64,', b'"}},'
    ),
}


def fixed_fields(model: str, sampling: Mapping[str, Any]) -> bytes:
    """What is the same in every body: all but messages and seed."""
    return json.dumps({"model": model, **sampling}, separators=(",", ":")).encode()[:-1]


def request_head(method: str, address: Address, path: str, key: str | None) -> bytes:
    """The head of a request up to its length, the key in it."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {address.authority}", "user-agent: dtbench"]
    lines += ["accept: application/json", "accept-encoding: identity"]
    if address.login is not None:
        lines.append(f"authorization: Basic {binascii.b2a_base64(address.login.encode(), newline=False).decode()}")
    elif key:
        lines.append(f"authorization: Bearer {key}")
    if method == "POST":
        lines.append("content-type: application/json")
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def chat_body(fixed: bytes, prompt: Prompt, seed: int | None, part: AudioPart = "input_audio") -> list[bytes]:
    """The body in parts, so that the clip is not copied; the id of the question is not in it."""
    opening = [fixed, b',"messages":[']
    if prompt.system is not None:
        opening.append(b'{"role":"system","content":%b},' % _quoted(prompt.system))
    seeded = b"" if seed is None else b',"seed":%d' % seed
    if prompt.wav is None:
        return [b"".join((*opening, b'{"role":"user","content":%b}]%b}' % (_quoted(prompt.text), seeded)))]
    import pybase64

    clip = pybase64.b64encode(prompt.wav)
    before, after = _CLIP[part]
    return [
        b"".join((*opening, before)),
        clip,
        b'%b{"type":"text","text":%b}]}]%b}' % (after, _quoted(prompt.text), seeded),
    ]


def _quoted(text: str) -> bytes:
    return json.dumps(text).encode()


def parse_response(reply: Reply, seconds: float) -> Response:
    """What the model said; a ModelError where the reply holds no answer."""
    if not 200 <= reply.status < 300:
        raise reply_error(reply)
    try:
        answer = json.loads(reply.body)
        choice = answer["choices"][0]
        message = choice["message"]
        text = _text(message)
        reason = choice.get("finish_reason") or "none"
        usage = _usage(answer.get("usage"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ModelError(f"the endpoint's reply holds no answer: {_message(reply)}", again=True) from None
    if not isinstance(reason, str):
        raise ModelError(f"the endpoint's reply holds no answer: finish_reason is {reason!r}", again=True)
    if not text and reason not in {"stop", "length"}:
        filtered = reason == "content_filter"
        raise ModelError(f"the endpoint answered nothing (finish_reason: {one_line(reason)[:40]})", again=not filtered)
    return Response(text, reason, usage, seconds)


def _text(message: Mapping[str, Any]) -> str:
    """The words of the answer, the chain of thought in front where the endpoint has parted them."""
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if part.get("type") == "text")
    chain = message.get("reasoning_content") or message.get("reasoning")
    said = content or ""
    if not isinstance(said, str):
        raise TypeError("content is no text")
    return f"<think>{chain}</think>{said}" if chain and isinstance(chain, str) else said


def _usage(usage: object) -> dict[str, int]:
    if not isinstance(usage, dict):
        return {}
    details = usage.get("completion_tokens_details")
    counts = {**usage, "reasoning_tokens": details.get("reasoning_tokens") if isinstance(details, dict) else None}
    return {name: count for name, count in counts.items() if isinstance(count, int) and not isinstance(count, bool)}


def reply_error(reply: Reply) -> ModelError:
    """The error of a reply that is none."""
    if 300 <= reply.status < 400:
        there = one_line(reply.headers.get("location", "elsewhere"))[:LONGEST_MESSAGE]
        return ModelError(f"the endpoint has moved to {there}: name that address", again=False)
    hint = " (the key comes from DTBENCH_API_KEY or OPENAI_API_KEY)" if reply.status in {401, 403} else ""
    again = reply.status in AGAIN or reply.status >= 500
    wait = _retry_after(reply.headers.get("retry-after")) if again else None
    told = f"the endpoint answered {reply.status}: {_message(reply)}{hint}"
    return ModelError(told, again=again, retry_after=wait, too_many=reply.status in {429, 503})


def _message(reply: Reply) -> str:
    """What the endpoint says is wrong, in one line."""
    text = reply.body[: 20 * LONGEST_MESSAGE].decode("utf-8", "replace")
    try:
        said = json.loads(reply.body)
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict):
        found = said.get("error") or said.get("message") or said.get("detail")
        if isinstance(found, dict):
            found = found.get("message") or found
        if found:
            text = found if isinstance(found, str) else json.dumps(found)
    line = one_line(" ".join(text.split()))
    return f"{line[: LONGEST_MESSAGE - 3]}..." if len(line) > LONGEST_MESSAGE else line or "an empty reply"


def _retry_after(value: str | None) -> float | None:
    """The seconds that a Retry-After header asks for, given as such or as a date."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _until(value)
    return min(max(seconds, 0.0), 1e9) if seconds == seconds else None


def _until(date: str) -> float:
    import time
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, OverflowError):
        return float("nan")
