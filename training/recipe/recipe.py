"""A recipe: which model is trained on what, for which rewards, how, on which machines, and how it is evaluated.

A TOML file, read strictly. Where a field says nothing else, the recipes in this folder say in the comment behind each
figure whether it is the paper's or was chosen here.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.training.recipe import toml_tables as tables
from dtbench.training.recipe.arms import stages_of_arms

OWN = Path(__file__).parent / "recipes"
"""Where the recipes of dtbench lie."""
ENGINES = ("swift", "megatron")
ADVANTAGES = ("gdpo", "grpo")
ROLLOUTS = ("transformers", "colocate", "server")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_TAKEN = {"base", "data"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """How the policy is moved."""

    advantages: str
    """gdpo: each reward is normalised within its group before they are added; grpo: their sum is."""
    beta: float
    """Weight of the KL divergence from the model at the start of the stage."""
    generations: int
    """Answers to each question."""
    batch: int
    """Answers in a step, all machines together."""
    micro_batch: int
    """Answers that one process takes at a time."""
    learning_rate: float
    schedule: str = "constant"
    warmup: float = 0.0
    """Share of the steps over which the learning rate rises."""
    clip: float = 0.2
    """How far the probability of a token may move in a step, as a ratio."""
    max_grad_norm: float = 1.0
    max_prompt_tokens: int
    """With the tokens of the clip."""
    max_new_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    """0 for all tokens."""
    train_audio_tower: bool
    """Whether the audio tower learns too."""
    train_projector: bool
    """Whether what joins the tower to the language model learns too."""
    dtype: str = "bfloat16"
    checkpointing: bool = True
    """Whether activations are computed twice to save memory."""
    save_every: int
    """Steps between two checkpoints."""
    keep: int = 2
    """Checkpoints that stay on disk while a stage runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """What the engine runs on."""

    device: str = "gpu"
    """gpu or cpu."""
    nodes: int = 1
    """Nodes that train; one that only answers (`rollouts = "server"`) is not among them."""
    processes: int
    """On each node: as many as there are GPUs."""
    threads: int = 8
    """Of each process."""
    tensor: int = 1
    pipeline: int = 1
    expert: int = 1
    zero: int = 0
    """Stage of DeepSpeed's ZeRO; 0 for none."""
    rollouts: str = "colocate"
    """What answers: transformers, vLLM beside the trainer (colocate), or vLLM on a node of its own (server)."""
    rollout_tensor: int = 1
    """GPUs that one copy of the answering model is spread over."""
    rollout_memory: float = 0.4
    """Share of a GPU's memory for vLLM beside the trainer."""
    rollout_port: int = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class StopGuards:
    """What stops a stage, so that it can be resumed."""

    divergence: float = 0.01
    """At the first step, of the model that learns from the one that answers and from the start of the stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What `dtbench run` asks of the base and of each stage."""

    tasks: tuple[str, ...]
    backend: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """-M of `dtbench run`."""
    concurrency: int = 16
    limit: int | None = None
    """Only the first questions of each task."""
    base_prompts: Mapping[str, str] = field(default_factory=dict)
    """Other prompts for the base, by name: what a stage gains is held against the best of them."""
    audio_ablation: bool = False
    """Whether the last stage is asked with the clips shuffled as well: what it gained must then be gone."""
    describe: bool = False
    """Whether the base and the last stage also describe the clips; a skill of the model mini."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecipe:
    """One stretch of training with its own data and rewards."""

    name: str
    data: tuple[str, ...]
    """Names of tasks, or JSON-lines files of rows."""
    questions: int | None = None
    """Only the first so many; none: all."""
    rewards: Mapping[str, float]
    """Name of a reward -> its weight."""
    steps: int | None = None
    epochs: float | None = None
    seed_offset: int | None = None
    """Added to the seed: a second stage on the same data is to begin with other questions than the first."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the recipe's training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that `dtbench train` needs to know."""

    title: str
    model: str
    """The checkpoint that is trained: a folder, or `org/name` on the hub."""
    engine: str
    model_type: str
    """What the engine calls the architecture."""
    prompt: str
    """With {question} and {options} in it; the clip stands before it."""
    seed: int = 0
    training: TrainingSettings
    machines: Machines
    rewards: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the rewards."""
    guards: StopGuards = StopGuards()
    evaluation: Evaluation
    flags: Mapping[str, Any] = field(default_factory=dict)
    """Further flags for the engine, as it has them; they stand last."""
    stage: tuple[StageRecipe, ...]
    arm: str | None = None
    """The arm of the recipe whose stages these are; None: the recipe's own."""

    def training_of(self, stage: StageRecipe) -> TrainingSettings:
        """How this stage is trained."""
        return tables.read(
            TrainingSettings, {**dataclasses.asdict(self.training), **stage.training}, f"stage {stage.name}"
        )

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return dataclasses.asdict(self)


def names() -> list[str]:
    """The recipes of dtbench."""
    return sorted(path.stem for path in OWN.glob("*.toml"))


