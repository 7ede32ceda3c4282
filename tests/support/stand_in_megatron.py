"""A `megatron rlhf` that learns nothing: its arguments, its log and the order in which it writes a checkpoint.

That order is ms-swift's: the state of Megatron, its mark, the shards under names without their number, the index, then
configuration and tokenizer. The file that STAND_IN_DIES names says in which stage the process kills itself once, after
the mark and the first shard of its second checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

TRACKER = "latest_checkpointed_iteration.txt"
SHARDS = 2


def install(folder: Path) -> Path:
    """Make an environment whose `megatron` this is."""
    program = folder / "bin" / "megatron"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!{sys.executable} -IS\n{Path(__file__).read_text()}")
    program.chmod(0o755)
    return folder


def flag(name: str, default: str = "") -> str:
    """What the command line says for a flag."""
    words = sys.argv
    return words[words.index(f"--{name}") + 1] if f"--{name}" in words else default


def check() -> None:
    """Refuse what the arguments of ms-swift's Megatron refuse."""
    strange = {"--max_steps", "--resume_from_checkpoint", "--learning_rate", "--report_to"} & set(sys.argv)
    assert not strange, f"unrecognized arguments: {strange}"
    assert int(flag("save_total_limit")) >= 2, "save_total_limit must be greater than or equal to 2."
    assert flag("callbacks") == "dtbench", "KeyError"
    assert flag("check_model") == "false", "it would ask a hub"


def iterations() -> int:
    """The steps, of which whole epochs are made as ms-swift makes them."""
    if steps := flag("train_iters"):
        return int(steps)
    rows = len(Path(flag("dataset")).read_text().splitlines())
    return rows * int(flag("num_generations")) * int(flag("num_train_epochs")) // int(flag("global_batch_size"))


def begin() -> int:
    """The step that a checkpoint holds, of its own state or, without one, of the model that it is."""
    if flag("finetune") == "true":
        return 0
    start = Path(flag("mcore_model") or flag("model"))
    done = int((start / TRACKER).read_text())
    assert bool(flag("mcore_model")) == (start / f"iter_{done:07d}" / "weights.distcp").exists(), "no such state"
    return done


def train() -> None:
    """Go through the steps that a checkpoint does not hold yet."""
    check()
    out, steps = Path(flag("output_dir")), iterations()
    for step in range(begin() + 1, steps + 1):
        entry = {"loss": 0.1, "reward": step / steps, "grad_norm": 1.0, "iteration": f"{step}/{steps}"}
        entry |= {"elapsed_time": "1s", "memory(GiB)": 1.0, "train_speed(s/it)": 2.5}
        with (out / "logging.jsonl").open("a") as log:
            log.write(json.dumps(entry) + "\n")
        if step % int(flag("save_steps")) == 0 or step == steps:
            save(out / f"checkpoint-{step}", step)


def save(checkpoint: Path, step: int) -> None:
    """Write a checkpoint in Megatron's order, and leave as many as were asked for."""
    checkpoint.mkdir(exist_ok=True)
    state = checkpoint / f"iter_{step:07d}"
    state.mkdir()
    (state / "common.pt").write_bytes(b"")
    if not flag("no_save_optim"):
        (state / "weights.distcp").write_bytes(b"")
    (checkpoint / TRACKER).write_text(str(step))
    names = [f"model-{number:05d}-of-?????.safetensors" for number in range(1, SHARDS + 1)]
    for number, name in enumerate(names):
        head = json.dumps({f"layer.{number}": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
        (checkpoint / name).write_bytes(len(head).to_bytes(8, "little") + head + bytes(4))
        die(step)
    final = [name.replace("?????", f"{SHARDS:05d}") for name in names]
    for before, after in zip(names, final, strict=True):
        (checkpoint / before).rename(checkpoint / after)
    index = {"weight_map": {f"layer.{number}": name for number, name in enumerate(final)}}
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps(index))
    for name in ("config.json", "tokenizer_config.json"):
        shutil.copyfile(Path(flag("ref_model") or flag("model")) / name, checkpoint / name)
    kept = sorted(checkpoint.parent.glob("checkpoint-*"), key=lambda one: int(one.name[11:]))
    for old in kept[: -int(flag("save_total_limit"))]:
        shutil.rmtree(old)


def die(step: int) -> None:
    """Be killed, once."""
    order = Path(os.environ.get("STAND_IN_DIES", "/nonexistent"))
    if step == 2 * int(flag("save_steps")) and order.exists() and order.read_text() in flag("output_dir"):
        order.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    train()
