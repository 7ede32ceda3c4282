"""What node 0 does for the others: start every process of an attempt together, and notice where one is lost."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.model import Notify
from dtbench.training.engines.contract import EngineCommand, Job
from dtbench.training.nodes.commands import attempt_addresses, health_path, is_healthy, server_port, trainer_command
from dtbench.training.nodes.place import NodePlace
from dtbench.training.nodes.shared import Attempt, Beacon, NodeReport, NodesFolder, NodeState, NodeWatch, Waits, members
from dtbench.training.recipe.settings import Recipe

LOOK_SECONDS = 0.25
MOST_ATTEMPTS = 3
"""So many attempts without a new checkpoint stop the training."""


class AttemptLostError(Exception):
    """Ends an attempt on every node; the text says why."""


@dataclass(slots=True)
class Leader:
    """Node 0 of a training on several nodes."""

    recipe: Recipe
    others: Sequence[NodePlace]
    """All nodes but this one, in order."""
    folder: NodesFolder
    beacon: Beacon
    waits: Waits
    notify: Notify
    watch: NodeWatch = field(init=False)
    _number: int = field(init=False)
    _attempt: Attempt | None = field(default=None, init=False)
    _here: dict[int, NodeReport] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Number attempts after those of earlier starts."""
        self.watch = NodeWatch(self.folder, self.waits)
        self._number = self.folder.last_attempt()

    def repeat(self, train: Callable[[], None], checkpoint: Callable[[], int]) -> None:
        """Train until an attempt is not lost; a MachineryError after several without a new checkpoint."""
        tries, before = 0, checkpoint()
        while True:
            self._here = self._wait_for_nodes()  # before the checkpoints are looked at: none of them writes any more
            try:
                return train()
            except AttemptLostError as lost:
                now = checkpoint()
                tries, before = (1 if now > before else tries + 1), now
                if tries >= MOST_ATTEMPTS:
                    raise MachineryError(
                        f"{tries} attempts ended without a new checkpoint, the last one so: {lost} Once that is "
                        "fixed, the same command continues from the last checkpoint."
                    ) from None
                self.notify(f"attempt {self._number} ended on every node: {lost} All start again.")

    @contextlib.contextmanager
    def attempt(self, job: Job, addresses: Mapping[str, str]) -> Iterator[EngineCommand]:
        """Start the servers of an attempt, then the other trainers; yield node 0's own command."""
        self._number += 1
        nodes = list(members({0: self.beacon.report, **self._here}))
        attempt: Attempt = {
            "attempt": self._number,
            "stage": job.stage.name,
            "resume": None if job.resume is None else str(job.resume),
            "leader": self.beacon.report["token"],
            "nodes": nodes,
            "addresses": attempt_addresses(nodes, addresses),
        }
        self.folder.write_attempt(attempt)
        self._attempt = attempt
        self.beacon.say("starting", self._number)
        try:
            self._wait_for_servers(attempt)
            self.beacon.say("running", self._number)
            yield trainer_command(job, attempt, 0, self.folder)
        finally:
            self._attempt = None
            self.beacon.say("idle")

    def check(self) -> None:
        """Raise an AttemptLostError where a node of this attempt is lost, or a process of it has failed."""
        assert self._attempt is not None
        for node in self._attempt["nodes"]:
            if node["index"] and (why := self._loss(node["index"], node["token"])):
                raise AttemptLostError(why)

    def wait_for_trainers(self) -> None:
        """Wait until the other trainers have ended as node 0's has; they have a last checkpoint to write."""
        assert self._attempt is not None
        trainers = {node["index"] for node in self._attempt["nodes"] if node["role"] == "trainer" and node["index"]}
        until = time.monotonic() + self.waits.lost
        while time.monotonic() < until:
            self.check()
            reports = [self.watch.look(index) for index in trainers]
            if all(report is not None and report["state"] == "ended" for report in reports):
                return
            time.sleep(LOOK_SECONDS)
        raise AttemptLostError(f"node 0 has ended, and others still train {self.waits.lost:g} s later.")

    def reasons(self) -> str:
        """Return why processes of other nodes failed, a moment after node 0's did; empty where none did."""
        until = time.monotonic() + 2 * self.waits.beat
        while time.monotonic() < until:
            try:
                self.check()
            except AttemptLostError as lost:
                return f" {lost}"
            time.sleep(LOOK_SECONDS)
        return ""

    def _loss(self, index: int, token: str) -> str | None:
        """Return why a node of this attempt is lost; None where it is not."""
        place, report = self.others[index - 1], self.watch.look(index)
        if report is None:
            return f"{place} has been silent for {self.waits.lost:g} s."
        if report["token"] != token:
            return f"{place} was started anew."
        if report["state"] == "left":
            return f"{place} has left: {report['why']}"
        if report["state"] == "failed" and report["attempt"] == self._number:
            return f"{place}: {report['why']}"
        if place.role == "judge" and self.beacon.report["state"] == "running" and report["state"] != "ready":
            return f"{place}: its server has ended."
        return None

    def _wait_for_nodes(self) -> dict[int, NodeReport]:
        """Wait until every other node is here and runs nothing of an earlier attempt."""
        here: dict[int, NodeReport] = {}
        until, said = time.monotonic() + self.waits.patience, False
        while True:
            for place in self.others:
                report = self.watch.look(place.index)
                if report is not None and self._is_free(place, report):
                    here[place.index] = report
                else:
                    here.pop(place.index, None)
            missing = [place for place in self.others if place.index not in here]
            if not missing:
                return here
            names = ", ".join(map(str, missing[:6])) + (f" and {len(missing) - 6} more" if len(missing) > 6 else "")
            if time.monotonic() > until:
                raise MachineryError(
                    f"{names}: not here after {self.waits.patience:g} s{self._last_words(missing)}. Start the same "
                    f"command on every node, with an --out that all of them see."
                )
            if not said and time.monotonic() > until - self.waits.patience + 4 * self.waits.beat:
                self.notify(f"waiting for {names}")
                said = True
            time.sleep(LOOK_SECONDS)

    def _is_free(self, place: NodePlace, report: NodeReport) -> bool:
        mine = self.beacon.report
        if mine["allocation"] and report["allocation"] != mine["allocation"]:
            return False
        free: tuple[NodeState, ...] = ("starting", "ready") if place.role == "judge" else ("idle",)
        return report["role"] == place.role and report["state"] in free

    def _last_words(self, missing: Sequence[NodePlace]) -> str:
        reports = (self.folder.read_report(place.index) for place in missing)
        words = [report["why"] for report in reports if report is not None and report["why"]]
        return f" ({words[0]})" if words else ""

    def _wait_for_servers(self, attempt: Attempt) -> None:
        """Wait until each server answers, here as well as there."""
        servers = {node["index"]: node for node in attempt["nodes"] if node["role"] != "trainer"}
        until = time.monotonic() + self.waits.patience
        if servers:
            self.notify(f"waiting for {', '.join(str(self.others[index - 1]) for index in servers)} to be healthy")
        while servers:
            self.check()
            for index, node in list(servers.items()):
                report = self.watch.look(index)
                port, path = server_port(self.recipe, node["role"]), health_path(node["role"])
                if report is not None and report["state"] == "ready" and is_healthy(node["address"], port, path):
                    del servers[index]
            if servers and time.monotonic() > until:
                raise MachineryError(self._unhealthy(min(servers), servers[min(servers)]["address"]))
            time.sleep(LOOK_SECONDS)

    def _unhealthy(self, index: int, address: str) -> str:
        place, report = self.others[index - 1], self.watch.look(index)
        at = f"{address}:{server_port(self.recipe, place.role)}"
        if report is not None and report["state"] == "ready":
            return (
                f"{place}: its server is healthy there, and cannot be reached from here at {at}: open the port, or "
                "set DTBENCH_NODE_ADDRESS on that node."
            )
        return (
            f"{place}: its server was not healthy at {at} after {self.waits.patience:g} s: see "
            f"{self.folder.log(index)}; DTBENCH_NODE_PATIENCE allows more seconds."
        )
