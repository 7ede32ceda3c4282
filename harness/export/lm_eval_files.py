"""Write a run as lm-eval's results and samples files, for viewers, comparison scripts and leaderboards.

Three metrics: `official`, the verdict of the benchmark's script, over the records that it counts, `strict`, a reader's,
over all, and `unanswered`. A record that the script does not count has no `official`, so that the mean of what is there
is the official score. A task of lm-eval has its own name, metrics and filters.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import dtbench
from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.core.scorer import FilteredResponse
from dtbench.harness.core.task import LM_EVAL_PREFIX
from dtbench.harness.export.run_formats import ExportedFolder
from dtbench.harness.export.stored_answers import asked_prompts
from dtbench.harness.export.submission_formats import ExportOptions
from dtbench.harness.score.stored_run import (
    StoredTask,
    SubmittedAnswer,
    find_data,
    is_whole,
    questions_beside,
    submitted_answers,
)
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.run_folder import StoredRun
from dtbench.tasks.stored import stored_task, stored_task_names

HIGHER_IS_BETTER = {"official": True, "strict": True, "unanswered": False}
"""Of each metric."""
FILTER = "none"
"""lm-eval's name for metrics of the text as it came."""
_LM_EVAL_ONLY = (
    *("system_instruction", "system_instruction_sha", "chat_template", "chat_template_sha", "fewshot_as_multiturn"),
    *("lm_eval_version", "transformers_version", "pretty_env_info", "total_evaluation_time_seconds"),
    "upper_git_hash",
)
"""Keys that its readers expect, for which a run of ours has no value."""


def write_lm_eval(options: ExportOptions) -> ExportedFolder:
    """Write a results file and a samples file for each task, named as lm-eval names them."""
    assert options.run is not None
    run = StoredRun.open(options.run)
    names = stored_task_names(run, options.task)
    about = run.info["model"]
    model = str(about.get("model") or about.get("name", "model"))
    folder = (options.out or run.path / "export" / "lm-eval") / _sanitized(model)
    if (start := run.info["start"]) is None:
        raise DataError(f"{run.path / 'run.json'}: it has no start; it was changed after dtbench wrote it.")
    when = datetime.fromisoformat(start)
    stamp = when.replace(tzinfo=None).isoformat().replace(":", "-")
    results: dict[str, Any] = _of_run(run, model) | {"date": when.timestamp()}
    files = {}
    for stored in (stored_task(run, name, options.task_file) for name in names):
        lines, whole = _lines(run, stored, options)
        files[f"samples_{lm_eval_task_name(stored)}_{stamp}.jsonl"] = lines
        for key, value in _of_task(stored, lines, whole).items():
            results.setdefault(key, {})[lm_eval_task_name(stored)] = value
    folder.mkdir(parents=True, exist_ok=True)
    results_file = folder / f"results_{stamp}.json"
    for name, lines in files.items():
        replace_whole(folder / name, "".join(f"{json.dumps(line, default=str)}\n" for line in lines).encode())
    replace_whole(results_file, json.dumps(results, indent=2).encode() + b"\n")
    return ExportedFolder(folder, names, [*(folder / name for name in files), results_file])


def _sanitized(model: str) -> str:
    """Return the name as lm-eval writes it in folders."""
    return re.sub(r"[\"<>:/|\\?*\[\]]+", "__", model)


def _lines(run: StoredRun, stored: StoredTask, options: ExportOptions) -> tuple[list[dict[str, Any]], int]:
    """Return a line for each answer and filter, and the number of questions."""
    data = find_data(stored, options.data_dir)
    if data is None or not is_whole(stored, data):
        raise UserError(
            f"the data of {stored.task.name} was not found, {questions_beside(stored).lacking}, and an export needs "
            f"all questions: name the folder of the data with --data-dir."
        )
    submitted = submitted_answers(stored, data, options.sample)
    texts = {
        record["id"]: record["response"]["text"]
        for record in stored.records()
        if record["sample"] == options.sample and "error" not in record
    }
    if not texts:
        raise UserError(f"{run.path}: there is no answer of {stored.task.name} in it.")
    words = asked_prompts(stored, data)
    answered = [(place, one) for place, one in enumerate(submitted) if one.sample.id in texts]
    lines = [
        line for place, one in answered for line in _of_answer(stored, place, one, texts[one.sample.id], words(place))
    ]
    filters = list(dict.fromkeys(line["filter"] for line in lines))
    return sorted(lines, key=lambda line: filters.index(line["filter"])), len(submitted)


