"""Plan the prompts of a run: which questions of which tasks, how often, in which form.

A form that cannot be asked is refused when the plan is made, before anything is written.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.audio.alter import refuse_unknown_codec
from dtbench.harness.audio.modes import AudioMode, parse_audio_mode
from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DtbenchError, TaskError, UserError, format_error
from dtbench.harness.core.model import Model, hears_channels
from dtbench.harness.core.option_orders import order_count
from dtbench.harness.core.schema import Clip, FewShotExample, Prompt, Sample, clip_name
from dtbench.harness.core.scorable import refuse_open_questions, refuse_unscorable
from dtbench.harness.core.task import OPENLY, Task
from dtbench.harness.extract.evidence import DEFAULT_MIN_EVIDENCE
from dtbench.harness.run.few_shot import as_turn, describe_examples, examples_hash
from dtbench.harness.run.option_order import refuse_useless_order
from dtbench.harness.run.planned_words import PlannedWords
from dtbench.harness.run.prompt_template import fill_template
from dtbench.harness.score.forced_choice import FORCED_SAMPLING, option_letters, refuse_unlettered
from dtbench.harness.score.question_form import QuestionForm, ShownQuestion
from dtbench.harness.store.paraphrases import ParaphraseFile
from dtbench.harness.store.shards import Shard


@dataclass(frozen=True, slots=True)
class PromptForm:
    """The form of a run's prompts."""

    template: str | None = None
    """A user's own words around {question} and {options}; None for the task's."""
    audio: str = "clip"
    """What the model hears in place of the clip, as --audio has it."""
    permute: int = 0
    """By how many places the options are rotated."""
    seed: int = 0
    answer: str = "direct"
    """One of STYLES: what is asked for."""
    system: str | None = None
    """The system prompt that the user or a named prompt gives, empty for none; None for the task's or the model's."""
    own_system: str | None = None
    """The model's, where neither user nor task has one."""
    think_budget: int | None = None
    """The most tokens of a chain of thought; None for no limit."""
    prompt_name: str = ""
    """The name of the authors' prompt that `template` is, if it is one."""
    order: int = 1
    """Which of all orders the options have, from 1 for the data set's own."""
    words: PlannedWords | None = None
    """The paraphrases that are asked; None for the questions as they are."""

    @property
    def asks_some(self) -> bool:
        """Whether it asks only questions that have so many options, or so many paraphrases."""
        return self.order > 1 or (self.words is not None and self.words.number > 1)

    def select(self, data: Dataset) -> Dataset:
        """Leave out the questions that have no such order, or no paraphrase with such a number."""
        if not self.asks_some:
            return data
        further = {} if self.words is None or self.words.number == 1 else self.words.by_id
        return data.select(
            place
            for place, sample in enumerate(data.samples)
            if order_count(len(sample.choices)) >= self.order and (not further or sample.id in further)
        )

    @property
    def questions(self) -> QuestionForm:
        """Return what is done to each question before it is worded."""
        return QuestionForm(self.permute, self.order, self.seed, None if self.words is None else self.words.by_id)

    def show_example(self, sample: Sample) -> Sample:
        """Return an example in its own words, its options in the order of the questions' where it has so many."""
        order = self.order if order_count(len(sample.choices)) >= self.order else 1
        return QuestionForm(self.permute, order, self.seed).show(sample).sample


