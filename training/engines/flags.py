"""One table: for each setting of a recipe, the flag that each form of ms-swift has for it, or why it has none.

A test finds a field without a row and a row without a cell. A value that an engine cannot do is refused before
anything starts. A new setting of an engine is a row here; training/README.md shows the table.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from dtbench.harness.core.errors import UserError
from dtbench.training.engines import flag_values as made
from dtbench.training.engines.contract import Job
from dtbench.training.engines.dev_figures import DEV_FLAGS, dev_flags
from dtbench.training.recipe.settings import EngineName, Recipe, StageRecipe, TrainingSettings

MIN_GROUP = BETAS = 2
SHOWN_WIDTH = 52
"""Characters of a cell in the table that is shown."""
PROGRAMS: Mapping[EngineName, str] = {"swift": "swift rlhf", "megatron": "megatron rlhf"}


@dataclass(frozen=True, slots=True)
class Made:
    """Flags that are computed from a field and from settings beside it."""

    names: tuple[str, ...]
    make: Callable[[Job], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class NoFlag:
    """Why an engine has no flag for a field."""

    why: str
    only: tuple[object, ...] | None = None
    """The values that need none; None: whatever it is, others see to it."""


Cell = str | Made | NoFlag
"""A name: that flag gets the value of the field, and none where the field is not set."""


@dataclass(frozen=True, slots=True)
class FlagRow:
    """A field of a recipe and what each engine makes of it."""

    field: str
    """Its table and name, as `training.beta`; that of the recipe itself has no table."""
    swift: Cell
    megatron: Cell

    def cell(self, engine: EngineName) -> Cell:
        """Return what this engine makes of the field."""
        return self.swift if engine == "swift" else self.megatron


def _both(field: str, cell: Cell) -> FlagRow:
    return FlagRow(field, cell, cell)


_ONE_COPY = NoFlag("each GPU has the whole model, or zero shards it", only=(1,))
TABLE: tuple[FlagRow, ...] = (
    FlagRow(
        "model",
        Made(("model", "resume_from_checkpoint"), made.model),
        Made(
            ("model", "finetune", "mcore_model", "ref_model", "no_load_optim", "no_load_rng"),
            made.megatron_start,
        ),
    ),
    _both("revision", Made(("model_revision",), made.revision)),
    _both("model_type", "model_type"),
    _both("seed", Made(("seed",), made.seed)),
    FlagRow("adapter", Made(made.ADAPTER_FLAGS, made.adapter), NoFlag("it trains all weights", only=(None,))),
    FlagRow("validation", Made(DEV_FLAGS, dev_flags), NoFlag("it measures no dev split", only=(None,))),
    _both("stage.rewards", Made(("reward_funcs", "reward_weights"), made.rewards)),
    FlagRow("stage.steps", "max_steps", "train_iters"),
    _both("stage.epochs", "num_train_epochs"),
    _both("stage.seed_offset", NoFlag("added to seed")),
    _both("training.advantages", Made(("scale_rewards",), made.advantages)),
    _both("training.beta", "beta"),
    _both("training.generations", "num_generations"),
    FlagRow("training.batch", Made(("gradient_accumulation_steps",), made.accumulation), "global_batch_size"),
    FlagRow("training.micro_batch", "per_device_train_batch_size", "micro_batch_size"),
    FlagRow("training.learning_rate", "learning_rate", "lr"),
    FlagRow(
        "training.schedule",
        Made(("lr_scheduler_type",), made.schedule),
        Made(("lr_decay_style", "min_lr"), made.megatron_schedule),
    ),
    FlagRow("training.warmup", "warmup_ratio", "lr_warmup_fraction"),
    _both("training.clip", "epsilon"),
    _both("training.clip_high", "epsilon_high"),
    _both("training.loss", "loss_type"),
    _both("training.importance", "importance_sampling_level"),
    _both("training.importance_correction", Made(("rollout_importance_sampling_mode",), made.correction)),
    FlagRow(
        "training.router_replay",
        NoFlag("it routes again in every pass; engine = 'megatron' replays", only=("disabled",)),
        "router_replay_mode",
    ),
    _both("training.dynamic_sampling", "dynamic_sample"),
    _both("training.max_resample", "max_resample_times"),
    _both("training.overlong_filter", "overlong_filter"),
    _both("training.weight_decay", "weight_decay"),
    _both("training.adam", Made(("adam_beta1", "adam_beta2"), made.adam)),
    FlagRow("training.max_grad_norm", "max_grad_norm", "clip_grad"),
    _both("training.max_prompt_tokens", "max_length"),
    _both("training.truncate", "truncation_strategy"),
    _both("training.max_new_tokens", "max_completion_length"),
    _both("training.temperature", "temperature"),
    _both("training.top_p", "top_p"),
    _both("training.top_k", Made(("top_k",), made.top_k)),
    _both("training.train_audio_tower", Made(("freeze_vit",), made.frozen_tower)),
    _both("training.train_projector", Made(("freeze_aligner",), made.frozen_projector)),
    FlagRow("training.dtype", "torch_dtype", Made(("bf16", "fp16"), made.megatron_precision)),
    FlagRow(
        "training.checkpointing",
        "gradient_checkpointing",
        Made(("recompute_granularity", "recompute_method", "recompute_num_layers"), made.recompute),
    ),
    _both("training.save_every", "save_steps"),
    _both("training.keep", "save_total_limit"),
    FlagRow(
        "training.save_optimizer",
        Made(("save_only_model", "resume_only_model"), made.weights_only),
        Made(("no_save_optim", "no_save_rng"), made.megatron_weights_only),
    ),
    FlagRow(
        "machines.device",
        Made(("attn_impl", "use_cpu", "ddp_backend"), made.device),
        NoFlag("it needs GPUs", only=("gpu",)),
    ),
    _both("machines.nodes", NoFlag("set by the variable NNODES")),
    _both("machines.processes", NoFlag("set by the variable NPROC_PER_NODE")),
    _both("machines.threads", NoFlag("set by the variable OMP_NUM_THREADS")),
    _both("machines.port", NoFlag("set by the variable MASTER_PORT")),
    FlagRow(
        "machines.tensor", _ONE_COPY, Made(("tensor_model_parallel_size", "sequence_parallel"), made.tensor_parallel)
    ),
    FlagRow("machines.pipeline", _ONE_COPY, "pipeline_model_parallel_size"),
    FlagRow("machines.expert", _ONE_COPY, "expert_model_parallel_size"),
    FlagRow(
        "machines.zero",
        Made(("deepspeed",), made.zero),
        NoFlag("it always shards the optimizer, and weights by tensor, pipeline and expert", only=(0,)),
    ),
    _both("machines.rollouts", Made(made.ROLLOUT_FLAGS, made.rollouts)),
    _both("machines.rollout_tensor", Made(("vllm_tensor_parallel_size",), made.beside("rollout_tensor"))),
    _both("machines.rollout_memory", Made(("vllm_gpu_memory_utilization",), made.beside("rollout_memory"))),
    _both("machines.rollout_port", Made(("vllm_server_host", "vllm_server_port"), made.rollout_address)),
)
NOT_FOR_ENGINES = frozenset(
    """
    title trust_remote_code engine prompt system training machines rewards guards monitor judge evaluation
    flags stage arm stage.name stage.data stage.weights stage.shuffle stage.questions stage.mine stage.training
    stage.reward_settings
    """.split()
)
"""Fields that dtbench itself acts on: what it writes into questions, rewards, checks, evaluates, or hands on."""


def table_flags(job: Job) -> dict[str, object]:
    """Return the flags that the recipe's engine has for what the recipe sets."""
    flags: dict[str, object] = {}
    for row in TABLE:
        cell = row.cell(job.recipe.engine)
        if isinstance(cell, str):
            value = field_value(job.recipe, job.stage, row.field)
            flags |= {} if value is None else {cell: value}
        elif isinstance(cell, Made):
            flags |= cell.make(job)
    return flags


