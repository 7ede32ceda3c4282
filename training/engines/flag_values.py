"""Values of flags that are not simply a field's value; engines/flags.py says which flag takes which."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from dtbench.training.engines.adapters import target_regex
from dtbench.training.engines.contract import Job
from dtbench.training.recipe.settings import Machines, TrainingSettings

AUDIO_LIMIT = json.dumps({"audio": 1, "image": 0, "video": 0})
Values = Mapping[str, object]


def _training(job: Job) -> TrainingSettings:
    return job.recipe.training_of(job.stage)


def model(job: Job) -> Values:
    """Return the model that the stage starts from, which its KL divergence is measured from, and what it resumes."""
    resume = {} if job.resume is None else {"resume_from_checkpoint": str(job.resume)}
    return {**resume, "model": job.model}


def megatron_start(job: Job) -> Values:
    """Return the same for Megatron: without an optimizer's state it resumes from safetensors, whose step it reads."""
    if job.resume is None:
        return {"finetune": True, "model": job.model}
    if _training(job).save_optimizer:
        return {"finetune": False, "mcore_model": str(job.resume), "model": job.model}
    nothing_else = {"no_load_optim": True, "no_load_rng": True}
    return {"model": str(job.resume), "ref_model": job.model, "finetune": False, **nothing_else}


def revision(job: Job) -> Values:
    """Return the revision of the recipe's own checkpoint."""
    pinned = job.recipe.revision if job.model == job.recipe.model else None
    return {} if pinned is None else {"model_revision": pinned}


def seed(job: Job) -> Values:
    """Return the seed of the stage."""
    return {"seed": job.recipe.seed + (job.stage.seed_offset or 0)}


ADAPTER_FLAGS = (
    *("tuner_type", "target_regex", "lora_rank", "lora_alpha", "lora_dropout"),
    *("quant_method", "quant_bits", "bnb_4bit_compute_dtype"),
)


def adapter(job: Job) -> Values:
    """Return what is trained: all weights, or an adapter of the language model on a base that may be quantised."""
    settings = job.recipe.adapter
    if settings is None:
        return {"tuner_type": "full"}
    quantised: dict[str, object] = {}
    if settings.base_bits != 16:
        quantised = {"quant_method": "bnb", "quant_bits": settings.base_bits}
        if settings.base_bits == 4:
            quantised["bnb_4bit_compute_dtype"] = job.recipe.training.dtype
    return {
        "tuner_type": "lora",
        "target_regex": target_regex(settings.targets),
        "lora_rank": settings.rank,
        "lora_alpha": settings.alpha,
        "lora_dropout": settings.dropout,
        **quantised,
    }


def rewards(job: Job) -> Values:
    """Return the names of the rewards and their weights."""
    return {"reward_funcs": list(job.stage.rewards), "reward_weights": list(job.stage.rewards.values())}


def advantages(job: Job) -> Values:
    """Return how rewards are scaled."""
    return {"scale_rewards": "gdpo" if _training(job).advantages == "gdpo" else "group"}


