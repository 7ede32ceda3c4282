"""What the answers of an arm depend on, as digests: a result that was kept fits while they are the same."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.task import load_questions
from dtbench.models.checkpoints.checkpoint import resolve_checkpoint
from dtbench.tasks import registry as task_registry
from dtbench.training.data.row_sources import split_task
from dtbench.training.recipe.settings import Evaluation, Recipe

_NOT_OF_ANSWERS = ("title", "arm", "monitor", "machines", "guards", "judge", "model", "revision")
_NOT_OF_EVALUATION = ("concurrency", "at_once", "gpus", "tensor", "base_prompts")
DIGITS = 16


class ResultDigests(NamedTuple):
    """What a result has to fit."""

    recipe: str
    base: str
    data: str


class QuestionGroups(NamedTuple):
    """The questions of a task, by number."""

    ids: tuple[str, ...]
    groups: tuple[Mapping[str, str], ...]

    def digest(self, count: int) -> str:
        """Return the digest of the first of them."""
        return digest_of([[name, dict(own)] for name, own in zip(self.ids[:count], self.groups[:count], strict=True)])


def digest_of(value: Any) -> str:
    """Return the digest of a value of JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def arm_digests(recipe: Recipe) -> ResultDigests:
    """Return what the answers of the stages of a recipe depend on."""
    written = {name: value for name, value in settings_written(recipe).items() if name not in _NOT_OF_ANSWERS}
    written["evaluation"] = _of_answers(recipe.evaluation)
    sources = sorted({source for stage in recipe.stage for source in stage.data})
    sources += sorted(recipe.validation.data) if recipe.validation is not None else []
    return ResultDigests(digest_of(written), base_digest(recipe), digest_of([source_digest(one) for one in sources]))


def untrained_digests(recipe: Recipe) -> ResultDigests:
    """Return what the answers of the base depend on."""
    about = {
        "prompts": [recipe.prompt, recipe.system, dict(recipe.evaluation.base_prompts)],
        "evaluation": _of_answers(recipe.evaluation),
    }
    return ResultDigests(digest_of(about), base_digest(recipe), "")


def base_digest(recipe: Recipe) -> str:
    """Return the digest of the weights that a recipe starts from."""
    checkpoint = resolve_checkpoint(recipe.model)
    content = None if checkpoint is None else checkpoint.content_hash() or checkpoint.commit(recipe.revision)
    return str(content or f"{recipe.model} {recipe.revision or ''}").strip()[: 2 * DIGITS]


@functools.cache
def source_digest(source: str) -> str:
    """Return the digest of a source of training rows: the questions of a split, or the bytes of a file."""
    if (task := split_task(source)) is not None:
        return digest_of([[sample.id, sample.item] for sample in task_registry.get_task(task).samples(None)])
    try:
        return hashlib.sha256(Path(source).read_bytes()).hexdigest()[:DIGITS]
    except OSError as error:
        raise UserError(
            f"{source}: cannot be read ({error.strerror}): a file of rows, or a split, is expected."
        ) from None


@functools.cache
def task_groups(task: str) -> QuestionGroups:
    """Return the questions of a task with their groups, in order."""
    samples = load_questions(task_registry.get_task(task), None).samples
    return QuestionGroups(tuple(one.id for one in samples), tuple(dict(one.groups) for one in samples))


def settings_written(settings: Any) -> dict[str, Any]:
    """Return the settings that are not at their defaults: a setting that comes later changes no digest."""
    return {
        field.name: _written(value)
        for field in dataclasses.fields(settings)
        if (value := getattr(settings, field.name)) != _default(field)
    }


def _written(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return settings_written(value)
    if isinstance(value, (list, tuple)):
        return [_written(one) for one in value]
    return dict(value) if isinstance(value, Mapping) else value


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _of_answers(evaluation: Evaluation) -> Mapping[str, Any]:
    """Return what the answers of an evaluation depend on."""
    return {name: value for name, value in settings_written(evaluation).items() if name not in _NOT_OF_EVALUATION}
