"""What a node other than 0 does: follow node 0 from attempt to attempt, and run its part of each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dtbench.harness.core.errors import DtbenchError, MachineryError, UserError
from dtbench.harness.core.model import Notify
from dtbench.training.engines.contract import EngineCommand, Job
from dtbench.training.engines.launch import failure_reason, get_engine, in_environment, run_engine
from dtbench.training.nodes.commands import health_path, is_healthy, keyed_judge_command, server_port, trainer_command
from dtbench.training.nodes.place import NodePlace
from dtbench.training.nodes.shared import Attempt, Beacon, NodeReport, NodesFolder, NodeWatch, Waits
from dtbench.training.recipe.settings import Recipe

_LOG = logging.getLogger(__name__)
LOOK_SECONDS = 0.25
REPORT_SECONDS = 60.0
MOST_JUDGE_STARTS = 3
"""So often is a judge's server started anew that was never healthy in between."""
INTERRUPTED, WRONG_INPUT = 130, 2


class AttemptOverError(Exception):
    """Ends what this node runs: node 0 has ended the attempt, or is silent."""


@dataclass(slots=True)
class Follower:
    """A node that follows node 0."""

    recipe: Recipe
    place: NodePlace
    folder: NodesFolder
    environment: Path
    """Where its engine, or vLLM, is installed."""
    job: Callable[[str, Path | None], Job]
    """Makes the job of a stage that resumes from a checkpoint."""
    beacon: Beacon
    waits: Waits
    notify: Notify
    watch: NodeWatch = field(init=False)
    _attempts: int = field(default=0, init=False)
    _done: int = field(default=0, init=False)
    """The last attempt that this node took part in."""
    _silent_since: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Look at nobody yet."""
        self.watch = NodeWatch(self.folder, self.waits)

    def follow(self) -> int:
        """Follow until node 0 ends; return the number of attempts."""
        self.notify(f"{self.place}: waiting for node 0")
        if self.place.role == "judge":
            self._serve_judge()
            return self._attempts
        while (leader := self._leader()) is None or leader["end"] is None:
            if leader is not None and leader["attempt"] > self._done:
                self._take_part(leader["attempt"])
            elif leader is None or leader["attempt"] != self.beacon.report["attempt"]:
                self.beacon.say("idle")
            time.sleep(LOOK_SECONDS)
        self._end(leader)
        return self._attempts

    def _end(self, leader: NodeReport) -> None:
        """Raise what node 0 ended with."""
        if leader["end"] == INTERRUPTED:
            raise KeyboardInterrupt
        if leader["end"]:
            why = f"node 0 ended: {leader['why']}"
            raise UserError(why) if leader["end"] == WRONG_INPUT else MachineryError(why)

    def _leader(self) -> NodeReport | None:
        """Return what node 0 says; None while it is silent, and a MachineryError where it is so for too long."""
        leader, mine = self.watch.look(0), self.beacon.report
        if leader is not None and mine["allocation"] != leader["allocation"] and mine["allocation"]:
            _LOG.info("node 0 is of allocation %s, this node of %s", leader["allocation"], mine["allocation"])
            leader = None
        if leader is not None:
            if leader["recipe"] != mine["recipe"]:
                raise UserError("this node's recipe is not that of node 0: start the same command on every node.")
            self._silent_since = None
            return leader
        now = time.monotonic()
        self._silent_since = now if self._silent_since is None else self._silent_since
        if now - self._silent_since > self.waits.patience:
            raise MachineryError(
                f"{self.place}: node 0 was not seen in {self.folder.root} for {self.waits.patience:g} s: start the "
                "same command there; --out has to be on a disk that all nodes see."
            )
        return None

    def _take_part(self, number: int) -> None:
        """Run this node's part of an attempt until it ends, here or everywhere."""
        attempt = self.folder.read_attempt(number)
        token = self.beacon.report["token"]
        if attempt is None or token not in {node["token"] for node in attempt["nodes"]}:
            return  # not written yet, or without this node: the next one is with it
        self._attempts += 1
        try:
            if self.place.role == "trainer":
                self._train(attempt)
            else:
                self._serve_rollouts(attempt)
        except AttemptOverError:
            self.beacon.say("idle")
        self._done = number

    def _train(self, attempt: Attempt) -> None:
        number = attempt["attempt"]
        self.beacon.say("starting", number)
        while self._goes_on(number)["state"] != "running":
            time.sleep(LOOK_SECONDS)
        resume = attempt["resume"]
        job = self.job(attempt["stage"], None if resume is None else Path(resume))
        at = "" if job.resume is None else f", from {job.resume.name}"
        self.notify(f"{attempt['stage']}: attempt {number}{at}: training on {self.place}")
        self.beacon.say("running", number)
        command = trainer_command(job, attempt, self.place.index, self.folder)
        self._report_end(number, *self._run(command, lambda: self._goes_on(number)))

    def _serve_rollouts(self, attempt: Attempt) -> None:
        number = attempt["attempt"]
        job = self.job(attempt["stage"], None)
        server = get_engine(self.recipe.engine).server(job)
        assert server is not None  # a recipe without one has no such node
        self.notify(f"{attempt['stage']}: attempt {number}: answering on {self.place}")
        self.beacon.say("starting", number)

        def poll() -> None:
            self._goes_on(number)
            if self.beacon.report["state"] == "starting" and self._answers():
                self.beacon.say("ready", number)

        code, why = self._run(server, poll)
        self._report_end(number, code or 1, why)

    def _report_end(self, number: int, code: int, why: str) -> None:
        if code:
            self.notify(f"{self.place}: attempt {number}: {why}")
        self.beacon.say("failed" if code else "ended", number, why if code else "")

    def _serve_judge(self) -> None:
        """Serve the judge's model until node 0 ends; a server that ends is started anew."""
        starts = 0

        def poll() -> None:
            nonlocal starts
            leader = self._leader()
            if leader is not None and leader["end"] is not None:
                raise AttemptOverError
            if self.beacon.report["state"] != "ready" and self._answers():
                starts = 0
                self.beacon.say("ready")
                self.notify(f"{self.place}: the judge answers")

        command = keyed_judge_command(self.recipe, self.folder.make_key())
        while starts < MOST_JUDGE_STARTS:
            starts += 1
            self.beacon.say("starting")
            try:
                _, why = self._run(command, poll)
            except AttemptOverError:
                if (leader := self.watch.look(0)) is not None:
                    self._end(leader)
                return
            self.notify(f"{self.place}: the judge's server: {why}")
        raise MachineryError(f"{self.place}: the judge's server ended {MOST_JUDGE_STARTS} times: {why}")

    def _answers(self) -> bool:
        role = self.place.role
        return is_healthy("127.0.0.1", server_port(self.recipe, role), health_path(role))

    def _goes_on(self, number: int) -> NodeReport:
        """Return what node 0 says in this attempt; raise an AttemptOverError where it goes on no more."""
        leader = self._leader()
        if leader is None or leader["attempt"] != number or leader["end"] is not None:
            raise AttemptOverError
        return leader

    def _run(self, command: EngineCommand, poll: Callable[[], object]) -> tuple[int, str]:
        """Run a process to its end; return its exit status and why it ended."""
        log = self.folder.log(self.place.index)
        start = log.stat().st_size if log.exists() else 0
        there = in_environment(command, self.environment)
        code = run_engine(there, log, self.folder.process_lock(self.place.index), lambda: (poll(), None)[1])
        return code, f"ended with exit {code}: {failure_reason(log, start)} The whole log: {log}."


def left_reason(error: BaseException) -> str:
    """Return what a node says of its own end."""
    if isinstance(error, DtbenchError):
        return str(error)
    return "it was interrupted" if isinstance(error, KeyboardInterrupt) else repr(error)
