"""ms-swift 4.6 with Megatron: `megatron rlhf`, for mixtures of experts over many GPUs.

The batch counts answers. An answer's tokens are spread over `tensor` GPUs and its layers over `pipeline` ones; experts
over `expert`. It was never run: a test checks its flags against ms-swift's own classes.
"""

from __future__ import annotations

from dtbench.training.engines.contract import Job
from dtbench.training.engines.ms_swift import SwiftEngine, shared_flags


def megatron_flags(job: Job) -> dict[str, object]:
    """Return the flags of `megatron rlhf`; it saves safetensors under the hub's names beside Megatron's own state."""
    training, machines = job.recipe.training_of(job.stage), job.recipe.machines
    steps = {"train_iters": job.stage.steps} if job.stage.steps else {}
    recompute = {"recompute_granularity": "full", "recompute_method": "uniform", "recompute_num_layers": 1}
    start = {"finetune": True} if job.resume is None else {"mcore_model": str(job.resume), "finetune": False}
    return {
        **{name: value for name, value in shared_flags(job).items() if name != "max_steps"},
        **steps,
        "micro_batch_size": training.micro_batch,
        "global_batch_size": training.batch,
        "steps_per_generation": 1,
        "num_iterations": 1,
        "lr": training.learning_rate,
        "min_lr": training.learning_rate if training.schedule == "constant" else 0,
        "lr_decay_style": training.schedule,
        "lr_warmup_fraction": training.warmup,
        "clip_grad": training.max_grad_norm,
        "bf16": training.dtype == "bfloat16",
        "tensor_model_parallel_size": machines.tensor,
        "pipeline_model_parallel_size": machines.pipeline,
        "expert_model_parallel_size": machines.expert,
        "sequence_parallel": machines.tensor > 1,
        "padding_free": True,
        "attention_backend": "flash",
        "moe_grouped_gemm": True,
        "moe_permute_fusion": True,
        **(recompute if training.checkpointing else {}),
        "rollout_importance_sampling_mode": "token_truncate",
        "log_entropy": True,
        "log_completions": True,
        "save_safetensors": True,
        **start,
        "dataset_num_proc": 8,
        "dataloader_num_workers": 8,
    }


MEGATRON = SwiftEngine("megatron", megatron_flags)
