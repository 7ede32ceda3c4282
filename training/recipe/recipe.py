"""Recipes: the settings of a training (model, data, rewards, hyperparameters, machines, evaluation), and their loading.

The recipes in this folder say in the comment behind each figure where it comes from: `paper`, `digest`, `author's` or
`chosen`. Arms are lists of stages that are trained in place of the recipe's own:

[[arm]]
name = "accuracy-only"
[[arm.stage]]
extends = "stage-1"          # a stage of the recipe: what is not said here is as it is there
rewards = { accuracy = 1 }   # in place of all of its rewards

Claims (claims.py) say what the arms are to show.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.task import Task
from dtbench.harness.core.typed_settings import (
    known_settings,
    read_table,
    read_toml,
)
from dtbench.tasks import registry as task_registry
from dtbench.training.recipe.claims import RESERVED_ARMS, ClaimedRecipe, read_claims
from dtbench.training.recipe.monitors import check_monitors
from dtbench.training.recipe.placed_evaluation import evaluation_gpus, uses_gpus
from dtbench.training.recipe.reward_settings import JUDGE, RewardSettings
from dtbench.training.recipe.settings import Recipe, StageRecipe, TrainingSettings
from dtbench.training.recipe.validation import check_validation

RECIPES = Path(__file__).parent / "recipes"
"""The folder of dtbench's own recipes."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
BASE_NAME = "base"
"""What `mine` calls the model that the recipe starts from."""
_RESERVED = {BASE_NAME, "data", "nodes", "verdicts"}
"""Folders of a run that no stage may be called after."""
_ADAPTER_FLAGS = {
    *("tuner_type", "adapters", "ref_adapters", "modules_to_save", "init_weights", "target_modules"),
    *("target_parameters", "lora_rank", "lora_alpha", "lora_dropout", "lora_bias", "use_dora"),
}
"""Flags of ms-swift that the table [adapter] stands for, or that change more than an adapter does."""
MEGATRON_KEEPS = 2
"""Fewer checkpoints its arguments do not allow."""
Table = Mapping[str, Any]


