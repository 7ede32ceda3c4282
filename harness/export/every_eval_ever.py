"""Write a run in the schema of Every Eval Ever 0.3: an aggregate of a benchmark's scores, and its answers beside it.

Both lie where the collection keeps them: `data/BENCHMARK/ORG/MODEL/UUID.json` and `UUID_samples.jsonl`. The UUID
follows from the run, so that the same run writes the same files. An answer has a line for each score that it counts in.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from dtbench.harness.export.run_formats import ExportedFolder
from dtbench.harness.export.stored_answers import (
    AnsweredQuestion,
    ExportedModel,
    ExportedTask,
    exported_tasks,
    hub_source,
    portable_name,
    unfinished,
    withheld_text,
)
from dtbench.harness.export.submission_formats import ExportOptions
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.share_types import IntervalFigures

SCHEMA = "0.3.0"
_SCORES: Mapping[str, str] = {
    "official": "what the benchmark's own script says, over the answers that it counts",
    "strict": "strict scoring, over all answers",
}
Score = Literal["official", "strict"]


def write_every_eval_ever(options: ExportOptions) -> ExportedFolder:
    """Write an aggregate and a file of answers for each benchmark."""
    assert options.run is not None
    path = options.out or options.run / "export" / "eee"
    tasks, files, notes = exported_tasks(options), [], []
    for task in tasks:
        record = _Evaluation(task, "" if options.with_text else withheld_text(task.stored.task))
        folder = path / record.folder
        folder.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{json.dumps(line)}\n" for line in record.lines()).encode()
        names = (f"{record.uuid}_samples.jsonl", f"{record.uuid}.json")
        content = (lines, json.dumps(record.aggregate(lines), indent=2).encode() + b"\n")
        for name, data in zip(names, content, strict=True):
            replace_whole(folder / name, data)
        files += [folder / name for name in names]
        notes += [f"{task.name}: {record.withheld}; --with-text keeps it"] if record.withheld else []
    partial = [why for task in tasks if (why := unfinished(task))]
    return ExportedFolder(path, [task.name for task in tasks], files, notes, partial)


class _Evaluation:
    """One benchmark of a run, as the collection keeps it."""

    def __init__(self, task: ExportedTask, withheld: str) -> None:
        self.task, self.withheld = task, withheld
        self.model = ExportedModel(task.run.info["model"])
        self.began = str(task.started.timestamp())
        self.id = f"{task.name}/{self.model.id.replace('/', '_')}/{self.began}"
        content = json.dumps([self.id, task.stored.about["ids_sha256"], task.stored.about["prompt_hash"]])
        self.uuid = uuid.UUID(bytes=hashlib.sha256(content.encode()).digest()[:16], version=4)
        self.scores: list[Score] = ["official", "strict"]
        if task.summary["official"]["accuracy"] is None:
            self.scores.remove("official")
        if task.summary["strict"]["accuracy"] is None:
            self.scores.remove("strict")

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        organisation, _, model = self.model.id.partition("/")
        return Path("data", portable_name(self.task.name), organisation, model)

    def aggregate(self, lines: bytes) -> dict[str, Any]:
        """Return the scores, the model and how it was asked."""
        path = (self.folder / f"{self.uuid}_samples.jsonl").as_posix()
        return {
            "schema_version": SCHEMA,
            "evaluation_id": self.id,
            "evaluation_timestamp": self.task.started.isoformat(timespec="seconds"),
            "retrieved_timestamp": self.began,
            "source_metadata": {
                "source_name": "dtbench",
                "source_type": "evaluation_run",
                "source_organization_name": "unknown",
                "evaluator_relationship": "other",
            },
            "eval_library": {"name": "dtbench", "version": self.task.version},
            "model_info": self._model_info(),
            "evaluation_results": [self._result(score) for score in self.scores],
            "detailed_evaluation_results": {
                "format": "jsonl",
                "file_path": path,
                "hash_algorithm": "sha256",
                "checksum": hashlib.sha256(lines).hexdigest(),
                "total_rows": lines.count(b"\n"),
            },
        }

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield a line for each answer and score."""
        for answer in self.task.answers():
            for score in self.scores:
                if (verdict := _verdict(answer, score)) is not None:
                    yield self._line(answer, score, verdict)

    def _result_id(self, score: Score) -> str:
        return f"{self.task.name}/{score}"

    def _model_info(self) -> dict[str, Any]:
        about = self.model.about
        local = self.model.hub_id is not None or Path(self.model.name).exists()
        details = {
            "deployment_type": "self_deployed" if local else "unknown",
            "model_availability": "open_weights" if local else "unknown",
            **self.model.settings,
        }
        engine = {"inference_engine": {"name": str(about["name"])}} if about.get("model") else {}
        return {"name": self.model.title, "id": self.model.id, **engine, "additional_details": details}

    def _result(self, score: Score) -> dict[str, Any]:
        about, summary = self.task.stored.about, self.task.summary
        figures = summary[score]
        counted = summary["official"]["counted"] if score == "official" else summary["strict"]["n"]
        return {
            "evaluation_result_id": self._result_id(score),
            "evaluation_name": self.task.name,
            "source_data": self._source(),
            "metric_config": {
                "evaluation_description": f"accuracy: {_SCORES[score]}",
                "metric_id": f"{self.task.name}.{score}_accuracy",
                "metric_name": f"{score.capitalize()} accuracy",
                "metric_kind": "accuracy",
                "metric_unit": "proportion",
                "lower_is_better": False,
                "score_type": "continuous",
                "min_score": 0,
                "max_score": 1,
                "additional_details": {"scorer": summary["scorer"], "min_evidence": self.task.stored.min_evidence},
            },
            "score_details": {
                "score": figures["accuracy"],
                "details": {name: str(summary[name]) for name in ("unanswered", "failed", "missing", "dropped")},
                "uncertainty": _uncertainty(figures, counted),
            },
            "generation_config": {
                "generation_args": self._generation(),
                "additional_details": {
                    "answer": about["answer"],
                    "audio": about["audio"],
                    "prompt_hash": about["prompt_hash"],
                    "seed": str(about["seed"]),
                    "samples": str(about["samples"]),
                    **({"num_fewshot": str(about["num_fewshot"])} if "num_fewshot" in about else {}),
                },
            },
        }

    def _source(self) -> dict[str, Any]:
        hub, data = hub_source(self.task.name), self.task.stored.about["data"]
        details = {"version": data["version"], "sha256": data["sha256"]}
        if hub is None:
            return {"dataset_name": self.task.name, "source_type": "other", "additional_details": details}
        return {
            "dataset_name": self.task.name,
            "source_type": "hf_dataset",
            "hf_repo": hub.repo,
            "hf_split": "test",
            "samples_number": len(self.task.data.samples),
            "additional_details": {**details, "revision": hub.revision},
        }

    def _generation(self) -> dict[str, Any]:
        sampling = self.model.about.get("sampling")
        given: Mapping[str, Any] = sampling if isinstance(sampling, dict) else {}
        numbers = {name: given[name] for name in ("temperature", "top_p", "top_k") if _is_number(given.get(name))}
        most = given.get("max_tokens")
        if isinstance(most, int) and most > 0:
            numbers["max_tokens"] = most
        about = self.task.stored.about
        return {**numbers, "reasoning": about["answer"] == "think", "prompt_template": about["prompt"]}

    def _line(self, answer: AnsweredQuestion, score: Score, verdict: _ScoredAnswer) -> dict[str, Any]:
        sample, record = answer.sample, answer.record
        gold = [] if sample.answer is None else [sample.answer]
        raw, reference, choices = sample.question, gold, list(sample.choices)
        formatted, chosen = answer.prompt, verdict.value
        if self.withheld:
            raw, reference, choices, formatted, chosen = f"[{self.withheld}]", [], [], None, ""
        return {
            "schema_version": SCHEMA,
            "evaluation_id": self.id,
            "model_id": self.model.id,
            "evaluation_name": self.task.name,
            "evaluation_result_id": self._result_id(score),
            "sample_id": sample.id,
            "sample_hash": hashlib.sha256(
                "".join([sample.question, *gold]).encode("utf-8", "surrogatepass")
            ).hexdigest(),
            "interaction_type": "single_turn",
            "input": {"raw": raw, "formatted": formatted, "reference": reference, "choices": choices},
            "output": _output(answer),
            "messages": None,
            "answer_attribution": _attribution(answer, chosen),
            "evaluation": {"score": float(verdict.correct), "is_correct": verdict.correct, "num_turns": 1},
            **_spent(record.get("response")),
            "error": record["error"]["message"] if "error" in record else None,
            "metadata": {"sample": str(record["sample"]), **{name: str(one) for name, one in sample.groups.items()}},
        }


