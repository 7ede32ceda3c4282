"""What we say of `megatron rlhf` is what ms-swift's own source does; none of it runs as a whole without GPUs."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import json
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trainer import engine_place

from dtbench.harness.core.errors import UserError
from dtbench.training.engines.ms_swift import step_metrics
from dtbench.training.recipe.recipe import check_recipe, load_recipe

pytestmark = pytest.mark.engine


def function_of(file: str, name: str, **around: Any) -> Callable[..., Any]:
    """A function of ms-swift's Megatron, run alone: its module would import Megatron itself."""
    (source,) = engine_place().glob(f"lib/python3*/site-packages/swift/megatron/{file}")
    tree = ast.parse(source.read_text(encoding="utf-8"))
    found = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == name)
    found.decorator_list = []
    space: dict[str, Any] = dict(around)
    exec(compile(ast.Module([found], []), str(source), "exec"), space)
    return space[name]  # type: ignore[no-any-return]


def is_ours(batch: int, generations: int, micro: int, nodes: int) -> bool:
    """Whether our check takes these settings."""
    recipe = load_recipe("qwen3-omni-30b")
    training = dataclasses.replace(recipe.training, batch=batch, generations=generations, micro_batch=micro)
    machines = dataclasses.replace(recipe.machines, nodes=nodes)
    try:
        check_recipe(dataclasses.replace(recipe, training=training, machines=machines), "own.toml")
    except UserError:
        return False
    return True


def test_batches_that_we_take_are_those_that_the_engine_takes() -> None:
    align = function_of("arguments/megatron_args.py", "validate_batch_dp_alignment")

    def is_theirs(batch: int, generations: int, micro: int, nodes: int) -> bool:
        if batch % generations or batch % (micro * nodes):
            return False
        try:
            align(batch, generations, nodes, micro, nodes * 8)
        except ValueError:
            return False
        return True

    settings = list(itertools.product((56, 64, 112, 128, 224, 448), (4, 8, 16), (1, 2, 4), (1, 2, 4, 7)))
    ours = [one for one in settings if is_ours(*one)]
    assert ours == [one for one in settings if is_theirs(*one)]
    assert 0 < len(ours) < len(settings)
    assert (112, 8, 4, 7) not in ours
    assert (224, 8, 4, 7) in ours


def test_a_line_of_megatrons_log_is_read_as_its_own_code_writes_it(tmp_path: Path) -> None:
    torch = types.SimpleNamespace(cuda=types.SimpleNamespace(max_memory_reserved=lambda: 2**30))
    around = {"torch": torch, "time": time, "reduce_max_stat_across_model_parallel_group": float}
    write = function_of("callbacks/print.py", "on_log", format_time=lambda seconds: f"{seconds:.0f}s", **around)
    written: list[dict[str, Any]] = []
    callback = types.SimpleNamespace(
        state=types.SimpleNamespace(iteration=12),
        args=types.SimpleNamespace(train_iters=40),
        start_step=10,
        start_time=time.time() - 60,
        jsonl_writer=types.SimpleNamespace(append=written.append),
        is_write_rank=False,
    )
    logs = {"loss": 0.25, "reward": 1.5, "rewards/accuracy/mean": 0.5, "completions/mean_length": 30.0, "kl": 0.001}
    write(callback, {**logs, "entropy/entropy_mean": 0.7, "rollout_correction/k3_kl": 0.004, "grad_norm": 2.0})
    found = step_metrics(json.loads(json.dumps(written[0])))
    assert found is not None
    assert found["seconds"] == pytest.approx(30, abs=1)  # sixty seconds since the start, two steps
    wanted = {"step": 12, "loss": 0.25, "reward": 1.5, "reward/accuracy": 0.5, "completion_length": 30.0, "kl": 0.001}
    wanted |= {"entropy": 0.7, "divergence": 0.004, "grad_norm": 2.0}
    assert {name: found[name] for name in wanted} == wanted


def test_the_callback_of_ours_is_called_before_the_line_is_written() -> None:
    (source,) = engine_place().glob("lib/python3*/site-packages/swift/megatron/arguments/megatron_args.py")
    assert "self.callbacks += ['print', 'default_flow']" in source.read_text(encoding="utf-8")
