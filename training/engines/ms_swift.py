"""ms-swift 4.6 with transformers: `swift rlhf`, on CPUs, one GPU, one node or several."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dtbench.training.engines.adapters import target_regex
from dtbench.training.engines.contract import EngineCommand, Job, Metrics
from dtbench.training.engines.dev_figures import dev_flags
from dtbench.training.engines.inside.swift_bridge import (
    ADAPTER_VARIABLE,
    EVALUATOR_VARIABLE,
    PLAN_VARIABLE,
    STOP_VARIABLE,
)
from dtbench.training.engines.judge_server import JUDGE_URL, needs_judge
from dtbench.training.recipe.settings import Machines, Recipe, TrainingSettings

PLUGIN = Path(__file__).parent / "inside" / "swift_plugin.py"
CALLBACK = "dtbench"
"""The name of our callback in ms-swift."""
AUDIO_LIMIT = json.dumps({"audio": 1, "image": 0, "video": 0})
_NAMES: Mapping[str, str] = {
    "loss": "loss",
    "reward": "reward",
    "reward_std": "reward_std",
    "frac_reward_zero_std": "groups_alike",
    "kl": "kl",
    "entropy/mean": "entropy",
    "completions/mean_length": "completion_length",
    "completions/clipped_ratio": "completions_cut",
    "clip_ratio/region_mean": "clip_ratio",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
    "rollout_correction/k3_kl": "divergence",
    "step_time": "seconds",
}
_MODULES = "grad_norm/"
_CLIPPED_TOTAL = "grad_norm/clipped"


@dataclass(frozen=True, slots=True)
class SwiftEngine:
    """A form of ms-swift: `swift rlhf`, or `megatron rlhf`."""

    program: str
    flags: Callable[[Job], Mapping[str, object]]

    def command(self, job: Job) -> EngineCommand:
        """Return the command that trains the stage."""
        arguments = command_arguments({**self.flags(job), **job.recipe.flags})
        return EngineCommand([self.program, "rlhf", *arguments], _environment(job))

    def server(self, job: Job) -> EngineCommand | None:
        """Return the command of the rollout node: copies of the model, each over as many GPUs as one takes."""
        machines, training = job.recipe.machines, job.recipe.training_of(job.stage)
        if machines.rollouts != "server":
            return None
        flags = {
            **model_flags(job),
            "vllm_tensor_parallel_size": machines.rollout_tensor,
            "vllm_data_parallel_size": machines.processes // machines.rollout_tensor,
            "vllm_max_model_len": training.max_prompt_tokens + training.max_new_tokens,
            "vllm_gpu_memory_utilization": 0.9,
            "vllm_limit_mm_per_prompt": AUDIO_LIMIT,
            "host": "0.0.0.0",  # the trainers are on other machines
            "port": machines.rollout_port,
        }
        return EngineCommand(["swift", "rollout", *command_arguments(flags)], {"ENABLE_AUDIO_OUTPUT": "0"})

    def metrics(self, line: Mapping[str, object]) -> Metrics | None:
        """Parse the metrics of a step under our names; gradients of modules are those before clipping."""
        progress = line.get("global_step/max_steps", line.get("iteration"))  # the second is Megatron's
        if not isinstance(progress, str) or "loss" not in line:
            return None
        values = {name: float(value) for name, value in line.items() if isinstance(value, int | float)}
        metrics: Metrics = {"step": float(progress.partition("/")[0])}
        metrics |= {ours: values[theirs] for theirs, ours in _NAMES.items() if theirs in values}
        for name, value in values.items():
            if name.startswith("rewards/") and name.endswith("/mean"):
                metrics[f"reward/{name.split('/')[1]}"] = value
        clipped = values.get(_CLIPPED_TOTAL, 0.0)
        before = values.get("grad_norm", 0.0) / clipped if clipped else 1.0
        for name, value in values.items():
            if name.startswith(_MODULES) and name != _CLIPPED_TOTAL:
                metrics[name] = value * before
        return metrics


def model_flags(job: Job) -> dict[str, object]:
    """Return the flags that name the model, which comes from the hub that evaluations take it from."""
    revision = job.recipe.revision if job.model == job.recipe.model else None
    pinned = {} if revision is None else {"model_revision": revision}
    return {"model": job.model, **pinned, "model_type": job.recipe.model_type, "use_hf": True}


def shared_flags(job: Job) -> dict[str, object]:
    """Return the flags that `swift rlhf` and `megatron rlhf` share."""
    recipe, training = job.recipe, job.recipe.training_of(job.stage)
    length = {"max_steps": job.stage.steps} if job.stage.steps else {"num_train_epochs": job.stage.epochs}
    return {
        "rlhf_type": "grpo",
        **model_flags(job),
        "check_model": False,  # else it asks a hub whether the folder is the newest
        "dataset": str(job.data),
        "load_from_cache_file": False,
        "split_dataset_ratio": 0,
        "external_plugins": str(PLUGIN),
        "reward_funcs": list(job.stage.rewards),
        "reward_weights": list(job.stage.rewards.values()),
        "scale_rewards": "gdpo" if training.advantages == "gdpo" else "group",
        "loss_type": "grpo",
        "epsilon": training.clip,
        "beta": training.beta,
        "num_generations": training.generations,
        "max_length": training.max_prompt_tokens,
        "truncation_strategy": "delete",
        "max_completion_length": training.max_new_tokens,
        "temperature": training.temperature,
        "top_p": training.top_p,
        "top_k": training.top_k or -1,
        **_tuner_flags(recipe),
        "freeze_vit": not training.train_audio_tower,
        "freeze_aligner": not training.train_projector,
        **length,
        "save_steps": training.save_every,
        "logging_steps": 1,
        "log_rollout_offpolicy_metrics": True,
        "output_dir": str(job.out),
        "add_version": False,
        "seed": recipe.seed + (job.stage.seed_offset or 0),
        **_rollout_flags(recipe.machines, training),
    }


def _tuner_flags(recipe: Recipe) -> dict[str, object]:
    """Return what is trained: all weights, or an adapter of the language model on a base that may be quantised."""
    adapter = recipe.adapter
    if adapter is None:
        return {"tuner_type": "full"}
    quantised: dict[str, object] = {}
    if adapter.base_bits != 16:
        quantised = {"quant_method": "bnb", "quant_bits": adapter.base_bits}
        if adapter.base_bits == 4:
            quantised["bnb_4bit_compute_dtype"] = recipe.training.dtype
    return {
        "tuner_type": "lora",
        "target_regex": target_regex(adapter.targets),
        "lora_rank": adapter.rank,
        "lora_alpha": adapter.alpha,
        "lora_dropout": adapter.dropout,
        **quantised,
    }


def _rollout_flags(machines: Machines, training: TrainingSettings) -> dict[str, object]:
    if machines.rollouts == "transformers":
        return {"use_vllm": False}
    if machines.rollouts == "server":
        host = "${ROLLOUT_HOST}"
        server = {"vllm_server_host": host, "vllm_server_port": machines.rollout_port, "vllm_server_timeout": 600}
        return {"use_vllm": True, "vllm_mode": "server", **server}
    return {
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_tensor_parallel_size": machines.rollout_tensor,
        "vllm_gpu_memory_utilization": machines.rollout_memory,
        "vllm_max_model_len": training.max_prompt_tokens + training.max_new_tokens,
        "vllm_limit_mm_per_prompt": AUDIO_LIMIT,
        "sleep_level": 1,
    }


def swift_flags(job: Job) -> dict[str, object]:
    """Return the flags of `swift rlhf`; gradients are accumulated until a step's batch is complete."""
    training, machines = job.recipe.training_of(job.stage), job.recipe.machines
    resume = {} if job.resume is None else {"resume_from_checkpoint": str(job.resume)}
    device: dict[str, object] = {}
    if machines.device == "gpu":
        device["attn_impl"] = "flash_attn"
        if machines.zero:
            device["deepspeed"] = f"zero{machines.zero}"
    elif machines.processes > 1:  # one process alone is no group: the flags for groups would stop it
        device = {"use_cpu": True, "ddp_backend": "gloo"}
    return {
        **shared_flags(job),
        "callbacks": CALLBACK,
        "torch_dtype": training.dtype,
        "per_device_train_batch_size": training.micro_batch,
        "gradient_accumulation_steps": training.batch // (training.micro_batch * machines.data_parallel),
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": training.schedule,
        "warmup_ratio": training.warmup,
        "max_grad_norm": training.max_grad_norm,
        "gradient_checkpointing": training.checkpointing,
        "save_strategy": "steps",
        "save_total_limit": training.keep,
        "log_entropy": True,
        "log_completions": True,
        "dataset_num_proc": 1,
        "dataloader_num_workers": 0,
        "report_to": "none",
        **dev_flags(job),
        **device,
        **resume,
    }


