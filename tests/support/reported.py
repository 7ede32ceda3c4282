"""Runs for reports: chains of any length, answers of every kind, and what lies beside a run."""

from __future__ import annotations

import array
import base64
import gzip
import json
import math
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from made_up_run import Record, answered, failed, settings_of, write_run
from small_data import mmar_items, write_json
from sounds import encoded, sine

from dtbench.harness.core.schema import Sample
from dtbench.harness.report.answers import OTHER
from dtbench.harness.run.plan import PromptForm, TaskPlan
from dtbench.harness.store.run_folder import RunFolder
from dtbench.tasks import registry as task_registry

Says = Callable[[Sample, int], str | None]
WORDS = (
    "the sound begins softly then a bright click follows and something rings out over a low hum while it fades".split()
)
HOSTILE = (
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 2'><svg onload='window.hacked = 3'>",
    "<a href='javascript:window.hacked = 4'>click</a> javascript:window.hacked=4",
    'line\u2028paragraph\u2029end `${window.hacked = 5}` "; window.hacked = 6; //',
    "half \ud800 of a sign and \udfff the other",
    "\u202egnp.exe reversed \u2066 isolate \u200f mark",
    "W" * 30000,
    "<!-- <script> --!> ]]> <style>body{display:none}</style><meta http-equiv=refresh content='0;url=x'>",
    "\x00\x07\x1b[31mred\x7f \u0301\u0301\u0301 \U0001f469\u200d\U0001f467 \r\n<base href=//x>",
)
"""What a model may write to make a page do its bidding."""


def chained(seed: int, share: float, typical: int = 67) -> Says:
    """A model that reasons for about so many words and is right so often; now and then it says nothing, or fails."""
    dice = random.Random(seed)

    def says(sample: Sample, repeat: int) -> str | None:
        length = int(dice.lognormvariate(math.log(typical), 0.7))
        chain = " ".join(dice.choice(WORDS) for _ in range(length)).capitalize()
        luck = dice.random()
        if luck < 0.02:
            return None
        if luck < 0.05:
            return f"<think>{chain}. I cannot tell"
        wrong = next(one for one in sample.choices if one != sample.answer)
        fits = dice.random() < share - 0.03 * (length / typical - 1)
        return f"<think>{chain}.</think>\nAnswer: {sample.answer if fits else wrong}"

    return says


def audible(folder: Path, count: int, clips: int) -> Path:
    """A made-up MMAR of which the first questions can be heard."""
    items = mmar_items(count)
    for number, item in enumerate(items[:clips]):
        path = folder / item["audio_path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(sine(300.0 + 250.0 * (number % 8), 0.6, 16000), 16000).data)
    write_json(folder / "MMAR-meta.jsonl", items)
    return folder


def two_runs(folder: Path, count: int = 300, clips: int = 12) -> tuple[Path, Path]:
    """Two runs on the same questions, the second one better."""
    data = audible(folder / "data", count, clips)
    for name, seed, share in (("first", 1, 0.62), ("second", 2, 0.78)):
        write_run(folder / name, {"mmar": data}, chained(seed, share))
    return folder / "first", folder / "second"


def run_that_says(path: Path, data: Path, texts: Sequence[str], task: str = "mmar") -> Path:
    """A run whose answers are these texts, in turn."""
    plan = task_registry.get_task(task)
    dataset = plan.load(data)
    asked = TaskPlan(plan, dataset, 1, PromptForm())
    with RunFolder.start(
        path, settings_of({task: asked.settings()}, texts[0][:40]), command=["dtbench", "run", texts[0]]
    ) as run:
        for number, sample in enumerate(dataset.samples):
            record = _hostile(plan, sample, texts[number % len(texts)], number)
            run.append(task, {**record, "prompt_hash": asked.prompt_hash()})
        run.finish("done")
    return path


def _hostile(task: object, sample: Sample, text: str, number: int) -> Record:
    if number % 7 == 5:
        record = failed(sample)
        record["error"]["message"] = text
        return record
    record = answered(task, sample, f"<think>{text}</think>{text} Answer: {sample.answer}", finish_reason=text[:60])  # type: ignore[arg-type]
    record["extraction"]["how"] = text[:200]
    record["groups"] = {**record["groups"], "category": text[:100] or "none"}
    return record


def trained(folder: Path, steps: int = 120) -> Path:
    """A training run of two stages at its end: metrics that change from step to step, evaluations that get better."""
    data = audible(folder / "data", 200, 0)
    dice = random.Random(7)
    for number, (name, share) in enumerate((("base", 0.4), ("stage-1", 0.6), ("stage-2", 0.75))):
        write_run(folder / "out" / name / "eval", {"mmar": data}, chained(number, share))
        if number:
            lines = [_metrics(dice, step, number, steps) for step in range(1, steps + 1)]
            path = folder / "out" / name / "metrics.jsonl"
            path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 1')
    otherwise = {"base/eval-plainly": 0.3, "base/eval-as-trained": 0.35, "stage-2/eval/audio-shuffle": 0.25}
    for number, (name, share) in enumerate(otherwise.items()):
        write_run(folder / "out" / name, {"mmar": data}, chained(10 + number, share))
    stages = [{"name": f"stage-{number}", "state": "done", "steps": steps} for number in (1, 2)]
    recipe = {"name": "two stages", "learning_rate": 1e-6, "evaluation": {"base_prompts": {"plainly": "{question}"}}}
    told = {"recipe": recipe, "base": "done", "stages": stages}
    (folder / "out" / "train.json").write_text(json.dumps(told))
    (folder / "out" / "outcome.json").write_text(json.dumps(_outcome()))
    return folder / "out"


def _outcome() -> dict[str, object]:
    rows = [
        {"name": "base", "task": "mmar", "formed": 0.0, "criteria": None, "best": True},
        {"name": "stage-2", "task": "mmar", "formed": 0.95, "criteria": 2.5, "best": False},
    ]
    change = {"difference": 0.35, "low": 0.25, "high": 0.44, "p": 1.5e-9, "better": 80, "worse": 10}
    return {"rows": rows, "paired": [{"task": "mmar", "from": "base", "to": "stage-2", "n": 200, **change}]}


def _metrics(dice: random.Random, step: int, stage: int, steps: int) -> dict[str, object]:
    done = (step / steps + stage - 1) / 2
    noise = dice.gauss(0, 0.04)
    rewards = {"reward": 0.4 + 0.7 * done + noise, "reward/accuracy": 0.3 + 0.4 * done + noise, "reward/format": 0.9}
    lengths = {"completion_length": 40 + 260 * done + 40 * noise, "kl": 0.1 * done, "entropy": 1.1 - 0.6 * done}
    norms = {f"grad_norm/{part}": abs(dice.gauss(0.3, 0.1)) for part in ("audio_tower", "projector", "language_model")}
    return {"step": step, **rewards, **lengths, "grad_norm": 0.5 + abs(noise), **norms, "note": "no number"}


def first(page: Path) -> dict[str, Any]:
    """The data of a report's first view."""
    found = re.search(r'id="first">(.*?)</script>', page.read_text())
    assert found is not None
    return dict(json.loads(found[1]))


def samples(page: Path) -> dict[str, Any]:
    """The data of its samples, each question with the answers of every run, as the page puts them together."""
    text = page.read_text()
    data = _unpacked(text, "samples")
    length = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + length])
    columns = data[4 + length :]
    tasks = [_questions(text, place, task, header["states"], columns) for place, task in enumerate(header["tasks"])]
    return {"clips": header["clips"], "tasks": tasks}


