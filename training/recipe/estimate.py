"""Estimate what a recipe takes of each GPU, and how long a step is: from its figures and the model's config.json alone.

Nothing here was measured. Every prompt and answer counts at its full length, so a run that ends its answers earlier is
faster and smaller. In bytes on one GPU, where P are parameters and T the tokens of a prompt and its answer:

- weights: P of the language model over tensor and pipeline (experts over expert and pipeline) times the bytes of dtype,
  half a byte and a sixteenth each where the base has 4 bits; towers, embeddings and the head always in dtype.
- reference: the weights once more, where beta is above 0 and all weights are trained; an adapter is turned off instead.
- learning: of all weights their gradients (over the copies from ZeRO 2 on) and Adam's state: twice dtype, or 12 bytes
  over the copies with ZeRO or Megatron, whose gradients are of 4 bytes. Of an adapter 16 bytes for each parameter.
- activations: with checkpointing the inputs of layers, T x hidden x dtype, and one whole layer twice, T x (8 hidden +
  3 ffn) x dtype; without it all layers whole; and the logits of answers, vocabulary x 10. For each of a micro batch.
- answering: what samples has the weights again (vLLM beside the trainer), and 2 x layers x key width x 2 for a token.

Time: 2 x active P x tokens for each pass (forward, backward twice or once for an adapter, once more with checkpointing,
the earlier policy, the reference) at 40 % of 312 TFLOP/s, an A100's; and each token of an answer reads all weights and
half of its keys at 60 % of 2 TB/s, in no less than 10 ms, or 40 ms with transformers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.models.checkpoints import hub
from dtbench.training.recipe.settings import Recipe, StageRecipe

GB = 1e9
FLOPS, READ = 0.4 * 312e12, 0.6 * 2e12
OVERHEAD = 1.0
"""GB that CUDA and its libraries take."""
_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
_TOWER: Mapping[str, Any] = {"d_model": 1280, "encoder_layers": 32, "encoder_ffn_dim": 5120}
_PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    "Qwen/Qwen2.5-Omni-7B": {
        "text_config": {
            "model_type": "qwen2_5_omni_text",
            "hidden_size": 3584,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "intermediate_size": 18944,
            "vocab_size": 152064,
        },
        "audio_config": {**_TOWER, "output_dim": 3584},
        "vision_config": {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420},
    },
    "Qwen/Qwen3-Omni-30B-A3B-Instruct": {
        "text_config": {
            "model_type": "qwen3_omni_moe_text",
            "hidden_size": 2048,
            "num_hidden_layers": 48,
            "head_dim": 128,
            "num_attention_heads": 32,
            "num_key_value_heads": 4,
            "vocab_size": 152064,
            "num_experts": 128,
            "moe_intermediate_size": 768,
            "num_experts_per_tok": 8,
            "intermediate_size": 768,
        },
        "audio_config": {**_TOWER, "output_dim": 2048},
        "vision_config": {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304},
    },
}
"""Sizes of the models of dtbench's recipes, for a machine that has not fetched them."""


class ModelSizes(NamedTuple):
    """How large the parts of a model are, in parameters, and what its activations are made of."""

    dense: int
    """Attention, and the layers between that are no experts."""
    experts: int
    active_experts: int
    """Of the experts, those that one token meets."""
    ends: int
    """Embeddings and head."""
    towers: int
    layers: int
    hidden: int
    ffn: int
    """Width of the layers between, for one token."""
    query: int
    keys: int
    """Width of the queries of a layer, and that of its keys."""
    vocabulary: int

    @property
    def language(self) -> int:
        """The parameters of the language model."""
        return self.dense + self.experts + self.ends

    @property
    def active(self) -> int:
        """The parameters that one token meets."""
        return self.dense + self.active_experts + self.ends // 2

    def adapter(self, rank: int, targets: tuple[str, ...]) -> int:
        """Return the parameters of an adapter of these layers."""
        widths = {
            "q_proj": self.hidden + self.query,
            "o_proj": self.hidden + self.query,
            **dict.fromkeys(("k_proj", "v_proj"), self.hidden + self.keys),
            **dict.fromkeys(("gate_proj", "up_proj", "down_proj"), self.hidden + self.ffn),
        }
        return self.layers * rank * sum(widths.get(target, 2 * self.hidden) for target in targets)


