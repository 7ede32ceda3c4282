"""Plan what is judged, how often, and what that costs."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Generic

from dtbench.harness.core import options as opts
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.options import Option
from dtbench.harness.core.price import Price
from dtbench.harness.core.schema import Prompt
from dtbench.harness.core.typed_settings import between
from dtbench.harness.judge.scorer import CaseT, JudgeScorer
from dtbench.harness.judge.wording import Wording, read_wording
from dtbench.harness.store.jsonl import Key
from dtbench.harness.store.verdicts import CALLS_APART
from dtbench.models.endpoint.address import complete_url, refuse_wrong_urls

CHARACTERS_A_TOKEN = 4


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
        int | None,
        Option(
            "--calls",
            "N",
            "Calls per answer, even numbers too; of three or more marks the lowest and the highest are dropped.",
            panel=opts.ANSWERS,
            shown="5 for rubrics, else 1",
        ),
        between(1, CALLS_APART),
    ] = None
    scorer: Annotated[
        str | None,
        Option(
            "--scorer",
            "NAME",
            "What is judged: `rubric` (the reasoning, by each question's criteria), `same-answer` (whether an answer "
            "is right), `embedding` (the option closest to it), or a scorer of the task that waits for a judge.",
            panel=opts.ANSWERS,
            shown="rubric if there are criteria, else the task's",
            values=("rubric", "same-answer", "embedding"),
        ),
    ] = None
    wording: Annotated[
        Wording | None,
        Option(
            "--judge-prompt",
            "FILE",
            "Your own instructions for the judge.",
            parse=read_wording,
            panel=opts.ANSWERS,
            shown="the task's own, else dtbench's",
            values="files",
        ),
    ] = None
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
        if self.calibrate and self.calls not in {None, 1}:
            raise UserError(f"--calls {self.calls}: --calibrate makes one call per answer; leave --calls out.")
        url = complete_url(self.base_url)
        if "://" not in url:
            shown = self.base_url.rpartition("@")[2] or "''"
            raise UserError(f"--base-url {shown}: a URL is expected, such as http://localhost:8000/v1.")
        refuse_wrong_urls(url, "--base-url")
        object.__setattr__(self, "base_url", url)


@dataclass(frozen=True, slots=True)
class JudgePlan(Generic[CaseT]):
    """The answers of a run that are judged, in the order of the data."""

    scorer: JudgeScorer[CaseT]
    cases: Sequence[CaseT]
    calls: int
    seed: int

    def prompt(self, case: CaseT, call: int, attempt: int) -> Prompt:
        """Return the request of one call; each attempt after an unreadable reply has another seed."""
        prompt = self.scorer.prompt(case)
        return dataclasses.replace(prompt, repeat=case.key(call).sample, seed=self.seed + 1000 * attempt)

    def missing(self, finished: Iterable[tuple[str, int]]) -> list[tuple[CaseT, int]]:
        """Return the calls that are not finished."""
        done = set(finished)
        return [
            (case, call)
            for case in self.cases
            if case.asked
            for call in range(self.calls)
            if case.key(call) not in done
        ]

    def wanted(self) -> set[Key]:
        """Return the keys of all calls."""
        return {case.key(call) for case, call in self.missing([])}

    def estimate(self, missing: Sequence[tuple[CaseT, int]], price: Price | None) -> dict[str, float]:
        """Estimate the tokens of these calls, and their price where one is known."""
        characters = written = 0
        for _, calls in itertools.groupby(missing, key=lambda job: id(job[0])):
            (case, _), *more = calls
            prompt = self.scorer.prompt(case)
            characters += (1 + len(more)) * (len(prompt.text) + len(prompt.system or ""))
            written += (1 + len(more)) * self.scorer.tokens(case)
        read = characters // CHARACTERS_A_TOKEN
        cost = {} if price is None else {"price": price.of(read, written)}
        return {"calls": len(missing), "prompt_tokens": read, "completion_tokens": written, **cost}

    def fingerprint(self) -> str:
        """Return twelve digits that differ where other answers are judged, or by other criteria."""
        digest = hashlib.sha256()
        for case in self.cases:
            digest.update(repr(case.row).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:12]