def field_value(recipe: Recipe, stage: StageRecipe, field: str) -> object:
    """Return the value of a row's field, as this stage has it."""
    table, _, name = field.rpartition(".")
    places = {"": recipe, "stage": stage, "machines": recipe.machines}
    value: object = getattr(recipe.training_of(stage) if table == "training" else places[table], name)
    return value


def refuse_unsupported(recipe: Recipe) -> None:
    """Raise a UserError for a value that the recipe's engine cannot do, alone or beside another."""
    for stage in recipe.stage:
        for row in TABLE:
            cell, value = row.cell(recipe.engine), field_value(recipe, stage, row.field)
            if isinstance(cell, NoFlag) and cell.only is not None and value not in cell.only:
                allowed = " or ".join(map(repr, cell.only))
                raise UserError(
                    f"{row.field.replace('.', ': ')} = {value!r}: `{PROGRAMS[recipe.engine]}` has none: {cell.why}. "
                    f"Set it to {allowed}, or leave it out."
                )
        for refused, why in _refusals(recipe, recipe.training_of(stage)):
            if refused:
                raise UserError(f"stage {stage.name}: training: {why}")


def flag_table() -> Iterator[str]:
    """Yield the table as lines of Markdown; a row with many flags takes several lines."""
    yield "| in the recipe | `swift rlhf` | `megatron rlhf` |"
    yield "|---|---|---|"
    for row in TABLE:
        megatron = ["the same"] if row.megatron == row.swift else _shown(row.megatron)
        for index, cells in enumerate(zip_longest(_shown(row.swift), megatron, fillvalue="")):
            yield f"| {'' if index else f'`{row.field}`'} | {' | '.join(cells)} |"