def _environment(job: Job) -> dict[str, str]:
    """Return the environment variables of the engine and of our plug-in."""
    machines = job.recipe.machines
    variables = {
        PLAN_VARIABLE: str(job.reward_plan),
        STOP_VARIABLE: str(job.stop_file),
        "ENABLE_AUDIO_OUTPUT": "0",  # only the thinker is trained and saved
        "SWIFT_AUDIO_LOAD_BACKEND": "soundfile_pyav",  # as vLLM does; librosa compiles for 15 s at the first clip
        "OMP_NUM_THREADS": str(machines.threads),
    }
    if needs_judge(job.recipe, job.stage):
        variables[EVALUATOR_VARIABLE] = f"${{{JUDGE_URL}}}"
    if job.recipe.adapter is not None:
        variables[ADAPTER_VARIABLE] = ",".join(job.recipe.adapter.targets)
    if machines.processes > 1 or machines.nodes > 1:
        variables["NPROC_PER_NODE"] = str(machines.processes)
    if machines.nodes > 1:
        variables |= {"NNODES": str(machines.nodes), "NODE_RANK": "${NODE_RANK}", "MASTER_ADDR": "${MASTER_ADDR}"}
    if machines.device == "cpu":
        return variables | {"CUDA_VISIBLE_DEVICES": ""}
    return variables | {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}


def command_arguments(flags: Mapping[str, object]) -> Sequence[str]:
    """Return flags as arguments of ms-swift's command line."""
    arguments: list[str] = []
    for name, value in flags.items():
        values = value if isinstance(value, list) else [value]
        arguments += [f"--{name}", *(_text(one) for one in values)]
    return arguments


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


SWIFT = SwiftEngine("swift", swift_flags)
