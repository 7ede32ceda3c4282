"""Read the text of a reply's message; a chain of thought that an endpoint sends apart comes first, in <think> tags.

Endpoints send it under several names: `reasoning_content` (vLLM before 0.12, DeepSeek, SGLang), `reasoning` (vLLM,
OpenRouter, Ollama), `reasoning_details` (OpenRouter), `thinking` (Ollama's own API), or as parts of the content
(Mistral, Anthropic).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dtbench.harness.extract.tidy import split_text

_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
"""In the order of trust: where several are there, they say the same."""
_THOUGHT_KEYS = ("thinking", "reasoning", "text", "summary", "content")
"""Where a part has its words; a part may hold a list of parts again."""
_CHAIN_PARTS = ("thinking", "reasoning")
_ANSWER_PARTS = {"text", "output_text", "refusal"}
_TAG = re.compile(r"\s*</?(?:think|thinking)>\s*", re.IGNORECASE)
_CLOSED_AGAIN = re.compile(r"\A\s*</think>", re.IGNORECASE)
_DEPTH = 4
"""Parts within parts; nobody nests them deeper."""


def message_text(message: Mapping[str, Any]) -> str:
    """Return the text of the answer after its chain; raise a TypeError where the content is not text."""
    content = message.get("content")
    chains = [next(filter(None, (_words(message.get(name)) for name in _FIELDS)), "")]
    if isinstance(content, list):
        inside = "\n".join(filter(None, (_words(part) for part in content if _is_chain(part))))
        chains.append("" if inside in chains else inside)
        content = "".join(_spoken(part) for part in content)
    if not isinstance(content, str | None):
        raise TypeError("content is not text")
    text = content or _said_elsewhere(message)
    chain = _TAG.sub("\n", "\n".join(filter(None, chains))).strip()
    if not chain or chain == text.strip():  # some endpoints send an answer without a chain in both places
        return text
    parts = split_text(text)
    if _same(parts.thinking, chain):  # the content has it once more, in tags of its own
        text = parts.answer
    return f"<think>{chain}</think>{_CLOSED_AGAIN.sub('', text)}"


def _spoken(part: Mapping[str, Any]) -> str:
    """Return the words of a part of the content that belong to the answer; a TypeError where it is no part."""
    kind = part["type"]
    if kind not in _ANSWER_PARTS:
        return ""
    words = part["refusal" if kind == "refusal" else "text"]
    if not isinstance(words, str):
        raise TypeError("a part of the content is not text")
    return words


def _said_elsewhere(message: Mapping[str, Any]) -> str:
    """Return what a message without content says: a refusal, which is an answer, or the transcript of speech."""
    audio = message.get("audio")
    places = (message.get("refusal"), audio.get("transcript") if isinstance(audio, dict) else None)
    return next((words for words in places if isinstance(words, str) and words), "")


def _is_chain(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in _CHAIN_PARTS


def _words(value: Any, depth: int = _DEPTH) -> str:
    """Return the words of a field or part of reasoning; nothing for what is encrypted, or of another form."""
    if isinstance(value, str):
        return value.strip()
    return "\n".join(_words_inside(value, depth)) if depth else ""


def _words_inside(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, list):
        yield from filter(None, (_words(each, depth - 1) for each in value))
    elif isinstance(value, dict):
        yield from filter(None, [next(filter(None, (_words(value.get(key), depth - 1) for key in _THOUGHT_KEYS)), "")])


def _same(one: str, other: str) -> bool:
    return bool(one) and one.split() == other.split()
