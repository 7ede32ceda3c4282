"""Clean raw output: full-width signs, echoed roles, end markers, and chains of thought."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.harness.extract.chains import SplitText, compose_text, mentions_tags, split_channels, split_turn
from dtbench.harness.extract.patterns import lazy_pattern

_FULL_WIDTH = {0xFF01 + i: 0x21 + i for i in range(94)}
_CIRCLED = {0x24B6 + i: 0x41 + i for i in range(26)} | {0x24D0 + i: 0x61 + i for i in range(26)}
_CIRCLED |= {0x249C + i: 0x61 + i for i in range(26)}
_CIRCLED |= {0x2460 + i: 0x31 + i for i in range(9)}
_SIGNS = str.maketrans(
    "【】〔〕「」『』《》\u2018\u2019\u201b\u201c\u201d\u201e«»−‐‑–—。、，；：？！\u00a0\u200b\u3000\ufeff",
    "[][][][][]" + "'" * 3 + '"' * 5 + "-----" + ".,,;:?!" + "    ",
)
_FOLD = {**_SIGNS, **_FULL_WIDTH, **_CIRCLED}

_POINTED_ENDS = (
    r"<(?:\|im_start\|>(?:assistant\b|model\b)?"
    r"|\|(?:im_end|endoftext|end_of_text|eot_id|eot|eom|end|return|call|user|EOT|END_OF_TURN_TOKEN)\|>"
    r"|/s>|eos>|end_of_turn>|turn\|>|seed:eos>|｜end▁of▁sentence｜>)"
)
_POINTED_END = lazy_pattern(_POINTED_ENDS)
"""For texts without the others: what begins with one sign is found ten times as fast."""
_END = lazy_pattern(rf"{_POINTED_ENDS}|\[\|endofturn\|\]")
_ROLE_ECHO = lazy_pattern(r"\s*(?:<\|im_start\|>)?(?:system|user|human)[ \t]*[\n:]", re.IGNORECASE)
_ASSISTANT = lazy_pattern(r"(?:<\|im_start\|>|\n)[ \t]*(?:assistant|model)[ \t]*[\n:]", re.IGNORECASE)
_NEXT_QUESTION = lazy_pattern(
    r"\n[ \t#*]*(?:(?:question|q|user|human|instruction|problem|exercise|example)[ \t]*\d{0,3}[ \t*]*:"
    r"|#+[ \t]*(?:question|problem|exercise|example)[ \t]*\d{0,3}[ \t]*\n)",
    re.IGNORECASE,
)
_FIRST_OF_SEVERAL = lazy_pattern(r"[\s#*]*(?:question|q|problem|part)[ \t]*1\b", re.IGNORECASE)
_STRUCK = lazy_pattern(r"~~[^~\n]{1,200}~~")
_UNTICKED = lazy_pattern(r"\[ ?\][^\[\n]*|\[x\]", re.IGNORECASE)


def fold_signs(text: str) -> str:
    """Replace full-width, circled and typographic signs by plain ones; every sign keeps its position."""
    return text.translate(_FOLD)


def without_rejected(text: str) -> str:
    """Blank what is struck through or left unticked; every other sign keeps its position."""
    if "~~" in text:
        text = _STRUCK.sub(_blank, text)
    if "[x]" in text.lower():
        text = _UNTICKED.sub(_blank, text)
    return text


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def own_turn(text: str) -> str:
    """Return the model's own turn, without an echoed prompt before it and invented turns after it."""
    if _ROLE_ECHO.match(text) and (role := _ASSISTANT.search(text)):
        text = text[role.end() :]
    start = 0
    for mark in (_END if "[|" in text else _POINTED_END).finditer(text):
        if text[start : mark.start()].strip():
            return text[start : mark.start()]
        start = mark.end()
    return text[start:]


def before_next_question(text: str) -> str | None:
    """Return the text before a question that the model asks itself after its answer; None without one."""
    if _FIRST_OF_SEVERAL.match(text):
        return None  # answers to several questions, all of the model's making
    for mark in _NEXT_QUESTION.finditer(text):
        if text[: mark.start()].strip():
            return text[: mark.start()]
    return None


def split_text(text: str, chain: Sequence[str] | None = None) -> SplitText:
    """Split a raw text into chain and answer; several chains are joined, tags may be missing at either end.

    `chain` is the model's own opening and closing tag, which go before the known ones.
    """
    channels = split_channels(text)
    if channels is not None:
        return channels._replace(answer=own_turn(channels.answer))
    return split_turn(own_turn(text), _tags(chain))


def with_think_tags(text: str, chain: Sequence[str] | None) -> str:
    """Write a model's own tags as <think> and </think>, for a reading that knows no others."""
    tags = _tags(chain)
    return text if tags is None or not mentions_tags(text, tags) else compose_text(split_text(text, tags))


def _tags(chain: Sequence[str] | None) -> ChainTags | None:
    return chain if chain is None or isinstance(chain, ChainTags) else ChainTags.of(chain)