class _ScoredAnswer(NamedTuple):
    correct: bool
    value: str
    """The option that was read; empty where there is none."""


def _verdict(answer: AnsweredQuestion, score: Score) -> _ScoredAnswer | None:
    """Return what a score says of an answer; None where it does not count it."""
    record = answer.record
    if "error" in record:
        return _ScoredAnswer(correct=False, value="") if score == "strict" else None
    choice = record["extraction"]["choice"] or ""
    if score == "strict":
        return _ScoredAnswer(record["score"]["correct"] is True, choice)
    official = record["score"]["official"]
    return _ScoredAnswer(official["correct"], choice) if official["counted"] else None


def _output(answer: AnsweredQuestion) -> dict[str, Any]:
    if "error" in answer.record:
        return {"raw": [], "reasoning_trace": None}
    thinking = [answer.thinking] if answer.thinking else None
    return {"raw": [answer.record["response"]["text"]], "reasoning_trace": thinking}


def _attribution(answer: AnsweredQuestion, chosen: str) -> Sequence[dict[str, Any]]:
    if "error" in answer.record:
        return []
    read = answer.record["extraction"]
    level = read.get("level")
    method = f"dtbench.extract: {read['how']}{f' ({level})' if level else ''}"
    about = {"turn_idx": 0, "source": "output.raw", "extracted_value": chosen, "extraction_method": method}
    return [{**about, "is_terminal": True}]


def _spent(response: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return tokens and seconds of a response, where they are known."""
    if response is None:
        return {}
    usage = response["usage"]
    spent: dict[str, Any] = {"performance": {"latency_ms": 1000 * response["seconds"]}}
    read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if read is not None and written is not None:
        total = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
        spent["token_usage"] = total
    return spent


def _uncertainty(figures: IntervalFigures, counted: int) -> dict[str, Any]:
    low, high = figures["low"], figures["high"]
    if low is None or high is None:
        return {"num_samples": counted}
    interval = {"lower": low, "upper": high, "confidence_level": 0.95, "method": "Wilson"}
    return {"confidence_interval": interval, "num_samples": counted}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