class Estimate(NamedTuple):
    """What a stage takes of each GPU, in GB, and the seconds of a step."""

    weights: float
    reference: float
    learning: float
    """Gradients and the optimizer's state; of an adapter its weights too."""
    activations: float
    answering: float
    """What samples beside the trainer: its weights, and keys and values."""
    answer_seconds: float
    learn_seconds: float

    @property
    def peak(self) -> float:
        """GB while it learns or while it answers, whichever is more."""
        held = self.weights + self.reference + self.learning + OVERHEAD
        return held + max(self.activations, self.answering)

    def line(self) -> str:
        """Return it as a line for people."""
        parts = (
            f"weights {self.weights:.1f}, reference {self.reference:.1f}, gradients and optimizer {self.learning:.1f}, "
            f"activations {self.activations:.1f}, while it answers {self.answering:.1f}"
        )
        answers, updates = self.answer_seconds, self.learn_seconds
        return (
            f"estimate, not measured: {self.peak:.0f} GB of each GPU ({parts}); {answers + updates:.0f} s a step "
            f"at most, on A100s (answers {answers:.0f}, updates {updates:.0f})"
        )


def model_sizes(config: Mapping[str, Any]) -> ModelSizes:
    """Compute the sizes of a model from its config.json."""
    whole = config.get("thinker_config", config)
    text = whole["text_config"]
    hidden, layers, heads = text["hidden_size"], text["num_hidden_layers"], text["num_attention_heads"]
    head = text.get("head_dim") or hidden // heads
    query, keys = heads * head, text["num_key_value_heads"] * head
    extras = query + 2 * keys if "qwen2" in text.get("model_type", "") else 2 * head
    dense = layers * (2 * hidden * query + 2 * hidden * keys + extras + 2 * hidden) + hidden
    count = text.get("num_experts") or 0
    width = text["moe_intermediate_size"] if count else text["intermediate_size"]
    active = text["num_experts_per_tok"] if count else 1
    layer = 3 * hidden * width
    dense += layers * (hidden * count if count else layer)
    ends = text["vocab_size"] * hidden * (1 if text.get("tie_word_embeddings", whole.get("tie_word_embeddings")) else 2)
    return ModelSizes(
        dense=dense,
        experts=layers * count * layer,
        active_experts=layers * active * layer if count else 0,
        ends=ends,
        towers=_towers(whole),
        layers=layers,
        hidden=hidden,
        ffn=active * width,
        query=query,
        keys=keys,
        vocabulary=text["vocab_size"],
    )


def _towers(config: Mapping[str, Any]) -> int:
    """Count the parameters of ears and eyes, but for a few in a thousand."""
    audio, vision = config.get("audio_config", {}), config.get("vision_config", {})
    width, layers = audio.get("d_model", 0), audio.get("encoder_layers", 0)
    ears = layers * (4 * width * width + 2 * width * audio.get("encoder_ffn_dim", 0))
    ears += 3 * width * (width + audio.get("num_mel_bins", 128)) + width * audio.get("output_dim", width)
    size = vision.get("hidden_size", 0)
    return int(ears + vision.get("depth", 0) * (4 * size * size + 3 * size * vision.get("intermediate_size", 0)))


def sizes_of(model: str) -> ModelSizes | None:
    """Return the sizes of a checkpoint; None where its config.json is neither here nor known."""
    folder = Path(model) if Path(model).is_dir() else hub.cached_snapshot(model) if "/" in model else None
    file = None if folder is None else folder / "config.json"
    config = json.loads(file.read_bytes()) if file is not None and file.is_file() else _PUBLISHED.get(model)
    if config is None or "text_config" not in config.get("thinker_config", config):
        return None
    return model_sizes(config)


