"""What a node runs in an attempt: the engine's command with what only this attempt knows, and the judge's server."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Mapping, Sequence

from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.known_secrets import remember_secret
from dtbench.training.engines.contract import EngineCommand, Job
from dtbench.training.engines.inside.swift_bridge import PLAN_VARIABLE
from dtbench.training.engines.launch import fill_placeholders, get_engine
from dtbench.training.nodes.shared import Attempt, NodesFolder
from dtbench.training.recipe.settings import JudgeServer, Recipe

JUDGE = "judge"
"""The value of the rewards' setting `evaluator` that means the server of [judge]."""
JUDGE_KEY_VARIABLE = "DTBENCH_JUDGE_KEY"
SERVED = "model"
"""The name under which the judge's server has its model."""
HEALTH_SECONDS = 2.0


def trainer_command(job: Job, attempt: Attempt, index: int, folder: NodesFolder) -> EngineCommand:
    """Return the engine's command on this node of an attempt: the same one everywhere, but for the rank."""
    nodes = attempt["nodes"]
    values = {**os.environ, "NODE_RANK": str(next(node["rank"] for node in nodes if node["index"] == index))}
    values["MASTER_ADDR"] = next(node["address"] for node in nodes if node["index"] == 0)
    for node in nodes:
        if node["role"] == "rollout":
            values["ROLLOUT_HOST"] = node["address"]
    command = fill_placeholders(get_engine(job.recipe.engine).command(job), values)
    if job.recipe.rewards.get("evaluator") != JUDGE:
        return command
    return EngineCommand(command.arguments, {**command.environment, **_judged(job, attempt, index, folder)})


def _judged(job: Job, attempt: Attempt, index: int, folder: NodesFolder) -> Mapping[str, str]:
    """Write this node's reward plan, with the address of a judge in it; return what its engine's environment gets."""
    judge = job.recipe.judge
    addresses = [node["address"] for node in attempt["nodes"] if node["role"] == JUDGE]
    assert judge is not None  # a recipe without one is refused
    assert addresses
    plan = json.loads(job.reward_plan.read_bytes())
    settings, options = plan["settings"], plan["settings"].get("evaluator_options", {})
    settings["evaluator"] = f"http://{addresses[index % len(addresses)]}:{judge.port}/v1"
    settings["evaluator_model"] = SERVED
    settings["evaluator_options"] = {**options, "key_variable": JUDGE_KEY_VARIABLE}
    replace_whole(folder.plan(index), json.dumps(plan, ensure_ascii=False).encode())
    key = folder.read_key()
    remember_secret(key)
    return {PLAN_VARIABLE: str(folder.plan(index)), JUDGE_KEY_VARIABLE: key}


def judge_command(judge: JudgeServer, program: str = "vllm") -> EngineCommand:
    """Return the command that serves the judge's model to other nodes; its key comes by the environment."""
    flags: Mapping[str, object] = {
        "served-model-name": SERVED,
        "host": "0.0.0.0",  # the trainers are on other machines
        "port": judge.port,
        "tensor-parallel-size": judge.tensor,
        "data-parallel-size": max(1, judge.gpus // judge.tensor),
        "max-model-len": judge.max_model_tokens,
    }
    arguments: Sequence[str] = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    safe = {
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_SERVER_DEV_MODE": "0",
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "0",
        "VLLM_ALLOW_INSECURE_SERIALIZATION": "0",
    }
    return EngineCommand([program, "serve", judge.model, *arguments], safe)


def health_path(role: str) -> str:
    """Return the path at which a server with this role says that it is healthy."""
    return "/health/" if role == "rollout" else "/health"


def server_port(recipe: Recipe, role: str) -> int:
    """Return the port of a server with this role."""
    if role == JUDGE:
        assert recipe.judge is not None
        return recipe.judge.port
    return recipe.machines.rollout_port


def is_healthy(host: str, port: int, path: str) -> bool:
    """Whether a server answers there that it is healthy."""
    connection = http.client.HTTPConnection(host, port, timeout=HEALTH_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
