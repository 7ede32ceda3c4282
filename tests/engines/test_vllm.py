from __future__ import annotations

import base64
import io
import json
import math
import struct
import urllib.request
import wave
from typing import Any

import pytest
from vllm_process import Server

pytestmark = pytest.mark.engine


def test_it_answers_a_question_about_a_clip(vllm_server: Server) -> None:
    reply = ask(vllm_server, tone(440))
    assert reply["choices"][0]["message"]["content"]
    assert reply["usage"]["completion_tokens"] == 8


def test_greedy_answers_repeat_and_depend_on_the_clip(vllm_server: Server) -> None:
    first, again, other = (ask(vllm_server, tone(pitch)) for pitch in (440, 440, 3000))
    assert tokens(first) == tokens(again)
    assert first["usage"]["prompt_tokens"] == other["usage"]["prompt_tokens"]
    assert tokens(first) != tokens(other)


def test_a_clip_at_another_rate_is_resampled(vllm_server: Server) -> None:
    reply = ask(vllm_server, tone(440, rate=44_100))
    assert reply["usage"]["prompt_tokens"] == ask(vllm_server, tone(440))["usage"]["prompt_tokens"]


def ask(server: Server, clip: bytes) -> dict[str, Any]:
    """The server's reply to one greedy request with a clip."""
    audio = {"data": base64.b64encode(clip).decode(), "format": "wav"}
    parts = [{"type": "input_audio", "input_audio": audio}, {"type": "text", "text": "What do you hear?"}]
    body = {
        "model": server.model,
        "messages": [{"role": "user", "content": parts}],
        "temperature": 0,
        "max_tokens": 8,
        "ignore_eos": True,
        "return_token_ids": True,
    }
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{server.url}/v1/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=600) as response:
        reply: dict[str, Any] = json.load(response)
    return reply


def tokens(reply: dict[str, Any]) -> list[int]:
    """The ids that were generated: random weights write text that is hard to compare."""
    ids: list[int] = reply["choices"][0]["token_ids"]
    return ids


def tone(pitch: float, rate: int = 16_000) -> bytes:
    """One second of a sine as a 16-bit wav."""
    samples = [int(12_000 * math.sin(2 * math.pi * pitch * i / rate)) for i in range(rate)]
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack(f"<{rate}h", *samples))
    return buffer.getvalue()
