"""The nouns that pass from a data set to a score."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable


class Clip(Protocol):
    """An audio clip that is read only when needed."""

    @property
    def label(self) -> str:
        """How messages name the clip; never shown to a model."""
        ...

    def read(self) -> bytes:
        """Return the encoded bytes, as published."""
        ...


@runtime_checkable
class Findable(Protocol):
    """A clip that can be looked for without reading it."""

    def is_there(self) -> bool:
        """Whether its file is there, or an archive that has it."""
        ...


def clip_name(audio: Path | Clip) -> str:
    """Return the name that messages use for a clip."""
    return str(audio) if isinstance(audio, Path) else audio.label


@dataclass(frozen=True, slots=True)
class NoClip:
    """Stands in place of a clip where a question has none: the model gets no audio."""

    question: str
    """The id of the question, so that no two questions seem to share a clip."""

    @property
    def label(self) -> str:
        """The name that messages use for the missing clip."""
        return f"no clip ({self.question})"

    def read(self) -> bytes:
        """Nothing."""
        return b""


NOT_GIVEN = NoClip("")
"""Stands for no argument, where None would be a clip that someone failed to find."""


@dataclass(frozen=True, slots=True, init=False)
class Sample:
    """One question about a clip, several, or none."""

    id: str
    question: str
    choices: tuple[str, ...]
    """Its options; empty for an open question."""
    answer: str | None
    """The text of the right option, or the right answer to an open question; None if the authors withhold it."""
    clips: tuple[Path | Clip, ...]
    """What is heard, in order."""
    groups: Mapping[str, str]
    """Groups by which the benchmark reports (heading -> value); never shown to a model."""
    item: Mapping[str, Any]
    """The record as published, without audio: what official scorers and exports read."""

    def __init__(  # noqa: PLR0913 - the fields
        self,
        id: str,
        question: str,
        choices: tuple[str, ...],
        answer: str | None,
        audio: Path | Clip = NOT_GIVEN,
        groups: Mapping[str, str] | None = None,
        item: Mapping[str, Any] | None = None,
        *,
        clips: Iterable[Path | Clip] = (),
    ) -> None:
        """Make a question with one clip (`audio`) or several (`clips`); with both, `audio` takes the first's place."""
        put = object.__setattr__
        put(self, "id", id)
        put(self, "question", question)
        put(self, "choices", choices)
        put(self, "answer", answer)
        put(self, "clips", _clips_of(audio, clips))
        put(self, "groups", {} if groups is None else groups)
        put(self, "item", {} if item is None else item)

    @property
    def audio(self) -> Path | Clip:
        """The first clip; a NoClip where there is none."""
        return self.clips[0] if self.clips else NoClip(self.id)

    def as_published(self) -> Mapping[str, Any]:
        """Return the published item; where a task gives none, the same fields under their usual names."""
        if self.item:
            return self.item
        fields = {"id": self.id, "question": self.question, "choices": list(self.choices), "answer": self.answer}
        return {**self.groups, **fields}


def _clips_of(audio: Path | Clip, clips: Iterable[Path | Clip]) -> tuple[Path | Clip, ...]:
    if audio is NOT_GIVEN:
        return clips if type(clips) is tuple else tuple(clips)
    return tuple(clips)[1:] if isinstance(audio, NoClip) else (audio, *tuple(clips)[1:])


@dataclass(frozen=True, slots=True)
class FewShotExample:
    """A question with its answer, which stands before the one that is asked."""

    text: str
    answer: str
    clips: tuple[Path | Clip, ...] = ()
    wavs: tuple[bytes, ...] = ()
    """Its clips as the model hears them."""


