"""Runs that fail where clips are noisy, about clips whose noise is known."""

from __future__ import annotations

from pathlib import Path

import numpy
from made_up_run import answered, number_of, settings_of
from small_data import mmar_items, write_json
from sounds import encoded

from dtbench.harness.audio.prepare import hash_clip
from dtbench.harness.core.schema import Sample
from dtbench.harness.run.plan import PromptForm, TaskPlan
from dtbench.harness.store.run_folder import RunFolder
from dtbench.tasks import registry as task_registry

RATE = 16_000
NOISIEST_DB, STEP_DB = 0, 1


def noise_of(number: int) -> float:
    """The signal-to-noise ratio of a clip, in dB; two questions share each."""
    return NOISIEST_DB + STEP_DB * (number // 2)


def noisy_clips(folder: Path, count: int) -> Path:
    """A made-up MMAR whose clips have a buzz of half a second in noise; every second question shares a clip."""
    items = mmar_items(count)
    times = numpy.arange(RATE) / RATE
    buzz = 0.2 * (2 * (200 * times % 1) - 1) * (times < 0.5)
    for number, item in enumerate(items):
        item["audio_path"] = items[number - number % 2]["audio_path"]
        power = numpy.mean(buzz**2) / 10 ** (noise_of(number) / 10)
        path = folder / str(item["audio_path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = numpy.random.default_rng(number // 2).normal(0, numpy.sqrt(power), RATE)
        path.write_bytes(encoded(buzz + noise, RATE).data)
    write_json(folder / "MMAR-meta.jsonl", items)
    return folder


def deafened_run(path: Path, data: Path, below_db: float) -> Path:
    """A run that is wrong below this ratio, and in every seventh question else."""

    def says(sample: Sample) -> str:
        number = number_of(sample)
        is_right = noise_of(number) >= below_db and number % 7 > 0
        return sample.answer or "" if is_right else next(one for one in sample.choices if one != sample.answer)

    task = task_registry.get_task("mmar")
    plan = TaskPlan(task, task.load(data), 1, PromptForm())
    with RunFolder.start(path, settings_of({"mmar": plan.settings()}), command=["dtbench", "run"]) as run:
        for sample in plan.data.samples:
            record = answered(task, sample, says(sample))
            record["audio"]["clip_hash"] = hash_clip(sample.audio)
            run.append("mmar", {**record, "prompt_hash": plan.prompt_hash()})
        run.finish("done")
    return path
