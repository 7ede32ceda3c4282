"""Read the eval.yaml of a data set on the hub, by which it is registered as a benchmark, as a task file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import DataError, did_you_mean

RULES: Mapping[str, str] = {
    "choice": "text",
    "exact": "exact",
    "match": "exact",
    "includes": "contains",
    "model_graded_fact": "judge",
    "model_graded_qa": "judge",
}
"""Scorers that an eval.yaml names -> ours."""
_FIELDS = {"input": "question", "target": "answer", "choices": "choices", "id": "id"}
_AUDIO = ("audio", "input_audio")
_SHOWN_KEYS = ("input", "target", "choices", "id", "audio", "metadata")


def read_eval_yaml(path: Path, repo: str, wanted: str | None, place: str) -> dict[str, Any]:
    """Return what a task file would say; a DataError for what it does not know.

    Where the file has several tasks, `wanted` names one.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{place}: not YAML ({' '.join(str(error).split())[:120]}).") from None
    tasks = content.get("tasks") if isinstance(content, Mapping) else None
    if not isinstance(tasks, list) or not tasks or not all(isinstance(one, Mapping) for one in tasks):
        raise DataError(f"{place}: a list `tasks` is expected, each with a field_spec.")
    task = _chosen(tasks, wanted, place)
    fields = _fields(task, place)
    source = {name: task[name] for name in ("config", "split") if isinstance(task.get(name), str)}
    return {
        "name": str(task.get("id") or repo.partition("/")[2]),
        "title": str(content.get("name") or ""),
        "source": {"format": "datasets", **source},
        "answer_is": "letter-or-index" if "choices" in fields else "text",
        "fields": fields,
        "score": [_score(one, place) for one in _named(task, "scorers", place)],
        **_words(task, place),
    }


def _chosen(tasks: list[Mapping[str, Any]], wanted: str | None, place: str) -> Mapping[str, Any]:
    names = [str(one.get("id") or number) for number, one in enumerate(tasks)]
    if wanted is None:
        if len(tasks) > 1:
            raise DataError(f"{place}: it has several tasks: name one of {', '.join(f'#{name}' for name in names)}.")
        return tasks[0]
    if wanted not in names:
        raise DataError(f"{place}: no task {wanted!r}. {did_you_mean(wanted, names)}")
    return tasks[names.index(wanted)]


def _fields(task: Mapping[str, Any], place: str) -> dict[str, Any]:
    spec = task.get("field_spec")
    if not isinstance(spec, Mapping):
        raise DataError(f"{place}: field_spec is missing: without it nothing says where question and answer are.")
    fields: dict[str, Any] = {}
    for name, value in spec.items():
        if name == "metadata":
            continue
        known = "audio" if name in _AUDIO else _FIELDS.get(str(name))
        if known is None:
            raise DataError(f"{place}: field_spec: {name}: unknown. {did_you_mean(str(name), _SHOWN_KEYS)}")
        fields[known] = _field(value, f"{place}: field_spec: {name}")
    return fields


def _field(value: Any, where: str) -> Any:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    if not isinstance(value, str) or not value:
        raise DataError(f"{where} = {json.dumps(value, default=str)}: the name of a field is expected.")
    kind, _, rest = value.partition(":")
    return {"value": rest} if kind == "literal" and rest else rest if kind == "letter" and rest else value


def _named(task: Mapping[str, Any], key: str, place: str) -> list[Mapping[str, Any]]:
    listed = task.get(key) or []
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) and "name" in one for one in listed):
        raise DataError(f"{place}: {key}: a list is expected, each with a name.")
    return listed


def _score(scorer: Mapping[str, Any], place: str) -> dict[str, Any]:
    name = str(scorer["name"])
    if name not in RULES:
        raise DataError(f"{place}: scorers: {name}: dtbench has no such scorer. {did_you_mean(name, RULES)}")
    return {"rule": RULES[name], "name": name}


def _words(task: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the system prompt and the template that its solvers name."""
    words: dict[str, Any] = {}
    for solver in _named(task, "solvers", place):
        arguments = solver.get("args") or {}
        template = arguments.get("template") if isinstance(arguments, Mapping) else None
        if not isinstance(template, str):
            continue
        if solver["name"] == "system_message":
            words["system"] = template
        elif solver["name"] == "prompt_template":
            words["prompt"] = template.replace("{prompt}", "{question}\n{options}").strip()
    return words
