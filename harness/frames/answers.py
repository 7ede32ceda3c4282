"""The columns of a frame that an answer's record fills: verdicts, texts, tokens, what went wrong, what was heard."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dtbench.harness.core.price import TOKENS_IN, TOKENS_OUT
from dtbench.harness.core.schema import is_count
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.harness.extract.tidy import split_text
from dtbench.harness.frames.columns import BEHIND, FIXED, MARK, arrow_type, plain_name, text_array

if TYPE_CHECKING:
    import pyarrow

    from dtbench.harness.frames.lines import SampleLine

_OPENING, _CLOSING = "<think>", "</think>"


def answer_columns(lines: Sequence[SampleLine], chain: ChainTags | None) -> dict[str, pyarrow.Array]:
    """Return the columns of these records; `chain` is the model's own tags around its chains of thought."""
    import pyarrow

    kinds = {**FIXED, **BEHIND}
    values = {**_verdicts(lines), **_responses(lines, chain), **_around(lines)}
    return {
        name: text_array(each) if kinds[name] == "string" else pyarrow.array(each, arrow_type(kinds[name]))
        for name, each in values.items()
    }


def _verdicts(lines: Sequence[SampleLine]) -> dict[str, list[Any]]:
    from dtbench.harness.frames.lines import NO_EXTRACTION, NO_SCORE

    reads = [NO_EXTRACTION if line.extraction is None else line.extraction for line in lines]
    scores = [NO_SCORE if line.score is None else line.score for line in lines]
    return {
        "choice": [one.choice for one in reads],
        "correct": [one.correct for one in scores],
        "official": [one.official.correct for one in scores],
        "counted": [one.official.counted for one in scores],
        "level": [one.level for one in reads],
        "how": [one.how for one in reads],
    }


def mark_columns(lines: Sequence[SampleLine]) -> dict[str, pyarrow.Array]:
    """Return the official marks of a task that names its scorers, and those of each; null where there is none."""
    import pyarrow

    marks = [{} if line.score is None else line.score.marks or {} for line in lines]
    names = dict.fromkeys(name for one in marks for name in one)
    if not names:
        return {}
    official = [None if line.score is None else line.score.official.value for line in lines]
    each = {f"{MARK}_{plain_name(name)}": [one.get(name) for one in marks] for name in names}
    return {name: pyarrow.array(values, pyarrow.float64()) for name, values in {MARK: official, **each}.items()}


def _responses(lines: Sequence[SampleLine], chain: ChainTags | None) -> dict[str, list[Any]]:
    from dtbench.harness.frames.lines import NO_RESPONSE

    responses = [NO_RESPONSE if line.response is None else line.response for line in lines]
    return {
        "thinking": [
            None
            if line.extraction is None or text is None
            else thinking_of(text, line.extraction.thinking_chars, chain)
            for line, text in zip(lines, (one.text for one in responses), strict=True)
        ],
        "response": [one.text for one in responses],
        "finish_reason": [one.finish_reason for one in responses],
        "input_tokens": _tokens([one.usage for one in responses], *TOKENS_IN),
        "output_tokens": _tokens([one.usage for one in responses], *TOKENS_OUT),
        "seconds": [_duration(one.seconds) for one in responses],
    }


def _around(lines: Sequence[SampleLine]) -> dict[str, list[Any]]:
    from dtbench.harness.frames.lines import NO_AUDIO, NO_ERROR

    errors = [NO_ERROR if line.error is None else line.error for line in lines]
    clips = [NO_AUDIO if line.audio is None else line.audio for line in lines]
    return {
        "id": [line.id for line in lines],
        "sample": [line.sample for line in lines],
        "error": [one.kind for one in errors],
        "error_message": [one.message for one in errors],
        "clip_hash": [one.clip_hash for one in clips],
        "clip_seconds": [one.seconds for one in clips],
    }


def thinking_of(text: str, length: int, chain: ChainTags | None) -> str:
    """Return a response's chain of thought without its tags, given its length; empty where there is none."""
    if not length:
        return ""
    if chain is None:  # of most chains the usual tags and the length say all, in a tenth of the time
        end = text.find(_CLOSING)
        start = len(_OPENING) if text.startswith(_OPENING) else 0
        inside = text[start : max(end, 0)].strip()
        if len(inside) == length:
            return inside
    return split_text(text, chain).thinking


def _tokens(usages: Sequence[Mapping[str, int]], name: str, other: str) -> list[int | None]:
    """Return the counts under either name; None where none was reported that can be believed."""
    counts = [usage[name] if name in usage else usage.get(other) for usage in usages]
    return [count if count is None or is_count(count) else None for count in counts]


def _duration(seconds: float | None) -> float | None:
    return seconds if seconds is not None and 0 <= seconds < math.inf else None