@dataclass(frozen=True, slots=True, init=False)
class Prompt:
    """The input of a model: text and clips, nothing that gives the answer away."""

    text: str
    """`{audio 1}` stands where the first clip goes, and so on; clips that have no such mark come before the words."""
    clips: tuple[Path | Clip, ...]
    system: str | None
    """The system prompt: None for the model's own, if it has one; an empty text for none."""
    choices: tuple[str, ...]
    """The options in the order in which the text shows them."""
    id: str
    """Which question this is: for the record and for replayed answers; never sent to an endpoint."""
    repeat: int
    """Which of the answers to this question, from 0."""
    seed: int | None
    letters: tuple[str, ...]
    """The letters of the options where one of them must be the whole answer; empty where the answer is free."""
    wavs: tuple[bytes, ...]
    """The clips as the model hears them: WAV at the model's rate; none for a model that does not listen."""
    think_budget: int | None
    """The most tokens of a chain of thought, after which the server has the model answer; None for no limit."""
    examples: tuple[FewShotExample, ...]
    """Questions with their answers, as earlier turns of the conversation."""
    begun: str
    """The beginning of the answer, which the model continues: the text of its Response has both. Empty for none."""

    def __init__(  # noqa: PLR0913 - the fields
        self,
        text: str,
        audio: Path | Clip = NOT_GIVEN,
        system: str | None = None,
        choices: tuple[str, ...] = (),
        id: str = "",
        repeat: int = 0,
        seed: int | None = None,
        letters: tuple[str, ...] = (),
        wav: bytes | None = None,
        think_budget: int | None = None,
        *,
        clips: Iterable[Path | Clip] = (),
        wavs: Iterable[bytes] = (),
        examples: Iterable[FewShotExample] = (),
        begun: str = "",
    ) -> None:
        """Make a prompt with one clip (`audio`, heard as `wav`) or several (`clips`, `wavs`)."""
        put = object.__setattr__
        put(self, "text", text)
        put(self, "clips", _clips_of(audio, clips))
        put(self, "system", system)
        put(self, "choices", choices)
        put(self, "id", id)
        put(self, "repeat", repeat)
        put(self, "seed", seed)
        put(self, "letters", letters)
        put(self, "wavs", tuple(wavs) if wav is None else (wav, *tuple(wavs)[1:]))
        put(self, "think_budget", think_budget)
        put(self, "examples", tuple(examples))
        put(self, "begun", begun)

    @property
    def audio(self) -> Path | Clip:
        """The first clip; a NoClip where there is none."""
        return self.clips[0] if self.clips else NoClip(self.id)

    @property
    def wav(self) -> bytes | None:
        """The first clip as the model hears it; None for a model that does not listen, or a prompt without a clip."""
        return self.wavs[0] if self.wavs else None


AUDIO_MARK = re.compile(r"\{audio (?P<number>[1-9][0-9]*)\}")
"""Where a clip goes in the text of a prompt."""


def text_and_clips(text: str, count: int) -> list[str | int]:
    """Split the text of a prompt with so many clips into texts and places of clips, in the order of sending.

    A mark of a clip that there is not, or that was named before, is text. Clips without a mark come first, in order.
    """
    parts: list[str | int] = []
    begin, named = 0, set[int]()
    for mark in AUDIO_MARK.finditer(text):
        place = int(mark["number"]) - 1
        if place >= count or place in named:
            continue
        named.add(place)
        parts += [text[begin : mark.start()], place]
        begin = mark.end()
    parts.append(text[begin:])
    return [*(place for place in range(count) if place not in named), *(part for part in parts if part != "")]


def has_sound(prompt: Prompt) -> bool:
    """Whether anything is heard with a prompt, in its examples too."""
    return bool(prompt.wavs) or any(example.wavs for example in prompt.examples)


def with_system(prompt: Prompt, system: str | None) -> Prompt:
    """Return the prompt with a model's own system prompt where it says nothing of one."""
    if system is None or prompt.system is not None:
        return prompt
    return dataclasses.replace(prompt, system=system)