def read(spec: str, arm: str | None = None) -> Recipe:
    """The recipe of this name or in this file, with the stages of one of its arms where one is named."""
    path = Path(spec) if spec.endswith(".toml") else OWN / f"{spec}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if path.parent == OWN:
            raise UserError(f"recipe {spec}: unknown. {did_you_mean(spec, names())} A file ends in .toml.") from None
        raise UserError(f"{spec}: there is no such file. Recipes of dtbench: {', '.join(names())}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}). Name a recipe or a TOML file.") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: no TOML ({error}).") from None
    variants = _variants(table, path.name)
    if arm in variants:
        return variants[arm]
    known = [name for name in variants if name is not None]
    told = did_you_mean(str(arm), known) if known else "It has none: leave --arm out."
    raise UserError(f"--arm {arm}: no arm of the recipe {path.stem}. {told}")


def _variants(table: Mapping[str, Any], where: str) -> Mapping[str | None, Recipe]:
    """The recipe as it is (None) and with the stages of each of its arms, all of them checked."""
    arms = stages_of_arms(table, where)
    shared = {name: value for name, value in table.items() if name != "arm"}
    found: dict[str | None, Recipe] = {None: _checked(shared, where)}
    for name, stages in arms.items():
        found[name] = _checked({**shared, "stage": stages, "arm": name}, f"{where}: arm {name}")
    return found


def _checked(table: Mapping[str, Any], where: str) -> Recipe:
    recipe = tables.read(Recipe, table, where)
    check(recipe, where)
    return recipe


def stored(plain: Mapping[str, Any]) -> Recipe:
    """The recipe that `plain` was written of, as JSON holds it."""
    return tables.read(Recipe, _said(plain), "the recipe of the run")


def _said(value: Any) -> Any:
    """Without what is nothing, at any depth: a recipe says it by leaving it out."""
    if isinstance(value, list):
        return [_said(one) for one in value]
    return {name: _said(one) for name, one in value.items() if one is not None} if isinstance(value, dict) else value


def changed(recipe: Recipe, *, model: str | None, seed: int | None) -> Recipe:
    """The recipe with another checkpoint or seed; a folder by its whole path, for processes that start elsewhere."""
    from dtbench.models.checkpoints.checkpoint import resolve_checkpoint

    chosen = recipe.model if model is None else model
    found = resolve_checkpoint(chosen)
    if found is not None:
        chosen = str(Path(found.source).resolve()) if found.is_local else found.source
    return dataclasses.replace(recipe, model=chosen, seed=recipe.seed if seed is None else seed)


def check(recipe: Recipe, where: str) -> None:
    """A UserError for what cannot be meant."""
    _refuse_unknown(f"{where}: engine", recipe.engine, ENGINES)
    _refuse_unknown(f"{where}: machines: rollouts", recipe.machines.rollouts, ROLLOUTS)
    if recipe.engine == "megatron" and recipe.machines.rollouts == "transformers":
        raise UserError(f"{where}: machines: rollouts = 'transformers': megatron answers with colocate or server.")
    for place in ("{question}", "{options}"):
        if place not in recipe.prompt:
            raise UserError(f"{where}: prompt: {place} is missing in it.")
    if recipe.evaluation.describe and "mini" not in recipe.evaluation.tasks:
        raise UserError(f"{where}: evaluation: describe = true: only clips of the task mini are described.")
    if not recipe.stage:
        raise UserError(f"{where}: stage: at least one [[stage]] is expected.")
    seen: set[str] = set()
    for stage in recipe.stage:
        _check_stage(recipe, stage, f"{where}: stage {stage.name}")
        if stage.name in seen or stage.name in _TAKEN or not _NAME.fullmatch(stage.name):
            raise UserError(f"{where}: stage {stage.name!r}: another name is expected, such as 'stage-1'.")
        seen.add(stage.name)


def _check_stage(recipe: Recipe, stage: StageRecipe, where: str) -> None:
    if (stage.steps is None) == (stage.epochs is None):
        raise UserError(f"{where}: either steps or epochs is expected.")
    if not stage.rewards or not stage.data:
        raise UserError(f"{where}: at least one reward and one source of data are expected.")
    if (stage.steps or stage.epochs or 0) <= 0:
        raise UserError(f"{where}: more than 0 steps or epochs are expected.")
    training = recipe.training_of(stage)
    _refuse_unknown(f"{where}: advantages", training.advantages, ADVANTAGES)
    _check_batch(recipe, training, where)


def _check_batch(recipe: Recipe, training: TrainingSettings, where: str) -> None:
    """The answers of a step have to fall into whole groups, and into whole micro batches on each machine."""
    if training.batch % training.generations:
        raise UserError(f"{where}: batch = {training.batch}: a multiple of generations = {training.generations}.")
    at_once = copies(recipe.machines) * training.micro_batch
    if training.batch % at_once:
        raise UserError(
            f"{where}: batch = {training.batch}: a multiple of {at_once} is expected, micro_batch = "
            f"{training.micro_batch} on each of {copies(recipe.machines)} copies of the model."
        )


def copies(machines: Machines) -> int:
    """How many copies of the model are trained side by side."""
    return machines.nodes * machines.processes // (machines.tensor * machines.pipeline)


def _refuse_unknown(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise UserError(f"{what} = {name!r}: unknown. {did_you_mean(name, known)}")
