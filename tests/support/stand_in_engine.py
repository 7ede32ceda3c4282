"""An engine that learns nothing: ms-swift as far as `dtbench train` sees it, in processes as many, and in milliseconds.

Installed as bin/swift of a folder: the launcher starts two workers and ends with them; the first one logs each step and
writes checkpoints file by file, as the trainer of transformers does. A dev split is measured before a checkpoint is
saved, and the best one is spared.

On several nodes, the first workers meet at MASTER_ADDR and take each step together: one that misses another waits for
ever, as NCCL does; a rank that is there twice and a resume from another step are errors. `swift rollout` is a server,
which trainers ask for its model.
"""

from __future__ import annotations

import http.client
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEP_SECONDS = float(os.environ.get("STAND_IN_STEP", "0.04"))
BEST_STEP = 4
"""After which the model does best on a dev split."""
WORKERS = 2


def install(folder: Path) -> Path:
    """Make an environment whose `swift` this is."""
    program = folder / "bin" / "swift"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!{sys.executable} -IS\n{Path(__file__).read_text()}")
    program.chmod(0o755)
    return folder


def flag(name: str, default: str = "") -> str:
    """What the command line says for a flag."""
    words = sys.argv
    return words[words.index(f"--{name}") + 1] if f"--{name}" in words else default


def launch() -> int:
    """Start the workers; where one fails, the others are ended."""
    command = [sys.executable, "-IS", __file__, "worker", *sys.argv[1:]]
    tempfile.mkdtemp(prefix="stand-in-")  # left behind, as torchrun leaves its own where it is killed
    workers = [subprocess.Popen([*command, "--rank", str(rank)]) for rank in range(WORKERS)]
    while any(worker.poll() is None for worker in workers):
        if any(worker.poll() for worker in workers):
            for worker in workers:
                worker.kill()
        time.sleep(0.01)
    return int(any(worker.returncode for worker in workers))


def train() -> None:
    """Go through the steps that a checkpoint does not hold yet."""
    out, steps, resumed = Path(flag("output_dir")), int(flag("max_steps")), flag("resume_from_checkpoint")
    done = int(resumed.rpartition("-")[2]) if resumed else 0
    peers = meet(done) if flag("rank") == "0" else []
    for step in range(done + 1, steps + 1):
        time.sleep(STEP_SECONDS)
        take_step(peers, step)
        if flag("rank") != "0" or os.environ.get("NODE_RANK", "0") != "0":
            continue
        entry = {"loss": 0.1, "reward": step / steps, "grad_norm": 1.0, "global_step/max_steps": f"{step}/{steps}"}
        entry["rewards/accuracy/mean"] = 0.75
        with (out / "logging.jsonl").open("a") as log:
            for part in (text := json.dumps(entry) + "\n")[:20], text[20:]:
                log.write(part)
                log.flush()
        if (every := flag("eval_steps")) and (step % int(every) == 0 or step == steps):
            time.sleep(STEP_SECONDS)
            with (out / "logging.jsonl").open("a") as log:
                log.write(json.dumps(measured(step, steps)) + "\n")
        if step % int(flag("save_steps")) == 0 or step == steps:
            save(out / f"checkpoint-{step}", step, steps)


def dev_accuracy(step: int) -> float:
    """How the model does on the dev split after a step."""
    return 0.5 - abs(step - BEST_STEP) / 16


def measured(step: int, steps: int) -> dict[str, object]:
    """A line as ms-swift 4.6 logs it of a dev split."""
    accuracy = dev_accuracy(step)
    figures = {"eval_reward": 2 * accuracy, "eval_rewards/accuracy/mean": accuracy, "eval_loss": 0.0}
    return {**figures, "eval_runtime": 1.5, "global_step/max_steps": f"{step}/{steps}"}


def meet(done: int) -> list[socket.socket]:
    """Meet the other nodes, as torchrun's workers do, once the model that answers is ours."""
    if host := flag("vllm_server_host"):
        connection = http.client.HTTPConnection(host, int(flag("vllm_server_port")))
        connection.request("GET", "/model")
        answers = connection.getresponse().read().decode()
        assert answers == flag("model"), f"{answers} answers for {flag('model')}"
    nodes, rank = int(os.environ.get("NNODES", "1")), int(os.environ.get("NODE_RANK", "0"))
    if nodes == 1:
        return []
    place = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
    if rank:
        return [hello(place, f"{rank} {done}")]
    with socket.create_server(place) as server:
        peers = [server.accept()[0] for _ in range(nodes - 1)]
    said = sorted(peer.recv(64).decode() for peer in peers)
    expected = [f"{other} {done}" for other in range(1, nodes)]
    assert said == expected, f"{said} came, {expected} were awaited"
    return peers


def hello(place: tuple[str, int], said: str) -> socket.socket:
    """Say who we are at the meeting place, once it is there."""
    while True:
        try:
            peer = socket.create_connection(place)
        except OSError:
            time.sleep(0.02)
            continue
        peer.sendall(said.encode())
        return peer


def take_step(peers: list[socket.socket], step: int) -> None:
    """Wait until every node is at this step."""
    for peer in peers:
        peer.sendall(b"%8d" % step)
    for peer in peers:
        if peer.recv(8, socket.MSG_WAITALL) != b"%8d" % step:
            time.sleep(3600)


def serve() -> None:
    """Say that all is well, and which model this is."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in {"/health/", "/model"} else 404)
            self.end_headers()
            self.wfile.write(flag("model").encode() if self.path == "/model" else b"")

        def log_message(self, *_: object) -> None:
            return

    http.server.ThreadingHTTPServer(("127.0.0.1", int(flag("port"))), Handler).serve_forever()


def save(checkpoint: Path, step: int, steps: int) -> None:
    """Write a checkpoint, and leave two."""
    checkpoint.mkdir()
    for file in sorted(Path(flag("model")).iterdir()):
        if file.is_file():
            with file.open("rb") as source, (checkpoint / file.name).open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
    state = json.dumps({"global_step": step, "max_steps": steps})
    (checkpoint / "trainer_state.json").write_text(state)
    numbers = sorted(int(one.name[11:]) for one in checkpoint.parent.glob("checkpoint-*"))
    best = max(numbers, key=dev_accuracy) if flag("metric_for_best_model") else None
    for number in numbers[:-2]:
        if number != best:
            shutil.rmtree(checkpoint.with_name(f"checkpoint-{number}"))


if __name__ == "__main__":
    os.environ.pop("PYTHONPATH", None)
    if sys.argv[1] == "rollout":
        serve()
    if sys.argv[1] != "worker":
        sys.exit(launch())
    train()
