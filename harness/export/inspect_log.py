"""Write a run as logs of inspect_ai, one `.eval` a benchmark, for `inspect view` and `inspect_ai.log.read_eval_log`.

A log is a zip of JSON: a header with the scores, a file for each answer, and summaries of these. A sample has the
question and options, the prompt as it was sent, the chain as reasoning, and two scores, official and strict. Clips are
named, not embedded.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dtbench
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Sample, clip_name
from dtbench.harness.export.run_formats import ONE_FILE, ExportedFolder
from dtbench.harness.export.stored_answers import (
    AnsweredQuestion,
    ExportedModel,
    ExportedTask,
    exported_tasks,
    portable_name,
    unfinished,
)
from dtbench.harness.export.submission_formats import ExportOptions
from dtbench.harness.store.atomic import replace_whole

VERSION = 2
"""Of inspect's log format."""
SUFFIX = ONE_FILE["inspect"]
RIGHT, WRONG, NONE = "C", "I", "N"
"""inspect's values: correct, incorrect, no answer."""
_SCORERS = ("official", "strict")
_ZIP_DATE = (2026, 1, 1, 0, 0, 0)
_STOPS = {"stop": "stop", "length": "max_tokens", "content_filter": "content_filter", "tool_calls": "tool_calls"}
_Json = dict[str, Any]


def write_inspect_logs(options: ExportOptions) -> ExportedFolder:
    """Write a log for each benchmark, named as inspect names logs, or the one that --out names."""
    assert options.run is not None
    path = options.out or options.run / "export" / "inspect"
    tasks, files, own = exported_tasks(options), [], ""
    if path.suffix == SUFFIX:
        if len(tasks) > 1:
            names = ", ".join(task.name for task in tasks)
            raise UserError(f"--out {path}: one log is of one benchmark: name a folder, or one of {names} with --task.")
        path, own = path.parent, path.name
    path.mkdir(parents=True, exist_ok=True)
    for task in tasks:
        log = _Log(task)
        files.append(path / (own or log.file))
        replace_whole(files[-1], log.content())
    partial = [why for task in tasks if (why := unfinished(task))]
    return ExportedFolder(path, [task.name for task in tasks], files, (), partial)


class _Log:
    """The log of one benchmark."""

    def __init__(self, task: ExportedTask) -> None:
        self.task, self.info = task, task.run.info
        self.model = ExportedModel(self.info["model"])
        self.started = task.started.isoformat(timespec="seconds")
        self.ended = task.ended.isoformat(timespec="seconds")
        about = task.stored.about
        self.id = _short(task.name, self.started, self.model.name, about["ids_sha256"], about["prompt_hash"])

    @property
    def file(self) -> str:
        """The name of the file: when it began, the task, an id."""
        when = self.started.replace(":", "-").replace("+", "-")
        return f"{when}_{portable_name(self.task.name)}_{self.id}{SUFFIX}"

    def content(self) -> bytes:
        """Return the zip."""
        zipped, summaries = io.BytesIO(), []
        with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
            _add(archive, "_journal/start.json", {"version": VERSION, "eval": self._spec(), "plan": self._plan()})
            for number, answer in enumerate(self.task.answers(), start=1):
                sample = self._sample(answer)
                _add(archive, f"samples/{sample['id']}_epoch_{sample['epoch']}.json", sample)
                summaries.append(_summary(sample))
                _add(archive, f"_journal/summaries/{number}.json", [summaries[-1]])
            _add(archive, "summaries.json", summaries)
            _add(archive, "header.json", self._header(len(summaries)))
        return zipped.getvalue()

    def _header(self, answered: int) -> _Json:
        status = {"done": "success", "interrupted": "cancelled", "failed": "error", "running": "started"}
        results = {
            "total_samples": self.task.stored.expected,
            "completed_samples": answered,
            "scores": [_score_table(*one) for one in self._accuracies()],
        }
        return {
            "version": VERSION,
            "status": status[self.info["status"]],
            "eval": self._spec(),
            "plan": self._plan(),
            "results": results,
            "stats": {"started_at": self.started, "completed_at": self.ended, "model_usage": self._usage()},
        }

    def _accuracies(self) -> Iterator[tuple[str, float, int]]:
        """Yield name, accuracy and count of each score."""
        official, strict = self.task.summary["official"], self.task.summary["strict"]
        if official["accuracy"] is not None:
            yield "official", official["accuracy"], official["counted"]
        if strict["accuracy"] is not None:
            yield "strict", strict["accuracy"], strict["n"]

    def _usage(self) -> _Json:
        tokens = self.task.summary["tokens"]
        read, written = tokens["in"] or 0, tokens["out"] or 0
        usage = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
        return {self.model.id: usage} if read or written else {}

    def _spec(self) -> _Json:
        about, stored = self.task.stored.about, self.task.stored
        asked = self.task.summary["n"] // stored.repeats
        git = self.info["starts"][-1]["git"] if self.info["starts"] else None
        metadata = {"prompt": about["prompt"], "prompt_hash": about["prompt_hash"], "scorer": stored.scorer}
        if git is not None and git["commit"] is not None:
            metadata["dtbench_commit"] = git["commit"]
        return {
            "eval_id": self.id,
            "run_id": _short(self.started, self.model.name),
            "created": self.started,
            "task": self.task.name,
            "task_id": _short(self.task.name),
            "task_version": about["data"]["version"],
            "task_args": {"answer": about["answer"], "audio": about["audio"], "permute": about["permute"]},
            "dataset": {"name": self.task.name, "samples": asked, "shuffled": False},
            "model": self.model.id,
            "model_args": dict(self.model.about),
            "model_generate_config": {},
            "config": {"epochs": stored.repeats},
            "packages": {"dtbench": self.task.version},
            "metadata": metadata,
            "scorers": [{"name": name, "options": {}, "metrics": [{"name": "accuracy"}]} for name in _SCORERS],
        }

    def _plan(self) -> _Json:
        return {"name": "plan", "steps": [{"solver": f"dtbench {dtbench.__version__}", "params": {}}], "config": {}}

    def _sample(self, answer: AnsweredQuestion) -> _Json:
        sample, record = answer.sample, answer.record
        asked = answer.prompt or sample.question
        messages: list[_Json] = [{"id": _short(sample.id, "u"), "role": "user", "source": "input", "content": asked}]
        output: _Json = {"model": self.model.id, "choices": [], "completion": ""}
        if "error" not in record:
            said = self._said(answer)
            messages.append(said)
            output = self._output(answer, said)
        failed = {"error": _failure(record["error"]["message"])} if "error" in record else {}
        seconds = record["response"]["seconds"] if "error" not in record else 0.0
        return {
            "id": _entry_id(sample.id),
            "epoch": record["sample"] + 1,
            "input": sample.question,
            "choices": list(sample.choices),
            "target": sample.answer or "",
            "messages": messages,
            "output": output,
            "scores": _scores(answer),
            "metadata": {**sample.groups, "id": sample.id, **_clips(sample)},
            "store": {},
            "events": [],
            "model_usage": {self.model.id: output["usage"]} if "usage" in output else {},
            "total_time": seconds,
            "working_time": seconds,
            "uuid": _short(self.id, sample.id, str(record["sample"])),
            "attachments": {},
            **failed,
        }

    def _said(self, answer: AnsweredQuestion) -> _Json:
        text = answer.record["response"]["text"]
        content: str | list[_Json] = text
        if answer.thinking:
            said = {"type": "text", "text": self.task.stored.known_text(text).rpartition("</think>")[2].strip()}
            content = [{"type": "reasoning", "reasoning": answer.thinking}, said]
        message = {"id": _short(answer.sample.id, "a", str(answer.record["sample"])), "role": "assistant"}
        return {**message, "content": content, "source": "generate", "model": self.model.id}

    def _output(self, answer: AnsweredQuestion, said: _Json) -> _Json:
        response = answer.record["response"]
        stop = _STOPS.get(response["finish_reason"], "unknown")
        output: _Json = {
            "model": self.model.id,
            "choices": [{"message": said, "stop_reason": stop}],
            "completion": response["text"],
            "time": response["seconds"],
        }
        read, written = response["usage"].get("prompt_tokens"), response["usage"].get("completion_tokens")
        if read is not None and written is not None:
            output["usage"] = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
        return output