def is_name(name: object) -> bool:
    """Return whether a stage or an arm may bear this name: it becomes that of a folder."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def check_recipe(recipe: Recipe, where: str) -> None:
    """Raise a UserError for settings that cannot be combined."""
    if recipe.engine == "megatron" and recipe.machines.rollouts == "transformers":
        raise UserError(f"{where}: machines: rollouts = 'transformers': megatron samples with colocate or server.")
    for place in ("{question}", "{options}"):
        if place not in recipe.prompt:
            raise UserError(f"{where}: prompt: {place} is missing in it.")
        if place in recipe.system:
            raise UserError(f"{where}: system: {place} is filled in the prompt: write it there.")
    if "system" in recipe.flags:
        raise UserError(f"{where}: flags: system: evaluations would not have it; write `system = ...` as a setting.")
    _check_evaluation(recipe, where)
    _check_gpus(recipe, where)
    _check_adapter(recipe, where)
    check_monitors(recipe, where)
    seen: set[str] = set()
    for index, stage in enumerate(recipe.stage):
        if stage.name in seen or stage.name in _RESERVED or not is_name(stage.name):
            raise UserError(f"{where}: stage {stage.name!r}: a name such as 'stage-1' is expected.")
        seen.add(stage.name)
        if (stage.steps is None) == (stage.epochs is None):
            raise UserError(f"{where}: stage {stage.name}: either steps or epochs is expected.")
        _check_megatron(recipe, stage, f"{where}: stage {stage.name}")
        _check_batch(recipe, recipe.training_of(stage), f"{where}: stage {stage.name}")
        _check_data(stage, [one.name for one in recipe.stage[:index]], f"{where}: stage {stage.name}")
        _check_grading(recipe, stage, where)
    check_validation(recipe, where)


def _check_evaluation(recipe: Recipe, where: str) -> None:
    """Check that the tasks of the evaluations can do what else is asked of them."""
    tasks = ", ".join(recipe.evaluation.tasks)
    if recipe.evaluation.faithful and not editable_tasks(recipe):
        raise UserError(
            f"{where}: evaluation: faithful = {recipe.evaluation.faithful}: {tasks} has no edits of reasoning "
            f"(Task.chain_edits)."
        )
    if recipe.evaluation.describe and not companion_tasks(recipe):
        raise UserError(
            f"{where}: evaluation: describe = true: {tasks} has no companion task that "
            f"asks for descriptions of its clips, as mini has: leave it out."
        )


def editable_tasks(recipe: Recipe) -> tuple[str, ...]:
    """Return the tasks of the evaluations that know how the reasoning of an answer can be edited."""
    names = recipe.evaluation.tasks
    return tuple(name for name in names if type(task_registry.get_task(name)).chain_edits is not Task.chain_edits)


def companion_tasks(recipe: Recipe) -> tuple[str, ...]:
    """Return the tasks on the clips of the evaluations, for skills that no reward asks for."""
    found = (name for task in recipe.evaluation.tasks for name in task_registry.get_task(task).companion_tasks())
    return tuple(dict.fromkeys(found))


def _check_data(stage: StageRecipe, earlier: Sequence[str], where: str) -> None:
    """Check the weights of the sources, and what is mined of them."""
    if stage.weights and len(stage.weights) != len(stage.data):
        shown, count = ", ".join(f"{weight:g}" for weight in stage.weights), len(stage.data)
        raise UserError(f"{where}: weights = [{shown}]: one for each of the {count} sources is expected.")
    mine = stage.mine
    if mine is None:
        return
    if mine.from_ not in {BASE_NAME, *earlier}:
        known = did_you_mean(mine.from_, [BASE_NAME, *earlier])
        raise UserError(f"{where}: mine: from = {mine.from_!r}: {BASE_NAME} or an earlier stage is expected. {known}")
    if mine.pass_ and not (len(mine.pass_) == 2 and 0 <= mine.pass_[0] <= mine.pass_[1] <= mine.samples):
        raise UserError(
            f"{where}: mine: pass = {list(mine.pass_)}: two numbers from 0 to samples = {mine.samples} are expected, "
            f"the lower first, such as [1, {mine.samples - 1}]."
        )


def _check_grading(recipe: Recipe, stage: StageRecipe, where: str) -> None:
    """Check what a stage changes of [rewards]: it may be changed, a reward goes by it, and a judge is described."""
    try:
        settings = recipe.rewards_of(stage)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    if not asks_evaluator(stage.rewards, settings):
        for name in ("evaluator", "grader_noise"):
            if name in stage.reward_settings:
                given = f"{name} = {stage.reward_settings[name]!r}"
                raise UserError(
                    f"{where}: stage {stage.name}: reward_settings: {given}: no reward of the stage asks the "
                    f"evaluator: leave it out, or add 'evaluator' or 'hybrid' to its rewards."
                )
    if JUDGE in {settings.evaluator, recipe.rewards.evaluator} and recipe.judge is None:
        raise UserError(
            f"{where}: rewards: evaluator = {JUDGE!r}: the recipe has no table [judge]: write one with its model, or "
            "name the URL of an endpoint in place of it."
        )


def asks_evaluator(names: Collection[str], settings: RewardSettings) -> bool:
    """Return whether one of these rewards goes by verdicts of the evaluator."""
    return not {"evaluator", "hybrid"}.isdisjoint(names) or (
        "consistency" in names and settings.consistency == "evaluator"
    )


def _check_gpus(recipe: Recipe, where: str) -> None:
    """Check that copies of a model fit the GPUs that they are given."""
    evaluation = recipe.evaluation
    gpus = evaluation_gpus(recipe)
    copies = [("evaluation", evaluation.tensor * evaluation.at_once, gpus)] if uses_gpus(recipe) else []
    if recipe.judge is not None:
        copies.append(("judge", recipe.judge.tensor, recipe.judge.gpus))
    for table, tensor, there in copies:
        if there % tensor:
            raise UserError(
                f"{where}: {table}: {tensor} GPUs for a model (tensor, at_once): a divisor of its {there} is expected."
            )


def _check_adapter(recipe: Recipe, where: str) -> None:
    """Refuse what an adapter does not go with, and flags that would make one behind the recipe's back."""
    tuner = recipe.flags.get("tuner_type", "full")
    if recipe.adapter is None and tuner == "full":
        return
    if recipe.adapter is None:
        raise UserError(f"{where}: flags: tuner_type = {tuner!r}: write a table [adapter] with rank and alpha instead.")
    if given := sorted(_ADAPTER_FLAGS & recipe.flags.keys()):
        raise UserError(f"{where}: flags: {given[0]}: leave it out: the table [adapter] says what is trained.")
    if recipe.engine != "swift":
        raise UserError(f"{where}: adapter: engine = {recipe.engine!r}: adapters are trained by engine = 'swift'.")
    if not recipe.adapter.targets:
        raise UserError(f"{where}: adapter: targets: at least one name such as 'q_proj' is expected.")
    if recipe.adapter.base_bits != 16 and recipe.machines.rollouts != "transformers":
        raise UserError(
            f"{where}: adapter: base_bits = {recipe.adapter.base_bits}: only rollouts = 'transformers' answer with the "
            f"quantised weights that are trained, not {recipe.machines.rollouts!r}."
        )
    for stage in recipe.stage:
        training = recipe.training_of(stage)
        for name in ("train_audio_tower", "train_projector"):
            if getattr(training, name):
                raise UserError(f"{where}: adapter: {name} = true: an adapter changes the language model alone.")


