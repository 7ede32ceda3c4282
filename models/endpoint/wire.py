"""Make the bytes of a chat request from a prompt."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from dtbench.harness.core.schema import FewShotExample, Prompt, clip_name, text_and_clips

AudioPart = Literal["input_audio", "data_url", "audio_url", "base64"]
"""How the clip stands in a message: as OpenAI has it, with a data URL in place of its base64 (DashScope), as the data
URL of an `audio_url`, which some servers of a family know alone, or as the whole `input_audio` in base64 (Mistral)."""


class _ClipEnvelope(NamedTuple):
    """The part of a message that is a clip: the JSON before its base64, and the JSON after it."""

    before: bytes
    after: bytes


_CLIP: Mapping[AudioPart, _ClipEnvelope] = {
    "input_audio": _ClipEnvelope(b'{"type":"input_audio","input_audio":{"data":"', b'","format":"wav"}}'),
    "data_url": _ClipEnvelope(b'{"type":"input_audio","input_audio":{"data":"data:;base64,', b'","format":"wav"}}'),
    "base64": _ClipEnvelope(b'{"type":"input_audio","input_audio":"', b'"}'),
    "audio_url": _ClipEnvelope(b'{"type":"audio_url","audio_url":{"url":"data:audio/wav;base64,', b'"}}'),
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
    """Encode the body in pieces, so that no clip is copied: every other one is the base64 of a clip.

    The id of the question is left out. An answer that has begun is the last message.
    """
    pieces = [fixed + b',"messages":[']
    if prompt.system:
        pieces[-1] += b'{"role":"system","content":%b},' % _quoted(prompt.system)
    for example in prompt.examples:
        _add_question(pieces, example.text, example.wavs, part)
        pieces[-1] += b',{"role":"assistant","content":%b},' % _quoted(example.answer)
    _add_question(pieces, prompt.text, prompt.wavs, part)
    seeded = b"" if seed is None else b",%b:%d" % (_quoted(seed_field), seed)
    answer = b"" if begun is None else b',{"role":"assistant","content":%b}' % _quoted(begun)
    pieces[-1] += b"%b]%b}" % (answer, seeded)
    return pieces


def _add_question(pieces: list[bytes], text: str, wavs: Sequence[bytes], part: AudioPart) -> None:
    """Append the message of a question, each clip where the text has its mark."""
    if not wavs:
        pieces[-1] += b'{"role":"user","content":%b}' % _quoted(text)
        return
    import pybase64

    before, after = _CLIP[part]
    between = b'{"role":"user","content":['
    for one in text_and_clips(text, len(wavs)):
        if isinstance(one, str):
            pieces[-1] += b'%b{"type":"text","text":%b}' % (between, _quoted(one))
        else:
            pieces[-1] += between + before
            pieces += [pybase64.b64encode(wavs[one]), after]
        between = b","
    pieces[-1] += b"]}"


def preview_body(make: Callable[[Prompt], Sequence[bytes]], prompt: Prompt, clip: str | None) -> dict[str, Any]:
    """Return the body that `make` encodes by chat_body(), with these words in place of the base64 of a clip.

    Of several clips each has its name there.
    """
    count = 0 if clip is None else len(prompt.clips)
    examples = [dataclasses.replace(one, wavs=(b"",) * len(one.clips) if count else ()) for one in prompt.examples]
    pieces = list(make(dataclasses.replace(prompt, wavs=(b"",) * count, examples=tuple(examples))))
    turns: list[Prompt | FewShotExample] = [*prompt.examples, prompt]
    names = [
        clip_name(one.clips[part])
        for one in turns
        for part in text_and_clips(one.text, len(one.clips))
        if isinstance(part, int)
    ]
    for place in range(1, len(pieces), 2):
        pieces[place] = _quoted(f"<base64 of {clip if len(names) == 1 else names[place // 2]}>")[1:-1]
    body: dict[str, Any] = json.loads(b"".join(pieces))
    return body


def _quoted(text: str) -> bytes:
    return json.dumps(text).encode()
