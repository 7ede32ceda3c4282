"""Split a text into its chain of thought and its answer, by the tags of the model itself and by all that are known.

A chain that ends nowhere is open: nothing that follows can be an answer. So is one whose end cannot be seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from dtbench.harness.extract.chain_tags import KNOWN_PAIRS, ChainTags
from dtbench.harness.extract.patterns import lazy_pattern

BETWEEN_ANSWERS = "\f"
"""A page break between what stands before a chain and after it: the latter may take the former back."""


class SplitText(NamedTuple):
    """A text split into its chain of thought and its answer."""

    thinking: str
    answer: str
    open_chain: bool
    """The chain never ended, so no answer follows it."""


_KIND_OF = {tag.lower(): kind for kind, pair in enumerate(KNOWN_PAIRS) for tag in pair}
_CLOSINGS = {pair.closing.lower() for pair in KNOWN_PAIRS}
_EITHER_BRACKET = "think|thinking|thoughts?|reasoning|analysis|scratchpad"
_POINTED_ALONE = "reason|reflect|reflection|inner_thoughts?"
_NAMESPACE = r"(?:[a-z]{1,8}[:|])?"
_VARIANT = r"(?:_fast(?:er)?)?(?::\w{1,24})?"
_BEHIND_BRACKET = (
    rf"(?:(?<=<)(?P<mark>{'|'.join(re.escape(tag[1:]) for pair in KNOWN_PAIRS for tag in pair)})(?:thoughts?\b)?"
    rf"|[ \t]?(?P<close>/?)[ \t]?(?P<name>{_NAMESPACE}(?:{_EITHER_BRACKET}){_VARIANT})[ \t]?[>\]▷]"
    rf"|(?<=<)(?P<close2>/?)(?P<name2>{_POINTED_ALONE})>)"
)
_TAG = lazy_pattern(rf"[<\[◁]{_BEHIND_BRACKET}", re.IGNORECASE)
_POINTED_TAG = lazy_pattern(f"<{_BEHIND_BRACKET}", re.IGNORECASE)
"""The same for texts without other brackets, which are searched ten times as fast."""
_AROUND_ANSWER = lazy_pattern(
    r"<\|(?:begin|end)_of_solution\|>|<\|(?:START|END)_RESPONSE\|>|<\|(?:open|close)\|>(?:response|message)<\|sep\|>",
    re.IGNORECASE,
)
_THINK = lazy_pattern(r"[<\[◁][ \t]?/?[ \t]?think[ \t]?[>\]▷]", re.IGNORECASE)

# OpenAI's harmony: a text is a row of channels. Stripped of its special tokens only the channels' names are left.
_CHANNEL = lazy_pattern(
    r"(?:<\|start\|>[^<]{0,60})?<\|channel\|>(?P<name>[^<]{0,60})(?:<\|constrain\|>[^<]{0,60})?<\|message\|>"
)
_CHANNEL_END = lazy_pattern(r"<\|(?:end|return|call|start)\|>")
_SPEAKER = lazy_pattern(r"\s*(?:<\|start\|>)?\s*(?:assistant)?\s*")
_BARE_ANALYSIS = lazy_pattern(r"\s*(?:assistant)?(?:analysis|commentary)")
_AT_ONCE = lazy_pattern(r"[^\W\d_a-z]")
"""The letter of a new sentence: `analysisThe clip` is two words that no one writes as one."""
_BARE_FINAL = "assistantfinal"
_BARE_CHANNEL = lazy_pattern(r"assistant(?:analysis|commentary)")
_GRANITE = lazy_pattern(r"\s*Here(?:'s|’s| is) my thought process:", re.IGNORECASE)
_GRANITE_ANSWER = lazy_pattern(r"Here(?:'s|’s| is) my response:", re.IGNORECASE)
_BARE_THOUGHT = lazy_pattern(r"\s*thought\r?\n")
_NO_CHAIN = 80
"""Characters of one line that no chain is as short as."""


def split_channels(text: str) -> SplitText | None:
    """Split a text of harmony's channels: the last final one is the answer; None where there are none."""
    headers = list(_CHANNEL.finditer(text)) if "<|channel|>" in text else []
    if not headers:
        return None
    before = text[: headers[0].start()]
    thoughts = [before[place.end() :] if (place := _SPEAKER.match(before)) else before]
    answer = None
    for header, following in zip(headers, [*headers[1:], None], strict=True):
        body = text[header.end() : following.start() if following else len(text)]
        end = _CHANNEL_END.search(body)
        body = body if end is None else body[: end.start()]
        if header["name"].split()[:1] == ["final"]:
            answer = body
        else:
            thoughts.append(body)
    return SplitText(_joined(thoughts), answer or "", answer is None)