def _scores(answer: AnsweredQuestion) -> _Json:
    """Return both verdicts; none of an answer that the official script does not count, or whose gold is withheld."""
    record = answer.record
    if "error" in record:
        return {}
    read, score = record["extraction"], record["score"]
    shown = {"answer": read["choice"] or "", "explanation": f"{read['how']} ({read.get('level') or 'nothing read'})"}
    verdicts = {"strict": {"value": _value(score["correct"]), **shown}}
    if answer.sample.answer is None:
        return {}
    official = score["official"]
    if official["counted"]:
        why = official["why"] or "the verdict of the benchmark's own script"
        verdicts["official"] = {"value": _value(official["correct"]), **shown, "explanation": why}
    return {name: verdicts[name] for name in _SCORERS if name in verdicts}


def _value(correct: bool | None) -> str:
    return NONE if correct is None else RIGHT if correct else WRONG


def _score_table(name: str, share: float, count: int) -> _Json:
    metrics = {"accuracy": share, "stderr": math.sqrt(share * (1 - share) / (count - 1)) if count > 1 else 0.0}
    return {
        "name": name,
        "scorer": name,
        "scored_samples": count,
        "params": {},
        "metrics": {metric: {"name": metric, "value": value, "params": {}} for metric, value in metrics.items()},
    }


def _summary(sample: _Json) -> _Json:
    names = ("id", "epoch", "input", "choices", "target", "metadata", "scores", "model_usage", "total_time", "uuid")
    failed = {"error": sample["error"]["message"]} if "error" in sample else {}
    return {**{name: sample[name] for name in names}, "completed": not failed, **failed}


def _clips(sample: Sample) -> _Json:
    """Return the names of the clips of a question: `clip` for one, `clips` for several."""
    names = [Path(clip_name(clip)).name for clip in sample.clips or (sample.audio,)]
    return {"clip": names[0]} if len(names) == 1 else {"clips": names}


def _failure(message: str) -> _Json:
    return {"message": message, "traceback": "", "traceback_ansi": ""}


def _entry_id(id_: str) -> str:
    """Return the id as inspect may name a file in the zip by it: one that leads out of the folder gets another."""
    harmless = not id_.startswith("/") and ".." not in id_ and "\\" not in id_ and id_.isprintable()
    return id_ if harmless else f"{portable_name(id_)}-{_short(id_)[:8]}"


def _short(*parts: str) -> str:
    """Return an id that follows from the parts."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:22]


def _add(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    entry = zipfile.ZipInfo(name, _ZIP_DATE)
    archive.writestr(entry, json.dumps(value, default=str), zipfile.ZIP_DEFLATED)