def _unpacked(page: str, name: str) -> bytes:
    found = re.search(rf'id="{name}">(.*?)</script>', page)
    assert found is not None, name
    return gzip.decompress(base64.b64decode(found[1]))


def _column(columns: bytes, place: Any) -> list[Any]:
    column = array.array(place["kind"])
    column.frombytes(columns[place["at"] : place["at"] + place["n"] * column.itemsize])
    return column.tolist()


def _questions(page: str, number: int, task: Any, states: list[str], columns: bytes) -> list[dict[str, Any]]:
    fields = zip(task["ids"], task["questions"], task["options"], task["golds"], strict=True)
    questions: list[dict[str, Any]] = [
        {"id": id_, "question": question, "options": options, "gold": gold, "groups": {}, "runs": []}
        for id_, question, options, gold in fields
    ]
    for group in task["groups"]:
        for one, value in zip(questions, _column(columns, group["column"]), strict=True):
            if value:
                one["groups"][group["heading"]] = group["values"][value - 1]
    for part, begin in enumerate(task["extras"]):
        extras = json.loads(_unpacked(page, f"extra-{number}-{part}"))
        for one, extra in zip(questions[begin : begin + len(extras)], extras, strict=True):
            one.update(extra)
    for run, about in enumerate(task["runs"]):
        parts = (json.loads(_unpacked(page, f"text-{number}-{run}-{part}")) for part in range(len(about["parts"])))
        texts = [text for part in parts for text in part]
        own = {name: _column(columns, place) for name, place in about.items() if isinstance(place, dict)}
        for one in questions:
            one["runs"].append([])
        for answer, text in enumerate(texts):
            values = {name: column[answer] for name, column in own.items()}
            question = questions[values.pop("question")]
            question["runs"][run].append({"aside": None, **text, **_answer(task, question, values, states)})
    return questions


def _answer(task: Any, question: dict[str, Any], values: dict[str, Any], states: list[str]) -> dict[str, Any]:
    choice, names = values["choice"], task["names"]
    texts = question["options"] if choice < OTHER else names["other"]
    named = {name: names[name][values[name] - 1] if values[name] else None for name in ("how", "level", "finish")}
    return {
        **values,
        **named,
        "choice": texts[choice % OTHER - 1] if choice else None,
        "state": states[values["state"]],
        "official": (None, False, True)[values["official"]],
    }
