"""ms-swift 4.6 with transformers: `swift rlhf`, on CPUs, one GPU, one node or several."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from dtbench.training.engines.contract import Command, Job, Metrics
from dtbench.training.engines.inside.swift_bridge import PLAN_VARIABLE, STOP_VARIABLE
from dtbench.training.recipe.recipe import Machines, TrainingSettings

PLUGIN = Path(__file__).parent / "inside" / "swift_plugin.py"
WATCH = "dtbench"
"""The name of our callback there."""
HEARD_BY_ANSWERS = json.dumps({"audio": 1, "image": 0, "video": 0})
LOG = "logging.jsonl"
"""Where both forms of ms-swift write a line a step, in their folder."""
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


class Swift:
    """`swift rlhf`."""

    def command(self, job: Job) -> Command:
        """Gradients are summed until a step's batch is whole."""
        flags = {**shared_flags(job), **_own_flags(job), **_place_flags(job.recipe.machines)}
        if job.resume is not None:
            flags["resume_from_checkpoint"] = str(job.resume)
        return Command(["swift", "rlhf", *arguments({**flags, **job.recipe.flags})], environment(job))

    def server(self, job: Job) -> Command | None:
        """`swift rollout`, where a node only answers."""
        return rollout_server(job)

    def metrics(self, line: Mapping[str, object]) -> Metrics | None:
        """A line of logging.jsonl."""
        return read_metrics(line)


SWIFT = Swift()


def shared_flags(job: Job) -> dict[str, object]:
    """What `swift rlhf` and `megatron rlhf` call by the same names."""
    recipe, training = job.recipe, job.recipe.training_of(job.stage)
    length = {"max_steps": job.stage.steps} if job.stage.steps else {"num_train_epochs": job.stage.epochs}
    return {
        "rlhf_type": "grpo",
        "model": job.model,
        "model_type": recipe.model_type,
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
        "tuner_type": "full",
        "freeze_vit": not training.train_audio_tower,
        "freeze_aligner": not training.train_projector,
        **length,
        "save_steps": training.save_every,
        "logging_steps": 1,
        "log_rollout_offpolicy_metrics": True,
        "output_dir": str(job.out),
        "add_version": False,
        "seed": recipe.seed + (job.stage.seed_offset or 0),
        **_answering_flags(recipe.machines, training),
    }


def _answering_flags(machines: Machines, training: TrainingSettings) -> dict[str, object]:
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
        "vllm_limit_mm_per_prompt": HEARD_BY_ANSWERS,
        "sleep_level": 1,
    }


def _own_flags(job: Job) -> dict[str, object]:
    training, machines = job.recipe.training_of(job.stage), job.recipe.machines
    return {
        "callbacks": WATCH,
        "check_model": False,  # else it asks a hub whether the folder is the newest
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
    }


def _place_flags(machines: Machines) -> dict[str, object]:
    if machines.device == "cpu":  # one process alone is no group: the flags for groups would stop it
        return {"use_cpu": True, "ddp_backend": "gloo"} if machines.processes > 1 else {}
    zero = {"deepspeed": f"zero{machines.zero}"} if machines.zero else {}
    return {"attn_impl": "flash_attn", **zero}


def environment(job: Job) -> dict[str, str]:
    """What the engine and our plug-in read from the environment."""
    machines = job.recipe.machines
    given = {
        PLAN_VARIABLE: str(job.rewards),
        STOP_VARIABLE: str(job.stopped),
        "ENABLE_AUDIO_OUTPUT": "0",  # only the thinker is trained and saved
        "swift_audio_load_backend": "soundfile_pyav",  # as vLLM does; librosa compiles for 15 s at the first clip
        "OMP_NUM_THREADS": str(machines.threads),
    }
    if machines.processes > 1 or machines.nodes > 1:
        given["NPROC_PER_NODE"] = str(machines.processes)
    if machines.nodes > 1:
        given |= {"NNODES": str(machines.nodes), "NODE_RANK": "${NODE_RANK}", "MASTER_ADDR": "${MASTER_ADDR}"}
    if machines.device == "cpu":
        return given | {"CUDA_VISIBLE_DEVICES": ""}
    return given | {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}


def rollout_server(job: Job) -> Command | None:
    """The node that only answers: copies of the model, each over as many GPUs as one takes."""
    machines, training = job.recipe.machines, job.recipe.training_of(job.stage)
    if machines.rollouts != "server":
        return None
    flags = {
        "model": job.model,
        "model_type": job.recipe.model_type,
        "vllm_tensor_parallel_size": machines.rollout_tensor,
        "vllm_data_parallel_size": machines.processes // machines.rollout_tensor,
        "vllm_max_model_len": training.max_prompt_tokens + training.max_new_tokens,
        "vllm_gpu_memory_utilization": 0.9,
        "vllm_limit_mm_per_prompt": HEARD_BY_ANSWERS,
        "host": "0.0.0.0",  # the trainers are on other machines
        "port": machines.rollout_port,
    }
    return Command(["swift", "rollout", *arguments(flags)], {"ENABLE_AUDIO_OUTPUT": "0"})


def arguments(flags: Mapping[str, object]) -> Sequence[str]:
    """Flags as ms-swift's command line has them."""
    found: list[str] = []
    for name, value in flags.items():
        values = value if isinstance(value, list) else [value]
        found += [f"--{name}", *(_text(one) for one in values)]
    return found


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def read_metrics(line: Mapping[str, object]) -> Metrics | None:
    """Figures of a step under our names; gradients of modules as they were before they were clipped together."""
    at = line.get("global_step/max_steps", line.get("iteration"))  # the second is Megatron's
    if not isinstance(at, str) or "loss" not in line:
        return None
    figures = {name: float(value) for name, value in line.items() if isinstance(value, int | float)}
    found: Metrics = {"step": float(at.partition("/")[0])}
    found |= {ours: figures[theirs] for theirs, ours in _NAMES.items() if theirs in figures}
    for name, value in figures.items():
        if name.startswith("rewards/") and name.endswith("/mean"):
            found[f"reward/{name.split('/')[1]}"] = value
    clipped = figures.get(_CLIPPED_TOTAL, 0.0)
    before = figures.get("grad_norm", 0.0) / clipped if clipped else 1.0
    for name, value in figures.items():
        if name.startswith(_MODULES) and name != _CLIPPED_TOTAL:
            found[name] = value * before
    return found
