"""Plan what is judged, the chains of right answers, and what that costs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NamedTuple

from dtbench.harness.core import options as opts
from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.options import Option
from dtbench.harness.core.price import Price
from dtbench.harness.core.schema import Prompt
from dtbench.harness.core.typed_settings import at_least
from dtbench.harness.judge.wording import DEFAULT_WORDING, Wording, read_wording
from dtbench.harness.score.criteria import Rubric, has_rubric, rubric_of
from dtbench.harness.score.stored_run import StoredTask, SubmittedAnswer, submitted_answers
from dtbench.models.endpoint.address import complete_url

CHARACTERS_A_TOKEN = 4
TOKENS_A_MARK = 60
"""What a judge writes for each criterion, roughly."""


class Case(NamedTuple):
    """One chain, and the rubric that it is scored against."""

    answer: SubmittedAnswer
    rubric: Rubric
    right: bool
    """By the benchmark's own rule; a wrong answer has 0 marks and is not shown to the judge."""

    @property
    def id(self) -> str:
        """The id of the question."""
        return self.answer.sample.id

    @property
    def hash(self) -> str:
        """Twelve digits that differ where the chain, the answer after it or the criteria do."""
        row = repr((self.id, self.answer.thinking, self.answer.choice, self.rubric))
        return hashlib.sha256(row.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def parse_price(text: str) -> Price:
    """Return the price that `READ/WRITTEN` gives, such as 2.50/10."""
    try:
        read, written = map(float, text.split("/"))
    except ValueError:
        read = written = math.nan
    if not (0 <= read < math.inf and 0 <= written < math.inf):
        raise UserError(f"--price {text}: two prices per million tokens are expected, input/output, such as 2.50/10.")
    return Price(read, written)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """Which run is judged, by which model, and how; a UserError where a value is not allowed."""

    run: opts.RunArgument
    model: Annotated[
        str | None,
        Option(
            "--model", "NAME", "Model name as served by the endpoint.", panel=opts.ANSWERS, shown="the only one served"
        ),
    ] = None
    base_url: Annotated[
        str,
        Option(
            "--base-url",
            "URL",
            "OpenAI-compatible endpoint that serves the judge, e.g. localhost:8000.",
            missing="name the judge's endpoint, such as http://localhost:8000/v1.",
            panel=opts.ANSWERS,
        ),
    ]
    task: opts.TaskName = None
    calls: Annotated[
        int,
        Option("--calls", "N", "Calls per answer; the lowest and highest marks are dropped.", panel=opts.ANSWERS),
        at_least(1),
    ] = 5
    wording: Annotated[
        Wording,
        Option(
            "--judge-prompt",
            "FILE",
            "Your own instructions for the judge.",
            parse=read_wording,
            panel=opts.ANSWERS,
            shown="dtbench's own",
            values="files",
        ),
    ] = DEFAULT_WORDING
    limit: opts.Limit = None
    sample: opts.SampleNumber = 0
    concurrency: opts.Concurrency = 8
    rpm: opts.Rpm = None
    max_cost: opts.MaxCost = None
    max_tokens_in_all: opts.MaxTokensInAll = None
    seed: opts.Seed = 42
    options: opts.ModelOptions = field(default_factory=dict[str, str])
    data_dir: opts.DataOfRun = None
    out: Annotated[
        Path | None,
        Option(
            "--out",
            "DIR",
            "Folder of the verdicts; one that already holds some is resumed.",
            panel=opts.OUTPUT,
            shown="RUN/judge-NAME",
            values="folders",
        ),
    ] = None
    calibrate: Annotated[
        bool, Option("--calibrate", None, "Test the judge on reasoning whose marks are known.", panel=opts.TESTS)
    ] = False
    price: Annotated[
        Price | None,
        Option(
            "--price",
            "IN/OUT",
            "Price per million input/output tokens, e.g. 2.50/10.",
            parse=parse_price,
            panel=opts.RUNS,
        ),
    ] = None
    task_file: opts.TaskFile = None
    max_unscored: float = 0.01
    """The share of questions that may stay without marks."""

    def __post_init__(self) -> None:
        """Refuse values that are not allowed."""
        opts.check_options(self)
        url = complete_url(self.base_url)
        if "://" not in url:
            raise UserError(f"--base-url {self.base_url}: a URL is expected, such as http://localhost:8000/v1.")
        object.__setattr__(self, "base_url", url)


@dataclass(frozen=True, slots=True)
class JudgePlan:
    """Every question of the run that has a rubric, in the order of the data."""

    cases: Sequence[Case]
    options: JudgeOptions

    def prompt(self, case: Case, call: int, attempt: int) -> Prompt:
        """Return the request of one call; each attempt after an unreadable reply has another seed."""
        sample, answer, wording = case.answer.sample, case.answer, self.options.wording
        text = wording.about(sample.question, sample.answer or "", case.rubric, answer.thinking, answer.choice)
        seed = self.options.seed + 1000 * attempt
        return Prompt(text, sample.audio, system=wording.system, id=sample.id, repeat=call, seed=seed)

    def missing(self, finished: Iterable[tuple[str, int]]) -> list[tuple[Case, int]]:
        """Return the calls that are not finished."""
        done = set(finished)
        return [
            (case, call)
            for case in self.cases
            if case.right
            for call in range(self.options.calls)
            if (case.id, call) not in done
        ]

    def estimate(self, missing: Sequence[tuple[Case, int]]) -> dict[str, float]:
        """Estimate the tokens of these calls, and their price where the user names prices."""
        lengths = {id(case): len(self.prompt(case, 0, 0).text) for case, _ in missing}
        fixed = len(self.options.wording.system or "")
        characters = sum(lengths[id(case)] + fixed for case, _ in missing)
        written = sum(TOKENS_A_MARK * len(case.rubric.criteria) for case, _ in missing)
        read, price = characters // CHARACTERS_A_TOKEN, self.options.price
        cost = {} if price is None else {"price": price.of(read, written)}
        return {"calls": len(missing), "prompt_tokens": read, "completion_tokens": written, **cost}

    def fingerprint(self) -> str:
        """Return twelve digits that differ where other chains, answers or criteria are judged."""
        digest = hashlib.sha256()
        for case in self.cases:
            answer = case.answer
            row = (case.id, answer.thinking, answer.choice, case.right, case.rubric)
            digest.update(repr(row).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:12]


def plan_of(stored: StoredTask, data: Dataset, options: JudgeOptions) -> JudgePlan:
    """Plan the judging of a task of a run; a UserError where its questions have no criteria."""
    answers = [one for one in submitted_answers(stored, data, options.sample) if one.state != "missing"]
    with_rubric = [one for one in answers[: options.limit] if has_rubric(one.sample)]
    if not with_rubric:
        raise UserError(
            f"{stored.task.name}: its questions ({data.version}) have no criteria to judge by: MMAR v2 has, and any "
            f"task whose items hold `rubric`."
        )
    rule = stored.task.official(stored.task.official_versions[0])
    cases = [
        Case(one, rubric_of(one.sample), rule(one.sample.as_published(), one.submission).correct) for one in with_rubric
    ]
    return JudgePlan(cases, options)