def estimate(recipe: Recipe, stage: StageRecipe, sizes: ModelSizes) -> Estimate:
    """Estimate what a stage takes of each GPU, and its seconds a step."""
    machines, training = recipe.machines, recipe.training_of(stage)
    size = _BYTES.get(training.dtype, 2)
    weights = _weights(recipe, sizes, size)
    answers = training.batch / _copies(recipe)
    tokens = training.max_prompt_tokens + training.max_new_tokens
    keys = answers * tokens * 2 * sizes.layers * sizes.keys * 2 / machines.rollout_tensor
    again = 2 * (sizes.language + sizes.towers) / machines.rollout_tensor
    sampled = {"colocate": again + keys, "transformers": keys, "server": 0.0}[machines.rollouts]
    slowest = 0.04 if machines.rollouts == "transformers" else 0.01
    passes = 3 + (recipe.adapter is None) + training.checkpointing + (training.beta > 0)
    flops = 2 * sizes.active * training.batch * tokens * passes
    reading = (size * sizes.active / machines.rollout_tensor if answers < 2 else again) + keys / 2
    return Estimate(
        weights=weights / GB,
        reference=weights / GB if training.beta > 0 and recipe.adapter is None else 0.0,
        learning=_learning(recipe, sizes, size) / GB,
        activations=_activations(recipe, stage, sizes, size) / GB,
        answering=sampled / GB,
        answer_seconds=training.max_new_tokens * max(slowest, reading / READ),
        learn_seconds=flops / (FLOPS * machines.nodes * machines.processes),
    )


def _weights(recipe: Recipe, sizes: ModelSizes, size: int) -> float:
    machines = recipe.machines
    bits = 16 if recipe.adapter is None else recipe.adapter.base_bits
    stored = size if bits == 16 else bits / 8 + 1 / 16
    inner = sizes.dense / machines.tensor + sizes.experts / machines.expert
    shards = machines.data_parallel if machines.zero == 3 else 1
    return ((stored * inner + size * sizes.ends / machines.tensor) / machines.pipeline + size * sizes.towers) / shards


def _learning(recipe: Recipe, sizes: ModelSizes, size: int) -> float:
    machines, copies = recipe.machines, recipe.machines.data_parallel
    if recipe.adapter is not None:
        return 16 * sizes.adapter(recipe.adapter.rank, recipe.adapter.targets)
    dense = (sizes.dense + sizes.ends) / (machines.tensor * machines.pipeline)
    experts = sizes.experts / (machines.expert * machines.pipeline)
    if recipe.engine == "megatron":
        of_experts = machines.nodes * machines.processes / (machines.expert * machines.pipeline)
        return 4 * (dense + experts) + 12 * (dense / copies + experts / of_experts)
    state = 12 / copies if machines.zero else 2 * size
    return (dense + experts) * (size / (copies if machines.zero > 1 else 1) + state)


def _activations(recipe: Recipe, stage: StageRecipe, sizes: ModelSizes, size: int) -> float:
    training, machines = recipe.training_of(stage), recipe.machines
    tokens = training.micro_batch * (training.max_prompt_tokens + training.max_new_tokens)
    layers = math.ceil(sizes.layers / machines.pipeline)
    whole = tokens * (8 * sizes.hidden + 3 * sizes.ffn) * size
    kept = tokens * sizes.hidden * size * layers + 2 * whole if training.checkpointing else layers * whole
    return (kept + 10 * training.micro_batch * training.max_new_tokens * sizes.vocabulary) / machines.tensor


def _copies(recipe: Recipe) -> float:
    """Count the models that answer side by side."""
    machines = recipe.machines
    if machines.rollouts == "transformers":
        return machines.data_parallel
    nodes = 1 if machines.rollouts == "server" else machines.nodes
    return nodes * machines.processes / machines.rollout_tensor


def estimate_lines(recipe: Recipe) -> Iterator[str]:
    """Yield a line for each stage that differs from the one before, or one that says why there is none."""
    if recipe.machines.device == "cpu":
        return
    sizes = sizes_of(recipe.model)
    if sizes is None:
        yield f"no estimate: the sizes of {recipe.model} are not known before its config.json is here"
        return
    last = ""
    for stage in recipe.stage:
        line = estimate(recipe, stage, sizes).line()
        if line != last:
            yield line if not last else f"{stage.name}: {line}"
        last = line