class PlannedPrompt(NamedTuple):
    """A sample and the prompt that asks it."""

    sample: Sample
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """One task of a run."""

    task: Task
    data: Dataset
    """The questions that are asked, in the order of the data set."""
    repeats: int
    form: PromptForm
    min_evidence: str = DEFAULT_MIN_EVIDENCE
    """The weakest level of evidence that counts as an answer."""
    shard: Shard | None = None
    """The part of the questions that this process asks; None for all."""
    chosen_by: Sequence[str] = ()
    """The options that chose these questions, such as `--limit 300`; none for all of them."""
    examples: Sequence[Sample] = ()
    """The questions with answers that stand before each one."""
    left_out: int = 0
    """How many questions are not asked, as they are examples."""
    mixed_down: bool = False
    """Whether the task asks for the channels of its clips, and the model hears one."""
    _turns: list[FewShotExample] = field(default_factory=list[FewShotExample], init=False, repr=False, compare=False)
    """The examples as they are shown, once they are needed."""

    @property
    def places(self) -> range:
        """Where the questions stand that this process asks: of a shard, each N-th."""
        count = len(self.data.samples)
        return range(count) if self.shard is None else range(self.shard.number - 1, count, self.shard.of)

    @property
    def asks(self) -> Collection[str] | None:
        """The ids of the questions that a shard asks; None for all."""
        ids = self.data.ids
        return None if self.shard is None else {ids[place] for place in self.places}

    @property
    def expected(self) -> int:
        """How many answers this process is to see in the end."""
        return len(self.places) * self.repeats

    @property
    def most_clips(self) -> int:
        """Return the largest number of clips that a prompt has."""
        most = self.data.most_clips
        own = max(len(sample.clips) for sample in self.data.samples) if most > 1 else most
        return own + sum(len(example.clips) for example in self.examples)

    def questions(self, finished: Container[tuple[str, int]]) -> Iterator[tuple[int, int]]:
        """Yield place and repeat of each question that has no answer: its repeats together, and all about one clip."""
        ids = self.data.ids
        for place in self._by_clip(ids):
            for repeat in range(self.repeats):
                if (ids[place], repeat) not in finished:
                    yield place, repeat

    def _by_clip(self, ids: Sequence[str]) -> Sequence[int]:
        """Return the places of the questions, those that share a clip where the first of them stands."""
        shared = self.data.shared_clips()
        if not shared:
            return self.places
        first: dict[int, int] = {}
        for place in self.places:
            if ids[place] in shared:
                first.setdefault(shared[ids[place]], place)
        return sorted(self.places, key=lambda place: (first.get(shared.get(ids[place], -1), place), place))

    def prompt(self, place: int, repeat: int) -> Prompt:
        """Return the prompt of one question."""
        return self.question(place, repeat).prompt

    def question(self, place: int, repeat: int) -> PlannedPrompt:
        """Return a sample and its prompt, with options, words and clip as the form says."""
        sample = self.data.samples[place]
        shown = self.show(sample).sample
        prompt = self._word_question(shown)
        clips = self._other_clips(place) if self.form.audio == "shuffle" else prompt.clips
        letters = option_letters(len(shown.choices)) if self.form.answer == "forced" else ()
        seed = answer_seed(self.form.seed, sample.id, repeat)
        system, budget = self._system(prompt), self.form.think_budget
        filled: dict[str, Any] = {
            "system": system,
            "choices": shown.choices,
            "id": sample.id,
            "repeat": repeat,
            "seed": seed,
            "letters": letters,
            "think_budget": budget,
            "clips": clips,
            "examples": (*prompt.examples, *self._earlier_turns()),
        }
        if type(prompt) is Prompt:  # four times as fast as replace(), which a task's own kind of prompt needs
            return PlannedPrompt(sample, Prompt(prompt.text, **filled))
        return PlannedPrompt(sample, dataclasses.replace(prompt, **filled))

    def show(self, sample: Sample) -> ShownQuestion:
        """Return a question as it is shown."""
        return self.form.questions.show(sample)

    def every_wording(self) -> Iterable[Sample]:
        """Yield every question of the data set, also in the words of each paraphrase that changes its options."""
        samples = self.data.whole.samples
        file = None if self.form.words is None else self.form.words.file
        return samples if file is None else itertools.chain(samples, _in_other_words(samples, file))

    def own_choices(self, sample: Sample) -> Sequence[str] | None:
        """Return the options as shown in the data set's words, where the prompt has others; else None."""
        if self.form.words is None:
            return None
        shown = self.show(sample)
        return shown.own_choices if shown.is_reworded else None

    def _earlier_turns(self) -> Sequence[FewShotExample]:
        """Return the examples as the questions are worded."""
        if len(self._turns) < len(self.examples):
            shown = [self.form.show_example(sample) for sample in self.examples]
            style = self.form.answer
            self._turns[:] = [as_turn(self.task, sample, style, self._word_question(sample)) for sample in shown]
        return self._turns

    def _word_question(self, sample: Sample) -> Prompt:
        if self.form.template is not None:
            return fill_template(self.form.template, sample)
        try:
            return self.task.prompt_for(sample, self.form.answer)
        except DtbenchError:
            raise
        except Exception as error:  # someone else's code
            what = f"prompt() of the question {sample.id!r} failed with {format_error(error)}"
            raise TaskError(f"{self.task.name}: {what}.") from error

    def _system(self, prompt: Prompt) -> str | None:
        """Return the system prompt: the user's, else the task's, else the model's."""
        given = (self.form.system, prompt.system, self.form.own_system)
        return next((system for system in given if system is not None), None)

    def with_model(self, model: Model) -> TaskPlan:
        """Return the plan for this model, which may bring a system prompt of its own, and hear one channel alone."""
        if getattr(model, "needs_options", False):
            refuse_open_questions(self.task, self.data, getattr(model, "name", type(model).__name__))
        own = getattr(model, "system", None)
        form = self.form if own is None else dataclasses.replace(self.form, own_system=own)
        return dataclasses.replace(self, form=form, mixed_down=self.task.stereo and not hears_channels(model))

    @property
    def keeps_channels(self) -> bool:
        """Whether clips are heard with their channels."""
        return self.task.stereo and not self.mixed_down

    def _other_clips(self, place: int) -> tuple[Path | Clip, ...]:
        """Pick the clips of another question, none of them its own: the same at every call and in every selection."""
        sample, every = self.data.samples[place], self.data.whole.samples
        own, count = {clip_name(clip) for one in (sample, *self.examples) for clip in one.clips}, len(every)
        first = self.data.place_in_whole(place) + 1 + answer_seed(self.form.seed, sample.id, -1) % max(1, count - 1)
        for step in range(count):
            other = every[(first + step) % count].clips[: len(sample.clips)]
            if len(other) == len(sample.clips) and own.isdisjoint(map(clip_name, other)):
                return other
        if len(sample.clips) > 1:
            raise UserError(
                f"--audio shuffle: no other question of {self.task.name} has {len(sample.clips)} clips, as "
                f"{sample.id!r} has."
            )
        raise UserError(f"--audio shuffle: all questions of {self.task.name} share one clip, there is no other one.")

    def settings(self) -> dict[str, Any]:
        """Return what the answers depend on, which questions are asked, and which of them share a clip."""
        part = len(self.data.samples) < len(self.data.whole.samples)
        forced = {"forced": FORCED_SAMPLING} if self.form.answer == "forced" else {}
        return {
            "data": {"version": self.data.version, "sha256": self.data.sha256, "source": self.data.source},
            "prompt": self.prompt_text(),
            "prompt_hash": self.prompt_hash(),
            **({"think_budget": self.form.think_budget} if self.form.think_budget is not None else {}),
            **({"prompt_name": self.form.prompt_name} if self.form.prompt_name else {}),
            "questions": len(self.data.samples),
            "ids_sha256": _hash_lines(self.data.ids),
            "samples": self.repeats,
            **({"chosen_by": list(self.chosen_by)} if self.chosen_by else {}),
            **describe_examples(self.examples, self.left_out),
            **({"ids": list(self.data.ids)} if part else {}),
            "min_evidence": self.min_evidence,
            "answer": self.form.answer,
            **forced,
            "audio": self.form.audio,
            "permute": self.form.permute,
            **({"order": self.form.order} if self.form.order != 1 else {}),
            **({"paraphrase": self.form.words.settings()} if self.form.words is not None else {}),
            "seed": self.form.seed,
            **({"stereo": self.keeps_channels} if self.task.stereo else {}),
            "shared_clips": self.data.shared_clips(),
            **({"prescribed": sorted(self.task.prescribed)} if self.task.prescribed else {}),
        }

    def prompt_text(self) -> str:
        """Return the words around a question, with placeholders for what changes; the first prompt where that fails."""
        first_of_each = self.data.first_of_each_kind() or [Sample("id", "?", ("a", "b"), None)]
        shown = [self._blank_prompt(first) for first in first_of_each]
        system = self._system(shown[0])
        texts = list(dict.fromkeys(prompt.text for prompt in shown))
        if len(texts) > 1:
            texts[1] = f"{OPENLY}\n{texts[1]}"
        return "\n\n".join([system, *texts] if system else texts)

    def _blank_prompt(self, sample: Sample) -> Prompt:
        """Return the prompt of a question with placeholders in place of its words; its own prompt where that fails."""
        choices = ("{option 1}", "{option 2}") if sample.choices else ()
        blank = Sample("id", "{question}" if sample.question else "", choices, None, Path("clip"))
        try:
            return self._word_question(blank)
        except DtbenchError:  # a task may need more of a question than that
            return self._word_question(sample)

    def prompt_hash(self) -> str:
        """Twelve digits that differ where the words differ, those of examples too."""
        text = "\n".join([self.prompt_text(), *([examples_hash(self.examples)] if self.examples else [])])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]

    def check(self) -> None:
        """Refuse questions that cannot be asked, or that records could not distinguish."""
        if not self.data.samples:
            raise UserError(f"{self.task.name}: there is no question to ask in {self.data.source}.")
        if (odd := next((id_ for id_ in self.data.ids if not isinstance(id_, str)), None)) is not None:
            raise TaskError(f"{self.task.name}: the id {odd!r} is not text; give every sample one: str(id).")
        if (repeated := self.data.repeated_id()) is not None:
            raise TaskError(f"{self.task.name}: the id {repeated!r} is there twice; ids must be unique.")
        refuse_unscorable(self.task, self.data)
        for sample in itertools.chain(self.data.samples, self.examples) if self.form.answer == "forced" else ():
            refuse_unlettered(self.task.name, sample)
        refuse_useless_order(
            self.task.name,
            self.data.samples,
            self.form.permute,
            show=(lambda sample: self.show(sample).sample) if self.form.permute or self.form.order > 1 else None,
            word=lambda sample: self._word_question(sample).text,
        )
        self._refuse_other_repeats()
        self._refuse_unfit_words()
        if self.form.audio != "clip" and not all(sample.clips for sample in self.data.samples):
            raise UserError(f"--audio {self.form.audio}: there are questions of {self.task.name} without a clip.")
        refuse_unknown_codec(parse_audio_mode(self.form.audio) or AudioMode("clip"))
        if self.form.audio == "shuffle":
            for place in range(len(self.data.samples)):
                self._other_clips(place)

    def _refuse_unfit_words(self) -> None:
        """Refuse paraphrases that do not fit the questions, or of a task whose own code does not heed them."""
        if self.form.words is None:
            return
        self.form.words.refuse_unfit(self.task.name, self.data.samples)
        for sample in self.data.samples:
            shown = self.show(sample).sample
            if shown.question != sample.question:
                if shown.question not in self._word_question(shown).text:
                    raise UserError(
                        f"--paraphrase: {self.task.name} words its prompts of something else than a question's text, "
                        f"so a paraphrase changes nothing (first: {sample.id!r}). Give the words with --prompt."
                    )
                return

    def _refuse_other_repeats(self) -> None:
        if self.task.answers_each not in {None, self.repeats}:
            wanted = self.task.answers_each
            raise UserError(
                f"--samples {self.repeats}: the score of {self.task.name} takes {wanted} answers to each question: "
                f"--samples {wanted}."
            )


def _in_other_words(samples: Iterable[Sample], file: ParaphraseFile) -> Iterator[Sample]:
    for sample in samples:
        for words in file.by_id.get(sample.id, ()):
            if words.choices is not None and len(words.choices) == len(sample.choices):
                right = sample.choices.index(sample.answer) if sample.answer in sample.choices else None
                answer = None if right is None else words.choices[right]
                yield dataclasses.replace(sample, choices=words.choices, answer=answer)


def _hash_lines(lines: Iterable[str]) -> str:
    """Return twelve digits of the hash of lines, joined by line breaks."""
    found, between = hashlib.sha256(), ""
    for line in lines:
        found.update(f"{between}{line}".encode())
        between = "\n"
    return found.hexdigest()[:12]


def answer_seed(seed: int, id_: str, repeat: int) -> int:
    """Derive a seed for one answer, the same in every run."""
    key = f"{seed}\0{id_}\0{repeat}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(key, digest_size=4).digest(), "big")