def split_turn(text: str, own: ChainTags | None) -> SplitText:
    """Split a model's turn by its own tags, if any, then what is left by all that are known."""
    if own is not None and own.closing.lower() not in _CLOSINGS:
        pattern, is_closing = _pattern_of(own)
        parts = _scan(text, pattern, lambda tag: (0, is_closing(tag)))
        if parts is not None:
            rest = split_turn(parts.answer, None)
            return SplitText(_joined((parts.thinking, rest.thinking)), rest.answer, parts.open_chain or rest.open_chain)
    parts = _split_by_phrases(text) or _split_by_tags(text) or _split_stripped(text)
    if parts is None:
        return SplitText("", text, open_chain=False)
    return parts._replace(answer=_AROUND_ANSWER.sub("", parts.answer))


def compose_text(parts: SplitText) -> str:
    """Write a split text again with <think> tags, which every reading knows."""
    inner = _THINK.sub("", parts.thinking)
    if not inner and not parts.open_chain:
        return parts.answer
    return f"<think>{inner}" if parts.open_chain else f"<think>{inner}</think>{parts.answer}"


def mentions_tags(text: str, tags: ChainTags) -> bool:
    """Return whether either of these tags stands in the text."""
    return _pattern_of(tags)[0].search(text) is not None


@lru_cache(maxsize=64)
def _pattern_of(tags: ChainTags) -> tuple[re.Pattern[str], Callable[[re.Match[str]], bool]]:
    longest_first = sorted(tags, key=len, reverse=True)  # one may begin as the other does
    pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
    closing = re.compile(re.escape(tags.closing), re.IGNORECASE)
    return pattern, lambda tag: closing.fullmatch(tag[0]) is not None


def _split_by_tags(text: str) -> SplitText | None:
    if "[" in text or "◁" in text:
        return _scan(text, _TAG, _known_tag)
    return _scan(text, _POINTED_TAG, _known_tag) if "<" in text else None


def _known_tag(tag: re.Match[str]) -> tuple[object, bool]:
    """Return of which kind a known tag is, and whether it closes."""
    if tag["mark"]:
        mark = f"<{tag['mark'].lower()}"
        return _KIND_OF[mark], mark in _CLOSINGS
    return (tag["name"] or tag["name2"]).lower(), bool(tag["close"] or tag["close2"])


def _scan(
    text: str, pattern: re.Pattern[str], kind_of: Callable[[re.Match[str]], tuple[object, bool]]
) -> SplitText | None:
    """Split by tags, either of which may be missing; several chains are joined. None where there is no tag."""
    thoughts: list[str] = []
    answers: list[str] = []
    opened: object = None
    place, tag = 0, None
    end, nested = len(text.rstrip()), False
    for tag in pattern.finditer(text):
        kind, closing = kind_of(tag)
        if opened is not None and not (closing and kind == opened):
            nested = nested or kind == opened
            continue  # another tag inside a chain is part of it
        piece = text[place : tag.start()]
        place = tag.end()
        if opened is not None:
            thoughts.append(piece)
            opened = None
        elif closing and thoughts and tag.end() == end and not nested:
            answers.append(piece)  # closed once more, at the very end
        elif closing:
            thoughts.extend((*answers, piece))
            answers = []
        else:
            answers.append(piece)
            opened = kind
    if tag is None:
        return None
    (answers if opened is None else thoughts).append(text[place:])
    return SplitText(_joined(thoughts), BETWEEN_ANSWERS.join(filter(str.strip, answers)), opened is not None)


def _split_by_phrases(text: str) -> SplitText | None:
    """Split a text that announces its thought process and its response in words, as Granite 3.2 does."""
    begin = _GRANITE.match(text)
    if begin is None:
        return None
    end = _GRANITE_ANSWER.search(text, begin.end())
    if end is None:
        return SplitText(text[begin.end() :].strip(), "", open_chain=True)
    return SplitText(text[begin.end() : end.start()].strip(), text[end.end() :], open_chain=False)


def _split_stripped(text: str) -> SplitText | None:
    """Split a text that lost its special tokens, so that only the names of its channels are left.

    Of Gemma 4's nothing shows where the chain ends: all of it is chain, unless it is too short to have one.
    """
    analysis = _BARE_ANALYSIS.match(text)
    before, final, after = text.rpartition(_BARE_FINAL)
    if final and (analysis or not before.strip()):
        chain = before[analysis.end() :] if analysis else ""
        return SplitText(_joined(_BARE_CHANNEL.split(chain)), after, open_chain=False)
    if analysis is not None and _AT_ONCE.match(text, analysis.end()):
        return SplitText(_joined(_BARE_CHANNEL.split(text[analysis.end() :])), "", open_chain=True)
    thought = _BARE_THOUGHT.match(text)
    if thought is None:
        return None
    rest = text[thought.end() :].strip()
    if len(rest) <= _NO_CHAIN and "\n" not in rest:
        return SplitText("", rest, open_chain=False)
    return SplitText(rest, "", open_chain=True)


def _joined(thoughts: Iterable[str]) -> str:
    return "\n".join(thought for each in thoughts if (thought := each.strip()))
