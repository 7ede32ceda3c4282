"""The texts that the lens forces: what is said of each question with and without reasoning, and where it is read.

Tokens are chosen once, with the tokenizer that all checkpoints have to share, so that every checkpoint is read at the
same tokens.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.extract.chain_tags import USUAL_TAGS, ChainTags
from dtbench.harness.probe.forced import AskedQuestion, ProbedModel
from dtbench.harness.probe.layer_reader import LensText
from dtbench.harness.probe.lens_targets import (
    LensTarget,
    OptionsAsked,
    TokenizedText,
    answer_target,
    chain_targets,
    part_text,
    with_others,
)

_HEADER = 44
"""Bytes before the samples of a WAV file of ours."""


class LensQuestion(NamedTuple):
    """A question with a text forced after it, and where it is read."""

    asked: AskedQuestion
    tokens: Sequence[int]
    targets: Sequence[LensTarget]
    digest: str
    """Of the tokens."""


def reference_text(question: AskedQuestion, tags: ChainTags | None) -> str:
    """Write the reference chain of a question as an answer; a UserError where its task has none."""
    chain = question.sample.item.get("thinking")
    if not isinstance(chain, str) or not chain.strip() or question.sample.answer is None:
        raise UserError(
            f"--text reference: {question.key} has no reference chain (`thinking` in its record) or no answer: take "
            "--text own."
        )
    opening, closing = tags or USUAL_TAGS
    return f"{opening} {chain.strip()} {closing} {question.sample.answer}"


def encode_text(model: ProbedModel, text: str) -> list[int]:
    """Return the tokens of a text, without special ones that a tokenizer would add."""
    return list(model.weights.tokenizer.encode(text, add_special_tokens=False))


def tokenized(model: ProbedModel, tokens: Sequence[int]) -> TokenizedText:
    """Return what each token adds to the text; half a character adds nothing until it is whole."""
    pieces, before = [], ""
    for count in range(1, len(tokens) + 1):
        now = model.weights.tokenizer.decode(tokens[:count], clean_up_tokenization_spaces=False)
        piece = "" if now.endswith("\ufffd") else now[len(before) :]
        before = before if now.endswith("\ufffd") else now
        pieces.append(piece)
    return TokenizedText(tokens, pieces)


def reasoned_questions(
    model: ProbedModel, asked: Sequence[AskedQuestion], texts: Sequence[Sequence[int]]
) -> list[LensQuestion]:
    """Find where each text with reasoning is read: the tag, the first token, words for what is heard, the answer."""

    def find(question: AskedQuestion, tokens: Sequence[int]) -> Iterator[LensTarget]:
        written = tokenized(model, tokens)
        parts = part_text(written.text, model.chain)
        yield from chain_targets(written, parts, question.task.content_words(question.sample))
        if parts.answer is not None and parts.chain_end > parts.chain:
            yield from _answer("answer", model, question, written, parts.answer)

    return _with_targets(asked, texts, [list(find(*one)) for one in zip(asked, texts, strict=True)])


def direct_questions(model: ProbedModel, asked: Sequence[AskedQuestion]) -> list[LensQuestion]:
    """Ask for the answer at once, and force the right one after the prompt; questions without one are left out."""
    known = [one for one in asked if one.sample.answer in one.sample.choices]
    questions = [_asked_directly(one) for one in known]
    texts, targets = [], []
    for question in questions:
        tokens = encode_text(model, question.task.example_answer(question.sample, "direct"))
        texts.append(tokens)
        targets.append(list(_answer("direct", model, question, tokenized(model, tokens), 0)))
    return _with_targets(questions, texts, targets)


def _asked_directly(question: AskedQuestion) -> AskedQuestion:
    direct = question.task.prompt_for(question.sample, "direct")
    return question._replace(prompt=dataclasses.replace(question.prompt, text=direct.text, think_budget=None))


def _answer(
    kind: str, model: ProbedModel, question: AskedQuestion, written: TokenizedText, start: int
) -> Iterator[LensTarget]:
    options = OptionsAsked(question.sample.choices, question.sample.answer)
    if options.choices:
        found = answer_target(kind, written, start, options, lambda text: encode_text(model, text))
        if found is not None:
            yield found


def _with_targets(
    asked: Sequence[AskedQuestion], texts: Sequence[Sequence[int]], targets: Sequence[Sequence[LensTarget]]
) -> list[LensQuestion]:
    rows = zip(asked, texts, with_others(targets), strict=True)
    return [LensQuestion(one, tokens, found, _digest(tokens)) for one, tokens, found in rows]


def _digest(tokens: Sequence[int]) -> str:
    return hashlib.sha256(" ".join(map(str, tokens)).encode()).hexdigest()[:12]


def force_question(model: ProbedModel, question: LensQuestion) -> LensText:
    """Put the text of a question behind its prompt, as a model is given it."""
    forced = model.force(question.asked, question.tokens)
    return LensText(forced.inputs, forced.start, forced.places("clip"), question.targets)


def donor_inputs(model: ProbedModel, question: LensQuestion, donor: AskedQuestion) -> Mapping[str, Any] | None:
    """Return the same prompt and text with the clips of another question, as long as its own; None without clips."""
    own, others = question.asked.prompt.wavs, donor.prompt.wavs
    if not own or not others:
        return None
    fitted = tuple(fit_clip(other, wav) for wav, other in zip(own, itertools.cycle(others), strict=False))
    if fitted == own:
        return None
    prompt = dataclasses.replace(question.asked.prompt, wavs=fitted)
    return model.force(question.asked._replace(prompt=prompt), question.tokens).inputs


def fit_clip(clip: bytes, like: bytes) -> bytes:
    """Cut or repeat a clip to the length of another; both are WAV files of ours at one rate."""
    samples, wanted = clip[_HEADER:], len(like) - _HEADER
    if not samples:
        return like
    return like[:_HEADER] + (samples * (-(-wanted // len(samples))))[:wanted]
