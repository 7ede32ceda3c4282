"""What a node runs in an attempt: the engine's command with what only this attempt knows, and the judge's server."""

from __future__ import annotations

import http.client
import os
from collections.abc import Mapping, Sequence

from dtbench.harness.store.known_secrets import remember_secret
from dtbench.training.engines.contract import EngineCommand, Job
from dtbench.training.engines.inside.swift_bridge import JUDGE_KEY_VARIABLE
from dtbench.training.engines.judge_server import JUDGE_URL, judge_command
from dtbench.training.engines.launch import fill_placeholders, get_engine
from dtbench.training.nodes.shared import Attempt, Member, NodesFolder
from dtbench.training.recipe.reward_settings import JUDGE
from dtbench.training.recipe.settings import Recipe

_SAFE = {
    "VLLM_SERVER_DEV_MODE": "0",
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "0",  # else a request may name any folder as an adapter
    "VLLM_ALLOW_INSECURE_SERIALIZATION": "0",
}
HEALTH_SECONDS = 2.0


def attempt_addresses(nodes: Sequence[Member], given: Mapping[str, str]) -> dict[str, str]:
    """Return what placeholders of commands stand for in an attempt of these nodes; what is given comes first."""
    found = {"MASTER_ADDR": nodes[0]["address"]}
    for node in nodes:
        if node["role"] == "rollout":
            found["ROLLOUT_HOST"] = node["address"]
    return {**found, **given}


def trainer_command(job: Job, attempt: Attempt, index: int, folder: NodesFolder) -> EngineCommand:
    """Return the engine's command on this node of an attempt: the same one everywhere, but for the rank and the judge.

    Trainers are spread over the judge's nodes.
    """
    rank = next(node["rank"] for node in attempt["nodes"] if node["index"] == index)
    values = {**os.environ, **attempt["addresses"], "NODE_RANK": str(rank)}
    variables: dict[str, str] = {}
    judges = [node["address"] for node in attempt["nodes"] if node["role"] == JUDGE]
    if judges:
        values[JUDGE_URL] = f"http://{judges[rank % len(judges)]}:{server_port(job.recipe, JUDGE)}/v1"
        variables[JUDGE_KEY_VARIABLE] = folder.read_key()
        remember_secret(variables[JUDGE_KEY_VARIABLE])
    command = fill_placeholders(get_engine(job.recipe.engine).command(job), values)
    return EngineCommand(command.arguments, {**command.environment, **variables})


def keyed_judge_command(recipe: Recipe, key: str) -> EngineCommand:
    """Return the command that serves the judge's model to other nodes, which have to know its key."""
    command = judge_command(recipe)
    return EngineCommand(command.arguments, {**command.environment, **_SAFE, "VLLM_API_KEY": key})


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
