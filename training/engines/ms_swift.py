"""ms-swift 4.6 in both its forms: `swift rlhf` with transformers, and `megatron rlhf` for mixtures of experts.

engines/flags.py has the flags for the fields of a recipe; here are those that no recipe sets, the environment, the
rollout server and the log. Megatron was never run here: tests compare its commands with ms-swift's own source.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from dtbench.training.engines.contract import Engine, EngineCommand, Job, Metrics
from dtbench.training.engines.flag_values import AUDIO_LIMIT, longest, revision
from dtbench.training.engines.flags import table_flags
from dtbench.training.engines.inside.swift_bridge import (
    ADAPTER_VARIABLE,
    EVALUATOR_VARIABLE,
    PLAN_VARIABLE,
    STOP_VARIABLE,
)
from dtbench.training.engines.judge_server import JUDGE_URL, needs_judge
from dtbench.training.recipe.settings import EngineName

PLUGIN = Path(__file__).parent / "inside" / "swift_plugin.py"
CALLBACK = "dtbench"
"""The name of our callback in ms-swift."""
_NAMES: Mapping[str, str] = {
    "loss": "loss",
    "reward": "reward",
    "reward_std": "reward_std",
    "frac_reward_zero_std": "groups_alike",
    "kl": "kl",
    "entropy/mean": "entropy",
    "entropy/entropy_mean": "entropy",  # Megatron's
    "completions/mean_length": "completion_length",
    "completions/clipped_ratio": "completions_cut",
    "clip_ratio/region_mean": "clip_ratio",
    "cispo_clip_ratio": "clip_ratio",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
    "rollout_correction/k3_kl": "divergence",
    "train_speed(s/it)": "seconds",  # of all steps since the start: where Megatron's log lacks that of each
    "step_time": "seconds",
}
_MODULES = "grad_norm/"
_CLIPPED_TOTAL = "grad_norm/clipped"


def engine_command(job: Job) -> EngineCommand:
    """Return the command that trains the stage; the recipe's [flags] stand above all others."""
    engine = job.recipe.engine
    flags = {**_shared_flags(job), **_ALWAYS[engine], **table_flags(job), **job.recipe.flags}
    return EngineCommand([engine, "rlhf", *command_arguments(flags)], _environment(job))


def rollout_server(job: Job) -> EngineCommand | None:
    """Return the command of the rollout node: copies of the model, each over as many GPUs as one takes."""
    machines, training = job.recipe.machines, job.recipe.training_of(job.stage)
    if machines.rollouts != "server":
        return None
    flags = {
        "model": job.model,
        **revision(job),
        "model_type": job.recipe.model_type,
        "use_hf": True,
        "vllm_tensor_parallel_size": machines.rollout_tensor,
        "vllm_data_parallel_size": machines.processes // machines.rollout_tensor,
        "vllm_max_model_len": longest(training),
        "vllm_gpu_memory_utilization": 0.9,
        "vllm_limit_mm_per_prompt": AUDIO_LIMIT,
        "host": "0.0.0.0",  # the trainers are on other machines
        "port": machines.rollout_port,
    }
    if training.router_replay == "R3":
        flags["vllm_engine_kwargs"] = json.dumps({"enable_return_routed_experts": True})
    return EngineCommand(["swift", "rollout", *command_arguments(flags)], {"ENABLE_AUDIO_OUTPUT": "0"})


def step_metrics(line: Mapping[str, object]) -> Metrics | None:
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


def _shared_flags(job: Job) -> dict[str, object]:
    """Return the flags that both forms have and no recipe sets."""
    return {
        "rlhf_type": "grpo",
        "use_hf": True,  # as evaluations do
        "check_model": False,  # else it asks a hub whether the folder is the newest
        "dataset": str(job.data),
        "load_from_cache_file": False,
        "split_dataset_ratio": 0,
        "external_plugins": str(PLUGIN),
        "callbacks": CALLBACK,
        "logging_steps": 1,
        "log_rollout_offpolicy_metrics": True,
        "log_entropy": True,
        "log_completions": True,
        "output_dir": str(job.out),
        "add_version": False,
    }


_ALWAYS: Mapping[EngineName, Mapping[str, object]] = {
    "swift": {"save_strategy": "steps", "dataset_num_proc": 1, "dataloader_num_workers": 0, "report_to": "none"},
    "megatron": {
        "tuner_type": "full",
        "steps_per_generation": 1,
        "num_iterations": 1,
        "padding_free": True,
        "attention_backend": "flash",
        "moe_grouped_gemm": True,
        "moe_permute_fusion": True,
        "save_safetensors": True,  # under the hub's names, beside Megatron's own state
        "dataset_num_proc": 8,
        "dataloader_num_workers": 8,
    },
}
"""What no recipe sets, of each form."""


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
        variables |= {"NNODES": str(machines.nodes), "NODE_RANK": "${NODE_RANK}"}
        variables |= {"MASTER_ADDR": "${MASTER_ADDR}", "MASTER_PORT": str(machines.port)}
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


SWIFT = Engine(command=engine_command, server=rollout_server, metrics=step_metrics)
ENGINES: Mapping[EngineName, Engine] = {"swift": SWIFT, "megatron": SWIFT}
"""The engines of recipes; another one is an entry here, a column in engines/flags.py, and its name in settings.py."""
