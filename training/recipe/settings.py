"""What a recipe can set, table by table: the model's updates, the machines, the stages, what watches them.

A field whose default is not None says what a training without it does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.typed_settings import Condition, above, at_least, between, read_part, read_table
from dtbench.training.recipe.reward_settings import RewardSettings

Count = Annotated[int, at_least(1)]
Share = Annotated[float, between(0, 1)]
Positive = Annotated[float, above(0)]
EngineName = Literal["swift", "megatron"]
OF_ALL_STAGES = ("template", "task", "cache")
"""Settings of [rewards] that a stage cannot change: evaluations and the verdicts of all stages go by them."""
Correction = Literal["none", "token_truncate", "token_mask", "sequence_truncate", "sequence_mask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Hyperparameters of the policy's updates."""

    advantages: Literal["gdpo", "grpo"]
    """gdpo: each reward is normalised within its group before they are added; grpo: their sum is."""
    beta: Annotated[float, at_least(0)]
    """Weight of the KL divergence from the model at the start of the stage."""
    generations: Count
    """Completions for each question."""
    batch: Count
    """Completions in a step, over all machines."""
    micro_batch: Count
    """Completions that one process takes at a time."""
    learning_rate: Positive
    schedule: str = "constant"
    """Of the learning rate, by the engine's name for it."""
    warmup: Share = 0.0
    """Share of the steps over which the learning rate rises."""
    clip: Positive = 0.2
    """How far the probability ratio of a token may move from 1 in a step."""
    clip_high: Positive | None = None
    """How far it may move upwards (DAPO); None: as far as downwards."""
    loss: Literal["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo"] = "grpo"
    """How the losses of tokens are added up."""
    importance: Literal["token", "sequence"] = "token"
    """What the probability ratio is taken of: each token, or the whole answer (GSPO)."""
    importance_correction: Literal["none", "token_truncate", "token_mask", "sequence_truncate", "sequence_mask"] = (
        "none"
    )
    """What is done about answers that the trainer finds less or more likely than the model that sampled them."""
    router_replay: Literal["disabled", "R2", "R3"] = "disabled"
    """Whether experts are those of the trainer's earlier pass (R2) or of the model that sampled (R3); megatron only."""
    dynamic_sampling: bool = False
    """Whether groups whose rewards are all alike are sampled anew (DAPO)."""
    max_resample: Count = 3
    """How often, for one step."""
    overlong_filter: bool = False
    """Whether answers that were cut at max_new_tokens are left out of the loss."""
    weight_decay: Annotated[float, at_least(0)] = 0.1
    adam: tuple[Share, ...] = (0.9, 0.95)
    """Its two betas."""
    max_grad_norm: Positive = 1.0
    max_prompt_tokens: Count
    """With the tokens of the clip."""
    truncate: Literal["delete", "left"] = "delete"
    """What becomes of a longer prompt: its question is left out, or its first tokens are."""
    max_new_tokens: Count
    temperature: Annotated[float, at_least(0)] = 1.0
    top_p: Share = 1.0
    top_k: Annotated[int, at_least(0)] = 0
    """0 for all tokens."""
    train_audio_tower: bool
    """Whether the weights of the audio tower are updated."""
    train_projector: bool
    """Whether the weights between the tower and the language model are updated."""
    dtype: str = "bfloat16"
    checkpointing: bool = True
    """Whether activations are computed twice to save memory."""
    save_every: Count
    """Steps between two checkpoints."""
    keep: Count = 2
    """Checkpoints that stay on disk while a stage runs."""
    save_optimizer: bool = True
    """Whether checkpoints hold the optimizer's state, eight times the weights: without it a resume starts it anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """What the engine runs on."""

    device: Literal["gpu", "cpu"] = "gpu"
    nodes: Count = 1
    """Nodes that train; one that only samples (`rollouts = "server"`) is not among them."""
    processes: Count
    """On each node: as many as there are GPUs."""
    threads: Count = 8
    """Of each process."""
    tensor: Count = 1
    """Tensor parallelism."""
    pipeline: Count = 1
    """Pipeline parallelism."""
    expert: Count = 1
    """Expert parallelism."""
    zero: Annotated[int, between(0, 3)] = 0
    """Stage of DeepSpeed's ZeRO; 0 for none."""
    rollouts: Literal["transformers", "colocate", "server"] = "colocate"
    """What samples: transformers, vLLM beside the trainer (colocate), or vLLM on a node of its own (server)."""
    rollout_tensor: Count = 1
    """Tensor parallelism of the model that samples."""
    rollout_memory: Share = 0.4
    """Share of a GPU's memory for vLLM beside the trainer."""
    rollout_port: Annotated[int, between(1, 65535)] = 8000
    port: Annotated[int, between(1, 65535)] = 29500
    """Of the first node, for the others to find each other."""

    @property
    def data_parallel(self) -> int:
        """Copies of the model that are trained side by side."""
        return self.nodes * self.processes // (self.tensor * self.pipeline)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopGuards:
    """Limits that stop a stage; it can be resumed."""

    divergence: Positive = 0.01
    """KL at the first step, of the model that learns from the one that samples and from the start of the stage."""
    divergence_experts: Positive = 0.05
    """The same for experts in 16 bits, where one of the two chooses them by itself: numbers alone explain more then."""
    divergence_growth: Annotated[float, at_least(1)] = 5.0
    """Times what it was in the first steps; beyond that, and above the limit of the first step, the stage stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What `dtbench run` evaluates of the base and of each stage."""

    tasks: tuple[str, ...]
    backend: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options -M of `dtbench run`."""
    concurrency: Count = 16
    """Questions in flight, for each copy of the model."""
    at_once: Count = 1
    """Evaluations side by side, a process each: for models that need a part of the machine."""
    gpus: Count | None = None
    """GPUs of the node that evaluates which vLLM takes; None: all, as many as [machines] has processes."""
    tensor: Count = 1
    """GPUs that one copy of the model is spread over (tensor parallelism); vLLM runs as many as fit."""
    limit: Count | None = None
    """Only the first questions of each task."""
    base_prompts: Mapping[str, str] = field(default_factory=dict)
    """Further prompts for the base, by name: each stage is compared with the best of them."""
    audio_ablation: bool = False
    """Whether the last stage is evaluated with shuffled clips as well: what it gained must then be gone."""
    ablation_limit: Count | None = None
    """With shuffled clips only the first questions of each task; None: as many as with their own."""
    faithful: Count | None = None
    """Of each stage, in how many answers a sound of the description is changed and the reasoning continued from there
    (`dtbench faithful`); None: in none."""
    describe: bool = False
    """Whether the base and the last stage are also asked for skills that no reward asks for (Task.companion_tasks)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSettings:
    """A low-rank adapter that is trained in place of all weights."""

    rank: Count
    alpha: Count
    dropout: Share = 0.0
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    """Names of the linear layers of the language model that get one; nothing else does."""
    base_bits: Literal[16, 8, 4] = 16
    """Bits of a weight of the language model beneath it: with 8 or 4 it is quantised while it trains (bitsandbytes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeServer:
    """A model that dtbench serves for `evaluator = "judge"`, on machines of its own (`--role judge`)."""

    model: str
    """A folder, or `org/name` on the hub."""
    revision: str | None = None
    """Commit or branch of a model on the hub; None: the newest."""
    nodes: Count = 1
    """Nodes, each of which serves the model by itself; requests are spread over them."""
    tensor: Count = 1
    """GPUs that one copy of the model is spread over (tensor parallelism)."""
    gpus: Count = 8
    """On each of its nodes; with more than `tensor` it serves several copies (data parallelism)."""
    port: Annotated[int, between(1, 65535)] = 8100
    max_model_tokens: Count = 16384
    """Of a prompt and its reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What is measured on questions apart while a stage trains."""

    data: Annotated[tuple[str, ...], Condition(bool, "at least one source")]
    """Names of tasks, or JSON-lines files of rows; none of a benchmark."""
    every: Count
    """Steps between two measurements; a multiple of save_every, so that the best can be kept."""
    questions: Count | None = None
    """Only so many of them, drawn by the seed; None: all."""
    metric: str = "accuracy"
    """The reward whose mean decides which checkpoint is the best."""
    keep_best: bool = True
    """Whether the stage ends with the best checkpoint in place of the last."""
    patience: Count | None = None
    """So many measurements without a gain end the stage; None: none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorRule:
    """A limit for a figure of metrics.jsonl."""

    figure: str
    above: float | None = None
    below: float | None = None
    steps: Count = 5
    """So many steps in a row."""
    then: Literal["warn", "stop"] = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class MineSettings:
    """Which of a stage's questions are trained on: those that a model answers rightly now and then."""

    from_: str
    """The stage whose model answers them, or `base`."""
    samples: Annotated[int, at_least(2)] = 8
    """Answers to each question."""
    pass_: tuple[int, ...] = ()
    """The least and the most right answers of a question that is kept; empty: from 1 to all but one."""
    keep: Count | None = None
    """The most questions that are kept, drawn by the seed; None: all."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options -M in place of those of [evaluation]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecipe:
    """One stage of training with its own data and rewards."""

    name: str
    data: Annotated[tuple[str, ...], Condition(bool, "at least one source")]
    """Names of tasks, or JSON-lines files of rows."""
    weights: tuple[Positive, ...] = ()
    """Shares in which the sources are mixed, one each; empty: all of each."""
    shuffle: bool = True
    """Whether questions are drawn by the seed; else they are taken in the order of the sources."""
    questions: Count | None = None
    """Only so many of them; None: all."""
    mine: MineSettings | None = None
    """Only those at the boundary of what an earlier model can do."""
    rewards: Annotated[Mapping[str, float], Condition(bool, "at least one reward")]
    """Name of a reward -> its weight."""
    steps: Count | None = None
    epochs: Positive | None = None
    seed_offset: int | None = None
    """Added to the seed, so that a second stage on the same data takes it in another order."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the recipe's [training]."""
    reward_settings: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the recipe's [rewards], such as `{ grader_noise = 0.2 }`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that `dtbench train` needs to know."""

    title: str
    model: str
    """The checkpoint that is trained: a folder, or `org/name` on the hub."""
    revision: str | None = None
    """Commit or branch of a checkpoint on the hub; None: the newest."""
    trust_remote_code: bool = False
    """Run code of the checkpoint, with your rights: ms-swift runs whatever a checkpoint brings."""
    engine: EngineName
    model_type: str
    """The engine's name for the architecture."""
    prompt: str
    """With {question} and {options} in it; the clip stands before it."""
    system: str = ""
    """The system prompt of training, mining and the evaluation of stages; empty: the checkpoint's own, if it has one.

    The base has it where `prompt` is asked, and not under the task's own words and `base_prompts`.
    """
    seed: int = 0
    training: TrainingSettings
    machines: Machines
    rewards: RewardSettings = field(default_factory=RewardSettings)
    guards: StopGuards = StopGuards()
    monitor: tuple[MonitorRule, ...] = ()
    validation: Validation | None = None
    adapter: AdapterSettings | None = None
    """None: all weights are trained."""
    judge: JudgeServer | None = None
    evaluation: Evaluation
    flags: Mapping[str, Any] = field(default_factory=dict)
    """Further flags of the engine's own, which replace ours."""
    stage: Annotated[tuple[StageRecipe, ...], Condition(bool, "at least one [[stage]]")]
    arm: str | None = None
    """The arm that these stages are of; None: the recipe's own."""

    def training_of(self, stage: StageRecipe) -> TrainingSettings:
        """Return the settings of this stage: the recipe's, and what the stage changes."""
        table = {**dataclasses.asdict(self.training), **stage.training}
        return read_table(TrainingSettings, table, f"stage {stage.name}")

    def rewards_of(self, stage: StageRecipe) -> RewardSettings:
        """Return how the rewards of this stage are computed: the recipe's settings, and what the stage changes."""
        if not stage.reward_settings:
            return self.rewards
        where = f"stage {stage.name}: reward_settings"
        changed = read_part(RewardSettings, stage.reward_settings, where, besides=OF_ALL_STAGES)
        try:
            return dataclasses.replace(self.rewards, **changed)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None

    def plain(self) -> dict[str, Any]:
        """Return the recipe as values of JSON."""
        plain = {**dataclasses.asdict(self), "rewards": self.rewards.plain()}
        for stage in plain["stage"]:
            if stage["mine"] is not None:
                stage["mine"] = {name.removesuffix("_"): value for name, value in stage["mine"].items()}
        if not self.trust_remote_code:
            del plain["trust_remote_code"]  # trainings that were begun before it was asked for go on
        return plain
