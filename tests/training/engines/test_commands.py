from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from command import call

from dtbench.training.engines.contract import EngineCommand
from dtbench.training.engines.launch import get_engine
from dtbench.training.engines.ms_swift import PLUGIN
from dtbench.training.recipe.recipe import load_recipe, override, recipe_names
from dtbench.training.recipe.settings import Validation
from dtbench.training.stages.jobs import stage_job
from dtbench.training.stages.layout import Layout

OUT = Path("/runs/x")
QWEN3_OMNI = """
--rlhf_type grpo --use_hf true --check_model false --dataset /runs/x/stage-1/questions.jsonl
--load_from_cache_file false --split_dataset_ratio 0 --external_plugins PLUGIN --callbacks dtbench
--logging_steps 1 --log_rollout_offpolicy_metrics true --log_entropy true --log_completions true
--output_dir /runs/x/stage-1/engine --add_version false
--tuner_type full --steps_per_generation 1 --num_iterations 1 --padding_free true --attention_backend flash
--moe_grouped_gemm true --moe_permute_fusion true --save_safetensors true --dataset_num_proc 8
--dataloader_num_workers 8
--finetune true --model Qwen/Qwen3-Omni-30B-A3B-Instruct --model_type qwen3_omni_moe --seed 0
--reward_funcs accuracy format consistency hybrid --reward_weights 1 1 1 1 --train_iters 500 --scale_rewards gdpo
--beta 0.001 --num_generations 8 --global_batch_size 224 --micro_batch_size 4 --lr 1e-06 --lr_decay_style constant
--min_lr 1e-06 --lr_warmup_fraction 0.01 --epsilon 0.2 --loss_type grpo --importance_sampling_level token
--rollout_importance_sampling_mode token_truncate --router_replay_mode R3 --dynamic_sample false
--max_resample_times 3 --overlong_filter false --weight_decay 0.1 --adam_beta1 0.9 --adam_beta2 0.95 --clip_grad 1
--max_length 4096 --truncation_strategy left --max_completion_length 1024 --temperature 1 --top_p 0.99 --top_k 50
--freeze_vit true --freeze_aligner true --bf16 true --fp16 false --recompute_granularity full
--recompute_method uniform --recompute_num_layers 1 --save_steps 50 --save_total_limit 2
--tensor_model_parallel_size 4 --sequence_parallel true --pipeline_model_parallel_size 2
--expert_model_parallel_size 4 --use_vllm true --vllm_mode server --vllm_server_timeout 600
--vllm_server_host ${ROLLOUT_HOST} --vllm_server_port 8000
"""
QWEN25_OMNI = """
--rlhf_type grpo --use_hf true --check_model false --dataset /runs/x/stage-1/questions.jsonl
--load_from_cache_file false --split_dataset_ratio 0 --external_plugins PLUGIN --callbacks dtbench
--logging_steps 1 --log_rollout_offpolicy_metrics true --log_entropy true --log_completions true
--output_dir /runs/x/stage-1/engine --add_version false
--save_strategy steps --dataset_num_proc 1 --dataloader_num_workers 0 --report_to none
--model Qwen/Qwen2.5-Omni-7B --model_type qwen2_5_omni --seed 0 --tuner_type full
--reward_funcs accuracy format consistency hybrid --reward_weights 1 1 1 1 --max_steps 500 --scale_rewards gdpo
--beta 0.001 --num_generations 8 --gradient_accumulation_steps 7 --per_device_train_batch_size 4
--learning_rate 1e-06 --lr_scheduler_type constant_with_warmup --warmup_ratio 0.01 --epsilon 0.2 --loss_type grpo
--importance_sampling_level token --dynamic_sample false --max_resample_times 3 --overlong_filter false
--weight_decay 0.1 --adam_beta1 0.9 --adam_beta2 0.95 --max_grad_norm 1 --max_length 4096
--truncation_strategy left --max_completion_length 1024 --temperature 1 --top_p 0.99 --top_k 50 --freeze_vit true
--freeze_aligner true --torch_dtype bfloat16 --gradient_checkpointing true --save_steps 50 --save_total_limit 2
--attn_impl flash_attn --deepspeed zero2 --use_vllm true --vllm_mode colocate --vllm_max_model_len 5120
--vllm_limit_mm_per_prompt {"audio": 1, "image": 0, "video": 0} --sleep_level 1 --vllm_tensor_parallel_size 1
--vllm_gpu_memory_utilization 0.4
"""


def commands(name: str, resume: Path | None = None) -> list[EngineCommand]:
    """The engine's command of each stage."""
    recipe = load_recipe(name)
    return [get_engine(recipe.engine).command(stage_job(recipe, stage, Layout(OUT), resume)) for stage in recipe.stage]


def flat(command: EngineCommand) -> str:
    """Its arguments as one line, wherever dtbench lies."""
    return " ".join(command.arguments).replace(str(PLUGIN), "PLUGIN")