class OptionLogprobs(NamedTuple):
    """The log-probability of each option's letter, in the order shown, as a model gave it."""

    logprobs: tuple[float | None, ...]
    """None for a letter that was not among the tokens listed."""
    below: float | None = None
    """The log-probability that no unlisted letter exceeds; None where all were listed."""


MOST_COUNTED = 2**63 - 1
"""The largest number of tokens that is believed."""


def is_count(value: object) -> bool:
    """Whether a value is a number of tokens or attempts: whole, not below 0 and not beyond 2^63 - 1."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_COUNTED


@dataclass(frozen=True, slots=True)
class Response:
    """The output of a model, with its tokens and time."""

    text: str
    finish_reason: str = "stop"
    """`stop`, `length` where the answer was cut off, or what the endpoint calls it."""
    usage: Mapping[str, int] = field(default_factory=dict)
    """Tokens, under the names of the endpoint."""
    seconds: float = 0.0
    attempts: int = 1
    option_logprobs: OptionLogprobs | None = None
    """Of a forced answer, how likely each option was; None where the model gave no log-probabilities."""
    seed: int | None = None
    """The seed where it is not the prompt's: a request that took too long was sent again with another one."""
    lost_usage: Mapping[str, int] = field(default_factory=dict)
    """Tokens of earlier attempts that gave no answer, where the endpoint reports them."""
    cut_at_budget: bool | None = None
    """Whether the chain of thought was ended at --think-budget; None where there is none, or nobody can tell."""


class Official(NamedTuple):
    """The verdict of the benchmark's own script on one record."""

    correct: bool
    """Whether it is fully right."""
    counted: bool
    """Whether the script leaves the record in its denominator."""
    why: str = ""
    """Why a record was not counted, or what the script could not have read."""
    mark: float | None = None
    """From 0 to 1 where it is partly right; None where `correct` says it all."""

    @property
    def value(self) -> float:
        """The mark as a number: 1 or 0 where there is no partial one."""
        return float(self.correct) if self.mark is None else self.mark


class Mark(NamedTuple):
    """What a scorer says of one answer."""

    value: float | None
    """From 0, wrong, to 1, right; None where no answer was given, or where the mark waits."""
    answer: str = ""
    """What was read as the answer."""
    why: str = ""
    """Why there is no value, or what decided."""

    @property
    def waits(self) -> bool:
        """Whether a second pass over the stored answers gives the mark."""
        return self.value is None and self.why == WAITS

    @property
    def fault(self) -> str:
        """Why no answer to the question can be marked, where its data say too little; empty where one can."""
        return self.why.removeprefix(UNSCORABLE) if self.value is None and self.why.startswith(UNSCORABLE) else ""


WAITS = "waits for a second pass"
"""The reason of a mark that only a server can give."""
UNSCORABLE = "cannot be scored: "
"""How the reason of a mark begins that no answer to its question can get."""
WAITING = Mark(None, why=WAITS)
"""What a scorer returns that needs a server."""


def unscorable(fault: str) -> Mark:
    """Return the mark of a question whose data say too little for a scorer, whatever the answer is."""
    return Mark(None, why=f"{UNSCORABLE}{fault}")


@dataclass(frozen=True, slots=True)
class Score:
    """Two verdicts that are never mixed: the official script's, and a reader's."""

    official: Official
    correct: bool | None
    """What a reader would say; None where no answer was given."""
    marks: Mapping[str, float | None] = field(default_factory=dict)
    """By each scorer of a task that has some; None where no answer was given, or where the mark waits."""
    waits: tuple[str, ...] = ()
    """The scorers whose marks need a second pass."""
    reading: Mark | None = None
    """What the scorer of an open answer read."""

    def metrics(self) -> dict[str, float]:
        """Return the verdicts, and whether there is no answer, as numbers; `official` only if the script counts it."""
        official = {"official": self.official.value} if self.official.counted else {}
        return {**official, "strict": float(self.correct is True), "unanswered": float(self.correct is None)}