def _check_megatron(recipe: Recipe, stage: StageRecipe, where: str) -> None:
    """Refuse what Megatron would refuse, or round, once it has started."""
    if recipe.engine != "megatron":
        return
    training = recipe.training_of(stage)
    if stage.epochs is not None and stage.epochs % 1:
        raise UserError(f"{where}: epochs = {stage.epochs:g}: megatron counts whole ones: give steps instead.")
    if training.keep < MEGATRON_KEEPS:
        raise UserError(f"{where}: keep = {training.keep}: megatron keeps {MEGATRON_KEEPS} checkpoints at least.")


def _check_batch(recipe: Recipe, training: TrainingSettings, where: str) -> None:
    """Check that a step's completions fall into whole groups, and into whole micro batches on each machine."""
    if training.batch % training.generations:
        raise UserError(f"{where}: batch = {training.batch}: a multiple of generations = {training.generations}.")
    machines = recipe.machines
    processes, copies = machines.nodes * machines.processes, machines.data_parallel
    for name, spread in (("tensor", machines.tensor), ("expert", machines.expert)):
        if processes % (spread * machines.pipeline):
            raise UserError(
                f"{where}: machines: {processes} processes: a multiple of {name} * pipeline = "
                f"{spread * machines.pipeline} is expected."
            )
    at_once = copies * training.micro_batch
    if training.batch % at_once:
        raise UserError(
            f"{where}: batch = {training.batch}: a multiple of {at_once} is expected, micro_batch = "
            f"{training.micro_batch} on each of {copies} copies of the model."
        )
    if recipe.engine == "megatron" and training.batch // training.generations % at_once:
        raise UserError(
            f"{where}: batch = {training.batch}: megatron wants a multiple of {at_once * training.generations}: "
            f"generations = {training.generations} for each of micro_batch = {training.micro_batch} questions on each "
            f"of {copies} copies of the model."
        )


