"""Make the bytes of a chat request from a prompt."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from dtbench.harness.core.schema import Prompt

AudioPart = Literal["input_audio", "data_url", "audio_url", "base64"]
"""How the clip stands in a message: as OpenAI has it, with a data URL in place of its base64 (DashScope), as the data
URL of an `audio_url`, which some servers of a family know alone, or as the whole `input_audio` in base64 (Mistral)."""


class _ClipEnvelope(NamedTuple):
    """The JSON before the base64 of a clip in a message, and the JSON after it."""

    before: bytes
    after: bytes


_CLIP: Mapping[AudioPart, _ClipEnvelope] = {
    "input_audio": _ClipEnvelope(
        b'{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"', b'","format":"wav"}},'
    ),
    "data_url": _ClipEnvelope(
        b'{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"data:;base64,', b'","format":"wav"}},'
    ),
    "base64": _ClipEnvelope(b'{"role":"user","content":[{"type":"input_audio","input_audio":"', b'"},'),
    "audio_url": _ClipEnvelope(
        b'{"role":"user","content":[{"type":"audio_url","audio_url":{"url":"data:audio/wav;base64,', b'"}},'
    ),
}


def fixed_fields(model: str, sampling: Mapping[str, Any]) -> bytes:
    """Encode the fields that every body shares: all but messages and seed."""
    return json.dumps({"model": model, **sampling}, separators=(",", ":")).encode()[:-1]


def chat_body(
    fixed: bytes,
    prompt: Prompt,
    seed: int | None,
    part: AudioPart = "input_audio",
    *,
    seed_field: str = "seed",
    begun: str | None = None,
) -> list[bytes]:
    """Encode the body in parts, so that the clip is not copied; the id of the question is left out.

    An answer that has begun is the last message.
    """
    opening = [fixed, b',"messages":[']
    if prompt.system:
        opening.append(b'{"role":"system","content":%b},' % _quoted(prompt.system))
    seeded = b"" if seed is None else b",%b:%d" % (_quoted(seed_field), seed)
    answer = b"" if begun is None else b',{"role":"assistant","content":%b}' % _quoted(begun)
    if prompt.wav is None:
        return [b"".join((*opening, b'{"role":"user","content":%b}%b]%b}' % (_quoted(prompt.text), answer, seeded)))]
    import pybase64

    clip = pybase64.b64encode(prompt.wav)
    before, after = _CLIP[part]
    return [
        b"".join((*opening, before)),
        clip,
        b'%b{"type":"text","text":%b}]}%b]%b}' % (after, _quoted(prompt.text), answer, seeded),
    ]


def preview_body(make: Callable[[Prompt], Sequence[bytes]], prompt: Prompt, clip: str | None) -> dict[str, Any]:
    """Return the body that `make` encodes by chat_body(), with these words in place of the clip's base64."""
    before, *rest = make(dataclasses.replace(prompt, wav=None if clip is None else b""))
    if rest:
        rest[0] = _quoted(f"<base64 of {clip}>")[1:-1]
    body: dict[str, Any] = json.loads(b"".join((before, *rest)))
    return body


def _quoted(text: str) -> bytes:
    return json.dumps(text).encode()
