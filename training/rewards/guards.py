"""Guards: they rule out, by its words alone, a chain that earns marks without reasoning.

Each looks for one way to please an evaluator or an embedding: saying nothing, saying everything, repeating oneself,
restating the question, scattering the words of good chains, copying one, or giving the evaluator orders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from dtbench.harness.core.task import letter_options
from dtbench.training.data.rows import TrainingRow
from dtbench.training.recipe.reward_settings import RewardSettings

NEW_SHARE = 0.2
"""The least share of a chain's content words that stand in neither the question nor its options."""
LOOP_WORDS, LOOP_SHARE = 40, 0.35
"""From so many words on, the least share of distinct runs of four words."""
SALAD_WORDS, SALAD_SHARE, ORDER_SHARE = 8, 0.8, 0.15
"""A chain with so many words, this share of them the reference's, and fewer of its pairs than this."""
COPY_WORDS, COPY_SHARE = 30, 0.9
"""A chain with so many words, this share of its runs of eight the reference's."""

_ALONE = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_ALONE}]|[^\W{_ALONE}]+")
"""A word, or a character of a script without spaces."""
_STOP_WORDS = frozenset(
    "a an the this that these those is are was were be been am do does did of to in on at by for from with and or not"
    " no so as if it its i we you they he she what which who whom whose how why when where there here then thus hence"
    " therefore because since also only just about between one ones will would can could should must may might has have"
    " had asked asks ask question questions answer answers option options choice choices choose choosing correct right"
    " think thinking reason reasoning step steps first final finally conclude conclusion given audio clip sound sounds"
    " hear heard hearing listen listening recording let me my us our".split()
)
_COMMANDS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:ignore|disregard|forget|override)\b.{0,30}\b(?:instruction|prompt|rule|rubric|guideline|criteria)s?\b",
        r"\b(?:ignore|disregard|forget)\b.{0,15}\b(?:everything|all|anything)\b.{0,15}\b(?:above|before|previous|prior)",
        r"\b(?:give|award|assign|grant|return|output|reply with|deserves?|receives?|earns?|merits?)\b.{0,40}"
        r"\b(?:full|maximum|max|highest|perfect|top|best|10|ten|100)\b.{0,20}\b(?:marks?|scores?|points?|grades?|ratings?)\b",
        r"\b(?:marks?|scores?|points?|grades?|ratings?)\b\W{0,3}(?:is|of|=|:)?\W{0,3}(?:10|ten|100)\b\W{0,3}"
        r"(?:/|of|out of|for)",
        r"\b(?:grader|evaluator|assessor|whoever (?:marks|grades|scores|reads))\b.{0,60}"
        r"\b(?:must|should|please|give|assign|accept|award|treat)\b",
        r"\b(?:note|message|attention|dear|instructions?)\b[^.]{0,15}\b(?:grader|evaluator|assessor|judge|whoever)\b",
        r"[\"'](?:path|steps|strategy|depth|supports|score|verdict)[\"']\s*:\s*[\"\d]",
        r"<\|(?:im_start|im_end|system|user|assistant|eot_id)\|>|\[/?INST\]|<</?SYS>>",
    )
)
_FENCE = re.compile(r"^\s*(?:BEGIN|END) [0-9a-f]{6,}\s*$", re.MULTILINE)


def matching_guard(row: TrainingRow, chain: str, settings: RewardSettings) -> str | None:
    """Return the first guard that rules the chain out; None where none does."""
    return next((name for name in settings.guards if _GUARDS[name](row, chain, settings)), None)


def is_empty(row: TrainingRow, chain: str, settings: RewardSettings) -> bool:
    """Return whether it has too few words to be a chain."""
    return len(_WORD.findall(chain)) < settings.min_words


def is_huge(row: TrainingRow, chain: str, settings: RewardSettings) -> bool:
    """Return whether it is too long: who says everything also says what is right."""
    return len(chain) > settings.max_chars


def is_loop(row: TrainingRow, chain: str, settings: RewardSettings) -> bool:
    """Return whether it repeats the same words over and over."""
    runs = _runs(_words(chain), 4)
    return len(runs) + 3 >= LOOP_WORDS and len(set(runs)) < LOOP_SHARE * len(runs)


def is_nothing_new(row: TrainingRow, chain: str, settings: RewardSettings) -> bool:
    """Return whether it only restates the question, its options or the answer."""
    given = set(_words(" ".join((row.question, letter_options(row.choices), row.answer))))
    content = set(_words(chain)) - _STOP_WORDS
    return len(content - given) < max(1, NEW_SHARE * len(content))


def is_word_salad(row: TrainingRow, chain: str, settings: RewardSettings) -> bool:
    """Return whether it has the reference's words without their order."""
    words, reference = _words(chain), _words(row.chain)
    if len(words) < SALAD_WORDS:
        return False
    return _share(words, reference) >= SALAD_SHARE and _share(_runs(words, 2), _runs(reference, 2)) < ORDER_SHARE


def is_copy(row: TrainingRow, chain: str, settings: RewardSettings) -> bool:
    """Return whether it is the reference, which a policy never sees: it has leaked."""
    words = _words(chain)
    return len(words) >= COPY_WORDS and _share(_runs(words, 8), _runs(_words(row.chain), 8)) >= COPY_SHARE


def is_instruction(row: TrainingRow, chain: str, settings: RewardSettings) -> bool:
    """Return whether it talks to the evaluator."""
    return _FENCE.search(chain) is not None or any(command.search(chain) for command in _COMMANDS)


_GUARDS: Mapping[str, Callable[[TrainingRow, str, RewardSettings], bool]] = {
    "empty": is_empty,
    "huge": is_huge,
    "loop": is_loop,
    "nothing new": is_nothing_new,
    "word salad": is_word_salad,
    "copy": is_copy,
    "instruction": is_instruction,
}


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _runs(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + length]) for start in range(len(words) - length + 1)]


def _share(items: Iterable[object], reference: Iterable[object]) -> float:
    """Return the share of distinct items that are in the reference too."""
    mine, theirs = set(items), set(reference)
    return len(mine & theirs) / len(mine) if mine else 0.0