def test_qwen3_omni_is_trained_with_megatron_by_exactly_this_command() -> None:
    first, second = commands("qwen3-omni-30b")
    assert flat(first) == "megatron rlhf " + " ".join(QWEN3_OMNI.split())
    assert first.environment == {
        "DTBENCH_EVALUATOR": "${JUDGE_URL}",
        "DTBENCH_REWARDS": "/runs/x/stage-1/rewards.json",
        "DTBENCH_STOPPED": "/runs/x/stage-1/stopped.json",
        "ENABLE_AUDIO_OUTPUT": "0",
        "SWIFT_AUDIO_LOAD_BACKEND": "soundfile_pyav",
        "OMP_NUM_THREADS": "8",
        "NPROC_PER_NODE": "8",
        "NNODES": "7",
        "NODE_RANK": "${NODE_RANK}",
        "MASTER_ADDR": "${MASTER_ADDR}",
        "MASTER_PORT": "29500",
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
    }
    told = flat(second).replace("stage-2", "stage-1")
    differing = QWEN3_OMNI.replace("Qwen/Qwen3-Omni-30B-A3B-Instruct", "/runs/x/stage-1/model")
    differing = differing.replace("--train_iters 500", "--num_train_epochs 1")
    differing = differing.replace("accuracy format consistency hybrid", "accuracy evaluator").replace("1 1 1 1", "1 1")
    assert told == "megatron rlhf " + " ".join(differing.split())


def test_qwen3_omni_is_answered_for_by_a_node_of_its_own() -> None:
    recipe = load_recipe("qwen3-omni-30b")
    server = get_engine(recipe.engine).server(stage_job(recipe, recipe.stage[1], Layout(OUT)))
    assert server is not None
    assert " ".join(server.arguments) == (
        "swift rollout --model /runs/x/stage-1/model --model_type qwen3_omni_moe --use_hf true "
        "--vllm_tensor_parallel_size 4 --vllm_data_parallel_size 2 --vllm_max_model_len 5120 "
        "--vllm_gpu_memory_utilization 0.9 "
        '--vllm_limit_mm_per_prompt {"audio": 1, "image": 0, "video": 0} --host 0.0.0.0 --port 8000 '
        '--vllm_engine_kwargs {"enable_return_routed_experts": true}'
    )


def test_qwen2_5_omni_is_trained_by_exactly_this_command() -> None:
    assert flat(commands("qwen2.5-omni-7b")[0]) == "swift rlhf " + " ".join(QWEN25_OMNI.split())


def test_a_stage_goes_on_from_a_checkpoint_while_its_reference_stays_the_start_of_the_stage() -> None:
    (_, swift), (_, megatron) = (commands(name, Path("/c/checkpoint-50")) for name in ("mini", "qwen3-omni-30b"))
    assert "--resume_from_checkpoint /c/checkpoint-50" in flat(swift)
    assert "--mcore_model /c/checkpoint-50" in flat(megatron)
    assert "--finetune false" in flat(megatron)
    assert all("--model /runs/x/stage-1/model" in flat(one) for one in (swift, megatron))


def test_the_revision_of_a_recipe_is_that_of_its_own_checkpoint_alone() -> None:
    recipe = dataclasses.replace(load_recipe("qwen3-omni-30b"), revision="abc123")
    first, second = (stage_job(recipe, stage, Layout(OUT)) for stage in recipe.stage)
    engine = get_engine(recipe.engine)
    for command in (engine.command(first), engine.server(first)):
        assert command is not None
        assert "--model Qwen/Qwen3-Omni-30B-A3B-Instruct --model_revision abc123" in flat(command)
    for command in (engine.command(second), engine.server(second)):
        assert command is not None
        assert "--model_revision" not in command.arguments
    assert override(recipe, model="org/other", seed=None).revision is None


def test_a_recipes_own_flags_stand_above_ours() -> None:
    recipe = dataclasses.replace(load_recipe("mini"), flags={"seed": 9, "tau_pos": 1.5})
    told = flat(get_engine("swift").command(stage_job(recipe, recipe.stage[0], Layout(OUT))))
    assert "--seed 9" in told
    assert "--seed 0" not in told
    assert told.endswith("--tau_pos 1.5")


@pytest.mark.parametrize("name", recipe_names())
def test_a_dry_run_prints_what_would_be_started_and_touches_nothing(name: str, tmp_path: Path) -> None:
    done = call("train", name, "--out", tmp_path / "run", "--dry-run", "--model", "org/model")
    assert done.code == 0
    stages = [stage.name for stage in load_recipe(name).stage]
    assert done.out.count("rlhf \\\n") == len(stages)
    assert f"--output_dir {tmp_path}/run/{stages[-1]}/engine" in done.out
    assert list(tmp_path.iterdir()) == []


DEV = """
--val_dataset /runs/x/stage-1/dev.jsonl --eval_strategy steps --eval_steps 100 --per_device_eval_batch_size 4
--num_generations_eval 1 --metric_for_best_model rewards/accuracy/mean --greater_is_better true
"""


def test_a_dev_split_is_measured_by_the_engine_which_spares_the_best_checkpoint() -> None:
    plain = load_recipe("qwen2.5-omni-7b")
    validation = Validation(data=("dev.jsonl",), every=100, questions=64)
    recipe = dataclasses.replace(plain, validation=validation)
    assert " ".join(DEV.split()) in flat(get_engine("swift").command(stage_job(recipe, recipe.stage[0], Layout(OUT))))
    weighted = dataclasses.replace(recipe, validation=dataclasses.replace(validation, metric="reward"))
    told = flat(get_engine("swift").command(stage_job(weighted, recipe.stage[0], Layout(OUT))))
    assert "--metric_for_best_model reward --greater_is_better true" in told
