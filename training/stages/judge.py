"""Check the rewards' evaluator before anything starts: its address, its answer, and where verdicts are kept."""

from __future__ import annotations

import dataclasses

from dtbench.harness.core.errors import DtbenchError, UserError
from dtbench.models.endpoint.address import complete_url
from dtbench.training.engines.judge_server import asks_model
from dtbench.training.recipe.reward_settings import JUDGE, NGRAMS, NO_MODEL, RewardSettings
from dtbench.training.recipe.settings import JudgeServer, Recipe, StageRecipe
from dtbench.training.stages.layout import StageLayout


def judge_url(recipe: Recipe, given: str | None) -> str | None:
    """Return the URL of `--judge-url` in full; a UserError where the recipe asks no judge."""
    evaluator = recipe.rewards.evaluator
    judged = JUDGE in {evaluator, *(recipe.rewards_of(stage).evaluator for stage in recipe.stage)}
    if given is not None and not judged:
        named = f"names its evaluator itself ({evaluator!r})" if evaluator else "names no evaluator"
        raise UserError(f"--judge-url {given}: the recipe {named}: write evaluator = {JUDGE!r} into its [rewards].")
    return None if given is None else complete_url(given)


def check_evaluator(recipe: Recipe, url: str | None, *, served: bool = False) -> None:
    """Raise an error where a stage asks an evaluator that has no address, or that does not answer there.

    `url` is that of `--judge-url`; without one, the judge is `served` where a node of this training starts it later.
    """
    asked: dict[str, RewardSettings] = {}
    for stage in recipe.stage:
        if asks_model(recipe, stage):
            settings = recipe.rewards_of(stage)
            asked[url if url and settings.evaluator == JUDGE else settings.evaluator] = settings
    for address, settings in asked.items():
        if address != JUDGE or not served:
            _check_address(recipe, address, settings)


def _check_address(recipe: Recipe, address: str, settings: RewardSettings) -> None:
    from dtbench.models.endpoint.server import Server

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


def plan_settings(recipe: Recipe, stage: StageRecipe, layout: StageLayout) -> RewardSettings:
    """Return the settings of a stage's rewards; verdicts of models are kept in the run's folder unless they say where.

    A stage that is resumed then asks for no verdict twice.
    """
    settings = recipe.rewards_of(stage)
    by_model = settings.evaluator not in NO_MODEL or settings.embedding != NGRAMS
    if settings.cache is not None or not by_model:
        return settings
    return dataclasses.replace(settings, cache=layout.verdicts)
