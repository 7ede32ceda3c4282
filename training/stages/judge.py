"""The evaluator of the rewards, before anything starts: has it an address, does it answer, where are verdicts kept."""

from __future__ import annotations

import dataclasses

from dtbench.harness.core.errors import DtbenchError, UserError
from dtbench.models.endpoint.address import complete_url
from dtbench.training.engines.judge_server import asks_model
from dtbench.training.recipe.reward_settings import EVENTS, JUDGE, NGRAMS, RewardSettings
from dtbench.training.recipe.settings import JudgeServer, Recipe
from dtbench.training.stages.layout import StageLayout


def judge_url(recipe: Recipe, given: str | None) -> str | None:
    """Return the URL of `--judge-url` in full; a UserError where the recipe asks no judge."""
    evaluator = recipe.rewards.evaluator
    if given is not None and evaluator != JUDGE:
        named = f"names its evaluator itself ({evaluator!r})" if evaluator else "names no evaluator"
        raise UserError(f"--judge-url {given}: the recipe {named}: write evaluator = {JUDGE!r} into its [rewards].")
    return None if given is None else complete_url(given)


def check_evaluator(recipe: Recipe, url: str | None) -> None:
    """Raise an error where a stage asks an evaluator that has no address, or that does not answer there.

    `url` is that of `--judge-url`.
    """
    if not any(asks_model(recipe, stage) for stage in recipe.stage):
        return
    from dtbench.models.endpoint.server import Server

    settings = recipe.rewards
    address = url or settings.evaluator
    if address == JUDGE:
        judge = recipe.judge
        assert judge is not None
        raise UserError(
            f"rewards: evaluator = {JUDGE!r}: nothing serves {judge.model} here: it takes {judge.nodes} more "
            f"node{'s' if judge.nodes > 1 else ''} of {judge.gpus} GPUs (`--role auto` on every node), or an endpoint: "
            f"--judge-url http://HOST:PORT/v1.{_beside(judge)}"
        )
    try:
        Server.connect(address, settings.connection())
    except DtbenchError as error:
        raise type(error)(f"rewards: evaluator = {address}: {error}") from None


def _beside(judge: JudgeServer) -> str:
    """Say how a small judge is served on the GPU that trains, or on CPUs."""
    if judge.gpus > 1:
        return ""
    serve = f"vllm serve {judge.model} --port {judge.port} --max-model-len {judge.max_model_tokens}"
    return (
        f" One so small can run beside the trainer, on a GPU of 80 GB: `{serve} --gpu-memory-utilization 0.15`, and "
        "vLLM for CPUs serves it without that last flag."
    )


def plan_settings(recipe: Recipe, layout: StageLayout) -> RewardSettings:
    """Return the settings of the rewards; verdicts of models are kept in the run's folder unless the recipe says where.

    A stage that is resumed then asks for no verdict twice.
    """
    settings = recipe.rewards
    by_model = settings.evaluator not in {"", EVENTS} or settings.embedding != NGRAMS
    if settings.cache is not None or not by_model:
        return settings
    return dataclasses.replace(settings, cache=layout.verdicts)
