from __future__ import annotations

import json
from pathlib import Path

import pytest

from dtbench.harness.core.errors import MachineryError
from dtbench.training.engines import checkpoints


def safetensors(path: Path, names: tuple[str, ...] = ("weight",)) -> None:
    """A file of weights, four bytes a tensor."""
    about = {
        name: {"dtype": "F32", "shape": [1], "data_offsets": [4 * at, 4 * at + 4]} for at, name in enumerate(names)
    }
    head = json.dumps({"__metadata__": {"format": "pt"}, **about}).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + bytes(4 * len(names)))


def checkpoint(engine: Path, step: int) -> Path:
    """A checkpoint as transformers' trainer leaves it."""
    folder = engine / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    safetensors(folder / "model.safetensors")
    for name in ("config.json", "tokenizer_config.json", "tokenizer.json", "processor_config.json", "args.json"):
        (folder / name).write_text("{}")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    (folder / "spk_dict.pt").write_bytes(b"voices")
    (folder / "optimizer.pt").write_bytes(b"much")
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    return folder


def test_the_last_whole_checkpoint_comes_first_by_number(tmp_path: Path) -> None:
    found = [checkpoint(tmp_path, step) for step in (2, 10, 9)]
    assert checkpoints.whole_checkpoints(tmp_path) == [found[1], found[2], found[0]]


@pytest.mark.parametrize("fault", ["no state", "half a state", "no weights", "short weights", "half a head"])
def test_a_checkpoint_that_was_not_written_to_its_end_is_none_and_is_dropped(tmp_path: Path, fault: str) -> None:
    good, torn = checkpoint(tmp_path, 2), checkpoint(tmp_path, 4)
    weights, state = torn / "model.safetensors", torn / "trainer_state.json"
    if fault == "no state":
        state.unlink()
    elif fault == "half a state":
        state.write_text('{"global_')
    elif fault == "no weights":
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes()[: 12 if fault == "half a head" else -2])
    assert checkpoints.whole_checkpoints(tmp_path) == [good]
    assert checkpoints.remove_torn_checkpoints(tmp_path) == ["checkpoint-4"]
    assert not torn.exists()
    assert good.exists()


def test_megatrons_own_mark_is_as_good(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, 3)
    (folder / "trainer_state.json").unlink()
    (folder / "latest_checkpointed_iteration.txt").write_text("3")
    assert checkpoints.whole_checkpoints(tmp_path) == [folder]


def test_an_export_holds_the_model_and_nothing_of_the_trainer(tmp_path: Path) -> None:
    model = tmp_path / "model"
    checkpoints.export_model(checkpoint(tmp_path / "engine", 2), model)
    assert {path.name for path in model.iterdir()} == {
        *("model.safetensors", "config.json", "tokenizer_config.json", "tokenizer.json"),
        *("processor_config.json", "chat_template.jinja", "spk_dict.pt"),
    }
    assert checkpoints.tensor_shapes(model) == {"weight": (1,)}


def test_an_export_replaces_one_that_was_there_and_survives_its_checkpoint(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "old.safetensors").write_bytes(b"old")
    source = checkpoint(tmp_path / "engine", 2)
    checkpoints.export_model(source, model)
    for file in source.iterdir():
        file.unlink()
    assert not (model / "old.safetensors").exists()
    assert checkpoints.tensor_shapes(model) == {"weight": (1,)}


def test_a_checkpoint_without_a_configuration_is_no_model(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "engine", 2)
    (source / "config.json").unlink()
    with pytest.raises(MachineryError, match=r"there is no config\.json in it"):
        checkpoints.export_model(source, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("steps", "max_steps", "last"), [(4, 9, True), (3, 9, True), (5, 4, False), (None, 4, True), (None, 5, False)]
)
def test_the_last_checkpoint_is_told_by_the_recipe_or_where_it_counts_epochs_by_the_trainer(
    tmp_path: Path, steps: int | None, max_steps: int, last: bool
) -> None:
    found = checkpoint(tmp_path, 4)
    (found / "trainer_state.json").write_text(json.dumps({"global_step": 4, "max_steps": max_steps}))
    assert checkpoints.is_final_checkpoint(found, steps) is last


def test_a_checkpoint_that_does_not_tell_is_not_the_last(tmp_path: Path) -> None:
    assert not checkpoints.is_final_checkpoint(checkpoint(tmp_path, 4), None)


def sharded(engine: Path, step: int) -> Path:
    """A checkpoint of two shards as `megatron rlhf` leaves it: its mark, the shards, their index, the rest."""
    folder = checkpoint(engine, step)
    (folder / "trainer_state.json").unlink()
    (folder / "model.safetensors").unlink()
    (folder / "latest_checkpointed_iteration.txt").write_text(str(step))
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    for tensor, file in names.items():
        safetensors(folder / file, (tensor,))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    return folder


def test_shards_with_their_index_are_whole(tmp_path: Path) -> None:
    found = sharded(tmp_path, 4)
    assert checkpoints.whole_checkpoints(tmp_path) == [found]


@pytest.mark.parametrize("fault", ["shard", "index", "name", "tensor", "half an index", "config", "tokenizer"])
def test_megatrons_mark_does_not_make_half_an_export_whole(tmp_path: Path, fault: str) -> None:
    """It is written before the first shard."""
    torn = sharded(tmp_path, 4)
    last, index = torn / "model-00002-of-00002.safetensors", torn / "model.safetensors.index.json"
    if fault == "shard":
        last.unlink()
    elif fault == "index":
        index.unlink()
    elif fault == "name":
        last.rename(torn / "model-00002-of-?????.safetensors")
    elif fault == "tensor":
        safetensors(last, ("c",))
    elif fault == "half an index":
        index.write_text('{"weight_map": {')
    else:
        (torn / {"config": "config.json", "tokenizer": "tokenizer_config.json"}[fault]).unlink()
    assert checkpoints.whole_checkpoints(tmp_path) == []
    assert checkpoints.remove_torn_checkpoints(tmp_path) == ["checkpoint-4"]


@pytest.mark.parametrize(("logged", "last"), [("4/4", True), ("4/9", False), (None, False)])
def test_the_last_checkpoint_of_megatrons_epochs_is_told_by_its_log(
    tmp_path: Path, logged: str | None, last: bool
) -> None:
    found = sharded(tmp_path, 4)
    if logged is not None:
        lines = [{"loss": 0.5, "iteration": "1/99"}, {"loss": 0.5, "iteration": logged}]
        (tmp_path / "logging.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    assert checkpoints.is_final_checkpoint(found, None) is last