def _shown(cell: Cell) -> Sequence[str]:
    if isinstance(cell, NoFlag):
        return [f"none: {cell.why}"]
    names = (cell,) if isinstance(cell, str) else cell.names
    return textwrap.wrap(", ".join(f"`--{name}`" for name in names), SHOWN_WIDTH, break_on_hyphens=False)


_SCHEDULES: Mapping[EngineName, frozenset[str]] = {
    "swift": frozenset(
        """linear cosine cosine_with_restarts polynomial constant constant_with_warmup inverse_sqrt
        reduce_lr_on_plateau cosine_with_min_lr cosine_warmup_with_min_lr warmup_stable_decay greedy""".split()
    ),
    "megatron": frozenset({"constant", "linear", "cosine", "inverse-square-root", "WSD"}),
}


def _refusals(recipe: Recipe, training: TrainingSettings) -> Iterator[tuple[bool, str]]:
    """Yield settings that cannot be combined, and what to do."""
    known = _SCHEDULES[recipe.engine]
    yield (
        training.schedule not in known,
        f"schedule = {training.schedule!r}: `{PROGRAMS[recipe.engine]}` knows {', '.join(sorted(known))}.",
    )
    yield training.generations < MIN_GROUP, "generations = 1: an answer is compared with others of its group: take 2."
    yield training.temperature == 0, "temperature = 0: all answers of a group would be the same: take 1."
    yield len(training.adam) != BETAS, f"adam: {len(training.adam)} figures: Adam has two betas."
    yield (
        training.importance_correction != "none" and recipe.machines.rollouts == "transformers",
        f"importance_correction = {training.importance_correction!r}: with rollouts = 'transformers' the model that "
        "learns answers itself: there is nothing to correct. Leave it out.",
    )
    yield (
        training.router_replay != "disabled" and "moe" not in recipe.model_type,
        f"router_replay = {training.router_replay!r}: model_type = {recipe.model_type!r} has no experts. Leave it out.",
    )
    yield (
        training.loss == "cispo" and (training.clip_high or 0) < 1,
        "loss = 'cispo': it cuts the probability ratio itself, which is 1 where nothing has changed, at clip_high: set "
        "that to 1 or more; 5 is usual.",
    )
    yield (
        training.loss == "sapo" and training.clip_high is not None,
        "loss = 'sapo': it clips nothing: leave clip_high out.",
    )