def recipe_names() -> list[str]:
    """List dtbench's own recipes."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def load_recipe(spec: str, arm: str | None = None) -> Recipe:
    """Load the recipe of this name or TOML file, with the stages of one of its arms where one is named.

    All of its arms and claims are checked, whichever is asked for.
    """
    variants = load_claims(spec).recipes
    if arm in variants:
        return variants[arm]
    names = [name for name in variants if name is not None]
    known = did_you_mean(str(arm), names) if names else "It has none: leave --arm out."
    raise UserError(f"--arm {arm}: the recipe {Path(spec).name.removesuffix('.toml')} has no such arm. {known}")


def load_claims(spec: str) -> ClaimedRecipe:
    """Load the recipe of this name or TOML file with all of its arms, and its claims."""
    is_file = spec.endswith(".toml")
    if not is_file and spec not in recipe_names():
        known = did_you_mean(spec, recipe_names())
        raise UserError(f"recipe {spec}: unknown. {known} A file ends in .toml.")
    path = Path(spec) if is_file else RECIPES / f"{spec}.toml"
    if not path.exists():
        raise UserError(f"{spec}: there is no such file. Recipes of dtbench: {', '.join(recipe_names())}.")
    table = read_toml(path)
    variants = _variants(table, path.name)
    return ClaimedRecipe(variants, read_claims(table.get("claim", []), variants, path.name))


def stored_recipe(plain: Table) -> Recipe:
    """Read a recipe back from what Recipe.plain() returned, as with_bundled_name() has it."""
    return with_bundled_name(read_table(Recipe, plain, "the recipe of the run"))


def with_bundled_name(recipe: Recipe) -> Recipe:
    """Return the recipe as it is stored and compared: the bundled model by its name, wherever dtbench lies."""
    from dtbench.models.checkpoints.checkpoint import bundled_name

    return dataclasses.replace(recipe, model=bundled_name(recipe.model) or recipe.model)


def override(recipe: Recipe, *, model: str | None, seed: int | None) -> Recipe:
    """Replace the checkpoint or the seed; a folder becomes absolute, for processes that start elsewhere."""
    from dtbench.models.checkpoints.checkpoint import resolve_checkpoint

    source = recipe.model if model is None else model
    checkpoint = resolve_checkpoint(source)
    if checkpoint is not None:
        if checkpoint.adapter is not None and checkpoint.adapter.mode == "merge":
            raise UserError(
                f"model = {source}: a training starts from a checkpoint, and this one has the adapter "
                f"{checkpoint.adapter.name}: `dtbench run --model {source}` merges it, and names the merged folder."
            )
        source = str(Path(checkpoint.source).resolve()) if checkpoint.is_local else checkpoint.source
    if model is not None:
        recipe = dataclasses.replace(recipe, revision=None)  # that of the recipe's own checkpoint
    return dataclasses.replace(recipe, model=source, seed=recipe.seed if seed is None else seed)


def _variants(table: Table, where: str) -> Mapping[str | None, Recipe]:
    """Read and check the recipe as it is (None) and with the stages of each of its arms."""
    shared = {name: value for name, value in table.items() if name not in {"arm", "claim"}}
    tables: dict[str | None, tuple[Table, str]] = {None: (shared, where)}
    for name, stages in _stages_of_arms(table, where).items():
        tables[name] = ({**shared, "stage": stages, "arm": name}, f"{where}: arm {name}")
    recipes = {arm: read_table(Recipe, variant, place) for arm, (variant, place) in tables.items()}
    for arm, recipe in recipes.items():
        check_recipe(recipe, tables[arm][1])
    return recipes


def _stages_of_arms(table: Table, where: str) -> dict[str, Sequence[Table]]:
    """Arm -> tables of its stages, each with what it inherits from the stage that it extends."""
    arms = table.get("arm", [])
    if not _are_tables(arms):
        raise UserError(f"{where}: arm: tables are expected, each with a name: [[arm]].")
    own = table.get("stage", [])
    known = {str(stage.get("name")): stage for stage in own} if _are_tables(own) else {}
    stages: dict[str, Sequence[Table]] = {}
    for arm in arms:
        name = arm.get("name")
        if not is_name(name) or name in stages or name in RESERVED_ARMS:
            raise UserError(f"{where}: arm {name!r}: a name such as 'accuracy-only' is expected.")
        stages[name] = _stages_of_arm(arm, known, f"{where}: arm {name}")
    return stages


def _stages_of_arm(arm: Table, known: Mapping[str, Table], where: str) -> Sequence[Table]:
    if unknown := [key for key in arm if key not in {"name", "stage"}]:
        raise UserError(f"{where}: unknown setting {unknown[0]!r}. {did_you_mean(unknown[0], ('name', 'stage'))}")
    stages = arm.get("stage", [])
    if not stages or not _are_tables(stages):
        raise UserError(f"{where}: at least one [[arm.stage]] is expected.")
    return [_extended(stage, known, where) for stage in stages]


def _extended(stage: Table, known: Mapping[str, Table], where: str) -> Table:
    """Add to a stage what it inherits; a stage that sets steps inherits no epochs, and the other way round."""
    if "like" in stage:
        raise UserError(f"{where}: stage: unknown setting 'like'. {known_settings('like', ['extends'])}")
    if "extends" not in stage:
        return stage
    base = stage["extends"]
    if base not in known:
        raise UserError(f"{where}: extends = {base!r}: the recipe has no such stage. {did_you_mean(str(base), known)}")
    lengths = {"steps", "epochs"}
    inherited = {key: value for key, value in known[base].items() if not (key in lengths and lengths & stage.keys())}
    return {**inherited, **{key: value for key, value in stage.items() if key != "extends"}}


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)