def accumulation(job: Job) -> Values:
    """Return how many micro batches of each process make a step."""
    training = _training(job)
    at_once = training.micro_batch * job.recipe.machines.data_parallel
    return {"gradient_accumulation_steps": training.batch // at_once}


def schedule(job: Job) -> Values:
    """Return the schedule by its name in transformers, whose `constant` has no warm-up."""
    training = _training(job)
    warm = training.schedule == "constant" and training.warmup > 0
    return {"lr_scheduler_type": "constant_with_warmup" if warm else training.schedule}


def megatron_schedule(job: Job) -> Values:
    """Return the schedule, and the rate at its end."""
    training = _training(job)
    least = training.learning_rate if training.schedule == "constant" else 0
    return {"lr_decay_style": training.schedule, "min_lr": least}


def correction(job: Job) -> Values:
    """Return how answers are weighted that the trainer finds less or more likely."""
    mode = _training(job).importance_correction
    return {} if mode == "none" else {"rollout_importance_sampling_mode": mode}


def adam(job: Job) -> Values:
    """Return the two betas of Adam."""
    first, second = _training(job).adam
    return {"adam_beta1": first, "adam_beta2": second}


def top_k(job: Job) -> Values:
    """Return how many tokens are drawn from; ms-swift calls all of them -1."""
    return {"top_k": _training(job).top_k or -1}


def frozen_tower(job: Job) -> Values:
    """Return whether the audio tower stays; ms-swift counts it among the vision towers."""
    return {"freeze_vit": not _training(job).train_audio_tower}


def frozen_projector(job: Job) -> Values:
    """Return whether the projector stays."""
    return {"freeze_aligner": not _training(job).train_projector}


def megatron_precision(job: Job) -> Values:
    """Return which 16-bit type is trained in; neither: float32."""
    dtype = _training(job).dtype
    return {"bf16": dtype == "bfloat16", "fp16": dtype == "float16"}


def recompute(job: Job) -> Values:
    """Return that each layer is computed twice."""
    if not _training(job).checkpointing:
        return {"recompute_granularity": "none"}
    return {"recompute_granularity": "full", "recompute_method": "uniform", "recompute_num_layers": 1}


def weights_only(job: Job) -> Values:
    """Return that checkpoints hold no optimizer, and that none is looked for."""
    if _training(job).save_optimizer:
        return {}
    return {"save_only_model": True, **({} if job.resume is None else {"resume_only_model": True})}


def megatron_weights_only(job: Job) -> Values:
    """Return that checkpoints hold safetensors alone."""
    return {} if _training(job).save_optimizer else {"no_save_optim": True, "no_save_rng": True}


def device(job: Job) -> Values:
    """Return what the processes compute with."""
    machines = job.recipe.machines
    if machines.device == "gpu":
        return {"attn_impl": "flash_attn"}
    # One process alone is no group: the flags for groups would stop it.
    return {"use_cpu": True, "ddp_backend": "gloo"} if machines.processes * machines.nodes > 1 else {}


def zero(job: Job) -> Values:
    """Return the stage of ZeRO."""
    machines = job.recipe.machines
    return {"deepspeed": f"zero{machines.zero}"} if machines.zero and machines.device == "gpu" else {}


def tensor_parallel(job: Job) -> Values:
    """Return tensor parallelism, with sequences split as well."""
    tensor = job.recipe.machines.tensor
    return {"tensor_model_parallel_size": tensor, "sequence_parallel": tensor > 1}


ROLLOUT_FLAGS = (
    *("use_vllm", "vllm_mode", "vllm_server_timeout"),
    *("vllm_max_model_len", "vllm_limit_mm_per_prompt", "sleep_level"),
)


def rollouts(job: Job) -> Values:
    """Return what samples."""
    kind = job.recipe.machines.rollouts
    if kind == "transformers":
        return {"use_vllm": False}
    if kind == "server":
        return {"use_vllm": True, "vllm_mode": "server", "vllm_server_timeout": 600}
    return {
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_max_model_len": longest(_training(job)),
        "vllm_limit_mm_per_prompt": AUDIO_LIMIT,
        "sleep_level": 1,
    }


def longest(training: TrainingSettings) -> int:
    """Return the tokens of the longest prompt with the longest answer."""
    return training.max_prompt_tokens + training.max_new_tokens


_BESIDE = {"rollout_tensor": "vllm_tensor_parallel_size", "rollout_memory": "vllm_gpu_memory_utilization"}


def beside(field: str) -> Callable[[Job], Values]:
    """Return what makes the flag of a setting that only vLLM beside the trainer has."""

    def make(job: Job) -> Values:
        machines: Machines = job.recipe.machines
        return {_BESIDE[field]: getattr(machines, field)} if machines.rollouts == "colocate" else {}

    return make


def rollout_address(job: Job) -> Values:
    """Return where the server of answers is; each node knows its host's name as ROLLOUT_HOST."""
    machines = job.recipe.machines
    if machines.rollouts != "server":
        return {}
    return {"vllm_server_host": "${ROLLOUT_HOST}", "vllm_server_port": machines.rollout_port}
