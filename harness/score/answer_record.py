"""The one writer of an answer's record: the response, the choice read from it, and both verdicts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple, cast

from dtbench.harness.core.errors import DataError, DtbenchError, ModelError, TaskError, format_error
from dtbench.harness.core.schema import Official, Response, Sample, Score, is_count
from dtbench.harness.core.scorer import Scorer
from dtbench.harness.extract.answer import Extraction
from dtbench.harness.extract.evidence import DEFAULT_MIN_EVIDENCE, as_read, set_weak_aside
from dtbench.harness.extract.tidy import with_think_tags
from dtbench.harness.score.forced_choice import gold_index, logprob_fields, read_forced
from dtbench.harness.store.types import (
    ErrorRecord,
    ExtractionRecord,
    OfficialRecord,
    Record,
    ResponseRecord,
    ScoreRecord,
)

SHOWN = 200
"""Characters of an open answer that stand for it, as an option does, in tables and votes."""
MARKED = "as it was said"
"""How an open answer was read, where its scorer does not say."""


class ShownOptions(NamedTuple):
    """The options of a question as a run shows them."""

    choices: Sequence[str]
    forced: bool
    """Whether the whole answer must be the letter of one."""
    min_evidence: str = DEFAULT_MIN_EVIDENCE
    """The weakest level of evidence that counts as an answer."""
    chain: Sequence[str] | None = None
    """The model's own tags around its chain of thought."""
    own_choices: Sequence[str] | None = None
    """The same options in the data set's words, where a paraphrase shows others; answers are stored in these."""

    @property
    def in_own_words(self) -> Sequence[str]:
        """The options in the order shown, in the data set's words."""
        return self.choices if self.own_choices is None else self.own_choices

    def of(self, sample: Sample) -> Sample:
        """Return the question with its options in the order shown, which letters mean, in the data set's words."""
        choices = tuple(self.in_own_words)
        return sample if sample.choices == choices else dataclasses.replace(sample, choices=choices)

    def read(self, task: Scorer, text: str) -> Extraction:
        """Read the answer out of a response; a choice on weaker evidence is set aside."""
        known = with_think_tags(text, self.chain)
        read = set_weak_aside((read_forced if self.forced else task.read)(known, self.choices), self.min_evidence)
        if self.own_choices is None:
            return read
        own = dict(zip(self.choices, self.own_choices, strict=True))
        choice = None if read.choice is None else own.get(read.choice)
        aside = None if read.set_aside is None else own.get(read.set_aside)
        return dataclasses.replace(read, choice=choice, set_aside=aside)


def official_fields(official: Official) -> OfficialRecord:
    """Return an official verdict as it is stored: with its mark only where that is a partial one."""
    fields: OfficialRecord = {"correct": official.correct, "counted": official.counted, "why": official.why}
    return fields if official.mark is None else {**fields, "mark": official.mark}


def _raw_verdict(task: Scorer, sample: Sample, text: str) -> Official:
    return task.official(task.official_versions[0])(sample.as_published(), text)


def response_fields(response: Response) -> ResponseRecord:
    """Return a response as it is stored."""
    fields = {
        "text": response.text,
        "finish_reason": response.finish_reason,
        "usage": {name: count for name, count in response.usage.items() if is_count(count)},
        "seconds": round(response.seconds, 4) if 0 <= response.seconds < math.inf else 0.0,
        "attempts": response.attempts,
        **({} if response.seed is None else {"seed": response.seed}),
        **({"lost_usage": dict(response.lost_usage)} if response.lost_usage else {}),
        **({} if response.cut_at_budget is None else {"cut_at_budget": response.cut_at_budget}),
        **logprob_fields(response.option_logprobs),
    }
    return cast("ResponseRecord", fields)


def error_fields(error: ModelError | DataError) -> ErrorRecord:
    """Return why there is no answer, as it is stored."""
    if isinstance(error, DataError):
        return {"kind": "audio", "message": str(error), "attempts": 0}
    fields: ErrorRecord = {"kind": "model", "message": str(error), "attempts": error.attempts}
    if error.usage:
        fields["usage"] = error.usage
    return fields


def extraction_fields(read: Extraction, score: Score) -> ExtractionRecord:
    """Return a reading as it is stored; of an open answer that of its scorer, whose words stand for a choice."""
    answer, choice, how, said = read.answer, read.choice, read.how, score.reading
    if said is not None:
        answer, how = said.answer, MARKED if said.waits else said.why or MARKED
        known = said.value is not None or said.waits
        choice = (answer or read.whole_answer).strip()[:SHOWN] or None if known else None
    return {
        "answer": answer,
        "choice": choice,
        "how": how,
        "level": read.level,
        "set_aside": read.set_aside,
        "thinking_chars": len(read.thinking),
    }


def with_answer(
    record: Record,
    response: ResponseRecord,
    task: Scorer,
    sample: Sample,
    shown: ShownOptions,
    *,
    official: Official | None = None,
) -> Record:
    """Add a response, its reading and its scores to a record; `official` is the verdict of an older script."""
    try:
        read = shown.read(task, response["text"])
        asked = shown.of(sample) if task.scorers else sample
        score = task.score(asked, read)
        aside = None if read.set_aside is None else task.score(asked, as_read(read)).correct
        known_words = shown.own_choices is None  # a script knows no other words of the options than its own
        raw = None if official or task.scorers or not known_words else _raw_verdict(task, sample, response["text"])
    except DtbenchError:
        raise
    except Exception as error:  # someone else's code
        raise TaskError(
            f"{task.name}: scoring the answer to {sample.id!r} failed with {format_error(error)}."
        ) from error
    verdicts: ScoreRecord = {
        "official": official_fields(official or score.official),
        "correct": score.correct,
        "raw": None if raw is None else official_fields(raw),
    }
    if score.marks:
        verdicts["marks"] = dict(score.marks)
    if score.waits:
        verdicts["waits"] = list(score.waits)
        if not sample.choices:
            verdicts["open"] = True
    if read.set_aside is not None:
        verdicts["set_aside"] = aside
    if shown.forced:
        verdicts["gold_index"] = gold_index(sample, shown.in_own_words)
    return {
        **record,
        "response": response,
        "extraction": extraction_fields(read, score),
        "score": verdicts,
    }