def lm_eval_task_name(stored: StoredTask) -> str:
    """Return the task's name in these files: a task of lm-eval has its own."""
    name = stored.task.name
    return name.removeprefix(LM_EVAL_PREFIX) if name.startswith(LM_EVAL_PREFIX) else f"dtbench_{name.replace('-', '_')}"


def _of_answer(
    stored: StoredTask, place: int, answer: SubmittedAnswer, text: str, words: str | None
) -> Iterator[dict[str, Any]]:
    """Yield a line for each filter."""
    filtered = stored.task.filtered(answer.sample, stored.known_text(text))
    if not filtered:
        metrics = stored.task.score(answer.sample, stored.read(answer.sample, text)).metrics()
        filtered = [FilteredResponse(FILTER, answer.submission, metrics, answer.sample.as_published())]
    for one in filtered:
        target = answer.sample.answer or ""
        yield {
            "doc_id": place,
            "doc": dict(one.doc),
            "target": target,
            "arguments": {"gen_args_0": {"arg_0": words or "", "arg_1": {"until": []}}},
            "resps": [[text]],
            "filtered_resps": [one.response],
            "filter": one.name,
            "metrics": list(one.metrics),
            "doc_hash": _hash(json.dumps(one.doc, indent=2, ensure_ascii=False, default=str)),
            "prompt_hash": _hash(words or ""),
            "target_hash": _hash(target),
            **one.metrics,
        }


def _of_run(run: StoredRun, model: str) -> dict[str, Any]:
    about, git = run.info["model"], run.info["starts"][-1]["git"]
    return {
        "config": {"model": about.get("name"), "model_args": about, "limit": None, "gen_kwargs": about.get("sampling")},
        "git_hash": None if git is None else git["commit"],
        "group_subtasks": {},
        "model_source": "dtbench",
        "model_name": model,
        "model_name_sanitized": _sanitized(model),
        "dtbench_version": dtbench.__version__,
        **dict.fromkeys(_LM_EVAL_ONLY),
    }


def _of_task(stored: StoredTask, lines: Sequence[Mapping[str, Any]], whole: int) -> dict[str, Any]:
    """Return what each part of a results file has under the task's name."""
    name, about = lm_eval_task_name(stored), stored.about
    questions = len({line["doc_id"] for line in lines})
    figures: dict[str, Any] = {"name": name, "alias": name, "sample_len": questions}
    own = stored.task.figures(stored.known_records()).get("lm_eval", {})
    higher = dict(own.get("higher_is_better", HIGHER_IS_BETTER))
    for metric in () if own else HIGHER_IS_BETTER:
        figures |= dict(_figures(metric, [line[metric] for line in lines if metric in line]))
    hashes = "".join(f"{line['doc_hash']}{line['prompt_hash']}{line['target_hash']}" for line in lines)
    metrics = [{"metric": one, "aggregation": "mean", "higher_is_better": better} for one, better in higher.items()]
    return {
        "results": figures | dict(own.get("results", {})),
        "configs": {
            "task": name,
            "output_type": "generate_until",
            "num_fewshot": about.get("num_fewshot", 0),
            "repeats": 1,
            "metric_list": metrics,
            "metadata": dict(about),
        },
        "versions": about["data"]["version"],
        "n-shot": about.get("num_fewshot", 0),
        "higher_is_better": higher,
        "n-samples": {"original": whole, "effective": questions},
        "task_hashes": _hash(hashes),
    }


def _figures(metric: str, values: Sequence[float]) -> Iterator[tuple[str, float]]:
    """Yield the mean and its standard error by lm-eval's formula, step for step: equal to the last digit."""
    if not values:
        return
    mean = sum(values) / len(values)
    yield f"{metric},{FILTER}", mean
    if len(values) > 1:
        deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
        yield f"{metric}_stderr,{FILTER}", deviation / math.sqrt(len(values))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
