"""From sources of data to what an engine reads: questions with nothing that gives an answer away, and their rows."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dtbench.harness import registry
from dtbench.harness.disk import replace_whole
from dtbench.harness.errors import DataError, UserError
from dtbench.harness.plan import from_template
from dtbench.harness.schema import Sample
from dtbench.training.engines.inside.columns import ROW
from dtbench.training.layout import StageLayout
from dtbench.training.recipe import Recipe, Stage
from dtbench.training.reward_plan import RewardPlan, row_of_json
from dtbench.training.rows import Row


def prepare(recipe: Recipe, stage: Stage, layout: StageLayout, clips: Path) -> int:
    """Write what the engine and the rewards of a stage read; how many questions there are."""
    rows: dict[str, Row] = {}
    for row in itertools.islice(_rows(stage.data, clips), stage.questions):
        if row.id in rows:
            raise DataError(
                f"stage {stage.name}: the id {row.id} is there twice ({rows[row.id].source}, {row.source})."
            )
        rows[row.id] = row
    layout.root.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(question(row, recipe.prompt), ensure_ascii=False) + "\n" for row in rows.values())
    plan = RewardPlan(list(stage.rewards), recipe.rewards, rows, layout.counts)
    plan.write(layout.rewards)
    replace_whole(layout.questions, lines.encode())
    return len(rows)


def question(row: Row, prompt: str) -> dict[str, object]:
    """A row as engines read it: the words of the prompt, the clip, and which row it is."""
    text = from_template(prompt.strip(), row.sample()).text  # to the letter what `dtbench run` asks after the stage
    return {"messages": [{"role": "user", "content": f"<audio>{text}"}], "audios": [str(row.audio)], ROW: row.id}


def _rows(sources: Sequence[str], clips: Path) -> Iterator[Row]:
    for source in sources:
        yield from _of_file(Path(source)) if source.endswith(".jsonl") else _of_task(source, clips)


def _of_task(name: str, clips: Path) -> Iterator[Row]:
    """The questions of a task, its clips written where the engine can read them."""
    for sample in registry.task(name).samples(clips):
        if sample.answer is None:
            raise UserError(
                f"data {name}: its answers are not public, so nothing can be rewarded. Name another source."
            )
        item = sample.as_published()
        yield Row(
            id=sample.id,
            audio=_on_disk(sample, clips),
            question=sample.question,
            choices=sample.choices,
            answer=sample.answer,
            chain=str(item.get("thinking") or ""),
            source=name,
            extra=dict(item),
        )


def _on_disk(sample: Sample, clips: Path) -> Path:
    """The clip's file; one that is only made when it is heard, or lies in an archive, is written."""
    if isinstance(sample.audio, Path):
        return sample.audio.resolve()
    own, ours = Path(sample.audio.label), clips / "audio" / f"{sample.id}.wav"
    if own.suffix != ".wav":
        own = ours
    if not own.is_file():
        data = sample.audio.read()  # which may keep a copy under its own name
        if not own.is_file():
            ours.parent.mkdir(parents=True, exist_ok=True)
            replace_whole(ours, data)
            own = ours
    return own.resolve()


def _of_file(path: Path) -> Iterator[Row]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"data {path}: cannot be read ({error}). Name a JSON-lines file of rows.") from None
    for number, line in _numbered(lines):
        try:
            row = row_of_json(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}, line {number}: no row of training data ({error}).") from None
        audio = row.audio if row.audio.is_absolute() else path.parent / row.audio
        if not audio.is_file():
            raise DataError(f"{path}, line {number}: there is no clip {audio}.")
        if row.answer not in row.choices:
            raise DataError(f"{path}, line {number}: the answer {row.answer!r} is none of its choices.")
        yield Row(**{**{name: getattr(row, name) for name in Row.__slots__}, "audio": audio.resolve()})


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())
