"""The card of an exported data set: the README.md that a hub shows, with the YAML that `datasets` reads at its head.

Names and settings come from whoever ran the model: in Markdown each is written so that it is nothing but text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.export.stored_answers import ExportedModel, portable_name
from dtbench.harness.store.summary_types import TaskSummary
from dtbench.harness.store.types import TaskInfo

if TYPE_CHECKING:
    import pyarrow

    from dtbench.harness.store.run_folder import StoredRun

SPLIT = "test"
_MARKS = re.compile(r"([\\`*_{}\[\]<>()#+!|~$&])")
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.-]*")
_COLUMNS: Mapping[str, str] = {
    "run": "the name of the run",
    "task": "the benchmark",
    "id": "the question's id in the benchmark",
    "sample": "which of the answers to this question, from 0",
    "question": "the question",
    "choices": "its options, in the order of the benchmark",
    "answer": "the right option",
    "choice": "the option that was read from the response; null where none was",
    "correct": "whether that is the right one (strict scoring); null where none was read",
    "official": "the verdict of the benchmark's own script",
    "counted": "whether that script leaves the answer in its denominator",
    "level": "the evidence that the option was read on",
    "how": "the rule that read it",
    "thinking": "the chain of thought",
    "response": "all that the model said",
    "finish_reason": "why it ended",
    "input_tokens": "tokens that were read",
    "output_tokens": "tokens that were written",
    "seconds": "how long the response took",
    "error": "why there is no response",
    "clip_hash": "the first twelve digits of the SHA-256 of the clip as published",
    "clip_seconds": "how much of the clip was heard",
}
_KINDS = {"string": "string", "int64": "int64", "double": "float64", "bool": "bool"}


class CardTask(NamedTuple):
    """A benchmark of the run."""

    name: str
    title: str
    licence: str
    withheld: str
    """Why the text of its questions is not there; empty where it is."""
    about: TaskInfo
    summary: TaskSummary
    schema: pyarrow.Schema | None = None
    rows: int = 0
    file: str = ""


def data_card(run: StoredRun, tasks: Sequence[CardTask], repo: str | None = None) -> str:
    """Return the card; `repo` is where the data set will be."""
    import yaml  # comes with huggingface-hub

    head = yaml.safe_dump(_front_matter(run, tasks), sort_keys=False, allow_unicode=False, width=1000)
    lines = [*_opening(run, tasks), *_scores(tasks), *_making(run, tasks), *_columns(tasks), *_licences(tasks)]
    lines += ["", "## Use", "", "```python", *_loading(tasks, repo), "```", ""]
    return f"---\n{head}---\n\n" + "\n".join(lines)


def plain_text(value: object) -> str:
    """Return a value as text that Markdown leaves as it is, on one line."""
    return _MARKS.sub(r"\\\1", " ".join(str(value).split()))


def _front_matter(run: StoredRun, tasks: Sequence[CardTask]) -> dict[str, Any]:
    licences = list(dict.fromkeys(one.licence.lower() if _LICENCE.fullmatch(one.licence.lower()) else "other"
                                  for one in tasks))  # fmt: skip
    configs = [
        {"config_name": portable_name(one.name), "data_files": [{"split": SPLIT, "path": one.file}]} for one in tasks
    ]
    configs[0]["default"] = True  # type: ignore[assignment]
    infos = [{"config_name": portable_name(one.name), "features": list(_features(one))} for one in tasks]
    return {
        "license": licences[0] if len(licences) == 1 else licences,
        "pretty_name": f"Answers of {ExportedModel(run.info['model']).title}",
        "tags": ["dtbench", "audio", "evaluation", *(portable_name(one.name) for one in tasks)],
        "task_categories": ["question-answering"],
        "configs": configs,
        "dataset_info": infos if len(infos) > 1 else infos[0],
    }


def _features(task: CardTask) -> Iterator[dict[str, Any]]:
    assert task.schema is not None
    for field in task.schema:
        if str(field.type).startswith("list"):
            yield {"name": field.name, "list": "string"}
        else:
            yield {"name": field.name, "dtype": _KINDS[str(field.type)]}


def _opening(run: StoredRun, tasks: Sequence[CardTask]) -> Iterator[str]:
    model = ExportedModel(run.info["model"])
    yield f"# Answers of {plain_text(model.title)}"
    yield ""
    names = ", ".join(plain_text(one.title or one.name) for one in tasks)
    rows = sum(one.rows for one in tasks)
    yield f"Every answer ({rows:,} rows) of one model to {names}, read and scored by dtbench. No audio is in it."


def _scores(tasks: Sequence[CardTask]) -> Iterator[str]:
    yield from ("", "## Scores", "", "| benchmark | official | strict | answers | unanswered | failed |")
    yield "|---|---|---|---|---|---|"
    for one in tasks:
        summary = one.summary
        shares = (summary["official"], summary["strict"])
        cells = [_share(share["accuracy"], share["low"], share["high"]) for share in shares]
        counts = (summary["n"], summary["unanswered"], summary["failed"])
        yield f"| {plain_text(one.name)} | {' | '.join(cells)} | {' | '.join(map(str, counts))} |"
    yield from ("", "Official is what the benchmark's own script says, strict what is read by dtbench's rules over all")
    yield "answers; in brackets the 95 % interval."


def _share(accuracy: float | None, low: float | None, high: float | None) -> str:
    if accuracy is None:
        return "not known"
    interval = "" if low is None or high is None else f" ({low:.1%} to {high:.1%})"
    return f"{accuracy:.2%}{interval}"


def _making(run: StoredRun, tasks: Sequence[CardTask]) -> Iterator[str]:
    start = run.info["starts"][-1] if run.info["starts"] else None
    yield from ("", "## How it was made", "")
    if start is not None:
        yield f"- dtbench {plain_text(start['dtbench'])}, {plain_text(run.info['start'])}, {run.info['status']}"
    for name, value in ExportedModel(run.info["model"]).settings.items():
        yield f"- model, {plain_text(name)}: {plain_text(value)}"
    for one in tasks:
        about = one.about
        data = f"data {about['data']['version']} (sha256 {about['data']['sha256'][:12]})"
        asked = f"{about['questions']} questions, {about['samples']} answers each"
        how = f"answer {about['answer']}, audio {about['audio']}, prompt {about['prompt_hash']}, seed {about['seed']}"
        scorer = f"scorer {one.summary['scorer']}"
        yield f"- {plain_text(one.name)}: {plain_text('; '.join((data, asked, how, scorer)))}"


def _columns(tasks: Sequence[CardTask]) -> Iterator[str]:
    yield from ("", "## Columns", "", "| column | what it is |", "|---|---|")
    names = dict.fromkeys(field.name for one in tasks for field in one.schema or ())
    for name in names:
        yield f"| {plain_text(name)} | {_COLUMNS.get(name, 'a heading that the benchmark reports by, or a mark')} |"


def _licences(tasks: Sequence[CardTask]) -> Iterator[str]:
    yield from ("", "## Licence", "")
    for one in tasks:
        why = f"; {one.withheld}. Ids and hashes find it in the benchmark." if one.withheld else ""
        yield f"- {plain_text(one.name)}: {plain_text(one.licence or 'not stated')}{plain_text(why)}"


def _loading(tasks: Sequence[CardTask], repo: str | None) -> Iterator[str]:
    where = repo or "path/to/this/folder"
    yield "from datasets import load_dataset"
    yield ""
    for one in tasks:
        yield f'{_variable(one.name)} = load_dataset("{where}", "{portable_name(one.name)}", split="{SPLIT}")'


def _variable(name: str) -> str:
    word = re.sub(r"\W", "_", name)
    return f"task_{word}" if word[:1].isdigit() else word
