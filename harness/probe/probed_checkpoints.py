"""The checkpoints that a probe compares: a folder, a hub id, a stage of a training, an adapter with its base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Notify
from dtbench.harness.core.options import Option
from dtbench.harness.probe.adapter_changes import AddedProduct, added_products
from dtbench.harness.probe.weight_changes import as_floats
from dtbench.harness.probe.weight_files import UnreadTensor, WeightSlice, slices_of
from dtbench.models.checkpoints import hub
from dtbench.models.checkpoints.checkpoint import is_adapter, resolve_checkpoint
from dtbench.models.checkpoints.tensors import WEIGHTS, checkpoint_tensors
from dtbench.training.stages.layout import Layout, StageLayout

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MEGATRON = ("iter_*", "*.distcp")
Control = Annotated[
    str | None,
    Option(
        "--control",
        "CKPT",
        "A checkpoint that was trained as B was, but with a random reward: what it changes too is no effect of the "
        "reward. Its figures stand beside B's.",
        shown="none",
    ),
]


class ProbedCheckpoint(NamedTuple):
    """A checkpoint whose weights can be read."""

    given: str
    folder: Path
    slices: Mapping[str, WeightSlice]
    unread: Sequence[UnreadTensor]
    adapter: Path | None = None
    added: Mapping[str, Sequence[AddedProduct]] = {}
    """What the adapter adds, by the name of the slice."""

    def rows(self, one: WeightSlice, first: int, last: int) -> NDArray[Any]:
        """Return rows of one of its slices: as they are stored, or as floats with what an adapter adds."""
        values = one.read(first, last)
        for product in self.added.get(one.name, ()):
            values = product.apply(as_floats(values), first, last)
        return values

    def is_same_place(self, one: WeightSlice, other: ProbedCheckpoint, others: WeightSlice) -> bool:
        """Whether both slices are one piece of one file, to which nothing is added."""
        if one.name in self.added or others.name in other.added or one.start != others.start:
            return False
        return one.source.file.samefile(others.source.file)


def open_checkpoint(given: str, notify: Notify) -> ProbedCheckpoint:
    """Find the weights of a checkpoint and read the headers of its files; fetch those of a hub id that is not here."""
    folder, adapter = _folders(given, notify)
    if not any(folder.glob(WEIGHTS)):
        raise UserError(_without_weights(given, folder))
    tensors = checkpoint_tensors(folder)
    slices, unread = slices_of(tensors)
    added = {} if adapter is None else added_products(adapter, tensors, slices)
    return ProbedCheckpoint(given, folder, slices, unread, adapter, added)


def model_folder(folder: Path) -> Path:
    """Return the folder of the model where the folder of a stage of a training is given, else the folder itself."""
    stage = StageLayout(folder)
    is_stage = Layout(folder.parent).state.is_file() and stage.model.is_dir()
    return stage.model if is_stage else folder


def _folders(given: str, notify: Notify) -> tuple[Path, Path | None]:
    """Return the folder of the weights, and that of an adapter that is added to them."""
    folder = Path(given).expanduser()
    if folder.is_dir():
        folder = model_folder(folder)
        if not is_adapter(folder) and any(folder.glob(WEIGHTS)):
            return folder, None
        if not is_adapter(folder) and not (folder / "config.json").is_file():
            raise UserError(_without_weights(given, folder))
    try:
        checkpoint = resolve_checkpoint(str(folder) if folder.is_dir() else given)
    except UserError as error:
        raise UserError(str(error).removeprefix("--model ")) from None
    if checkpoint is None:
        raise UserError(f"{given}: a folder of a checkpoint or a hub id (org/name) is expected.")
    adapter = None if checkpoint.adapter is None or checkpoint.adapter.mode == "audio" else checkpoint.adapter
    return hub.fetch(checkpoint.source, notify), None if adapter is None else hub.fetch(adapter.folder, notify)


def _without_weights(given: str, folder: Path) -> str:
    if any(next(folder.glob(pattern), None) for pattern in _MEGATRON):
        return (
            f"{given}: Megatron's own checkpoint: export it in the hub's form first (ms-swift: `megatron export "
            "--to_hf true`, or train with --save_safetensors true)."
        )
    shown = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
    return f"{given}: no checkpoint: model.safetensors or its shards are expected in it, found {shown}."
