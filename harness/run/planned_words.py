"""The paraphrases of a run: those of one number, checked against the questions that are asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Sample
from dtbench.harness.store.form_types import ParaphraseInfo
from dtbench.harness.store.paraphrases import Paraphrase, ParaphraseFile, read_paraphrases

if TYPE_CHECKING:
    from dtbench.harness.run.request import RunRequest

SHOWN = 3


@dataclass(frozen=True, slots=True)
class PlannedWords:
    """The paraphrases with one number."""

    path: Path
    number: int
    sha256: str
    by_id: Mapping[str, Paraphrase]
    file: ParaphraseFile | None = None
    """All of them; None where they were read from a run folder."""

    def settings(self) -> ParaphraseInfo:
        """Return what run.json says of them."""
        return {"file": self.path.name, "sha256": self.sha256, "number": self.number}

    def refuse_unfit(self, task: str, samples: Iterable[Sample]) -> None:
        """Raise a UserError where a question has no paraphrase, or one with another number of options."""
        missing, asked = list[str](), 0
        for sample in samples:
            asked += 1
            words = self.by_id.get(sample.id)
            if words is None:
                missing.append(sample.id)
            elif words.choices is not None and len(words.choices) != len(sample.choices):
                raise UserError(
                    f"--paraphrase {self.path}: {sample.id!r} of {task} has {len(sample.choices)} options, its "
                    f"paraphrase {self.number} has {len(words.choices)}: write them in the order of the question's."
                )
        if missing:
            raise UserError(
                f"--paraphrase {self.path}: {len(missing)} of the {asked} questions of {task} that are asked have no "
                f"paraphrase (first: {_first(missing)}): add them, or ask only those that have one with --ids."
            )


def planned_words(request: RunRequest) -> PlannedWords | None:
    """Return the paraphrases that a request asks for; None without any."""
    if request.paraphrase is None:
        return None
    file = read_paraphrases(request.paraphrase)
    number = request.wording or 1
    if number > file.most:
        raise UserError(
            f"--wording {number}: {request.paraphrase} has {file.most} paraphrases of a question at most: "
            f"1 to {file.most} is allowed."
        )
    return PlannedWords(request.paraphrase, number, file.sha256, file.numbered(number), file)


def refuse_unknown_questions(words: PlannedWords, ids: Sequence[Collection[str]], tasks: Sequence[str]) -> None:
    """Raise a UserError for paraphrases of questions that no benchmark has."""
    every = words.by_id if words.file is None else words.file.by_id
    unknown = [id_ for id_ in every if not any(id_ in one for one in ids)]
    if unknown:
        raise UserError(
            f"--paraphrase {words.path}: {len(unknown)} of its {len(every)} ids are not in {' or '.join(tasks)} "
            f"(first: {_first(unknown)}): take them out, or name their task."
        )


def _first(ids: Sequence[str]) -> str:
    return ", ".join(map(repr, ids[:SHOWN]))
