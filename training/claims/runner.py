"""Run what the claims of recipes take: side by side, resumed wherever they were stopped, within a limit of time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dtbench.harness.core.errors import DtbenchError, one_line
from dtbench.harness.run.live_line import duration
from dtbench.harness.store.claim_types import TrainedResult
from dtbench.training.claims.plan import Experiment, common_stages, in_order
from dtbench.training.claims.processes import ClaimJob, RunningJob, read_seconds, read_stages, tidy
from dtbench.training.claims.results import TrainedArm, read_result, trained_result, write_result
from dtbench.training.stages import state
from dtbench.training.stages.layout import BASE

POLL_SECONDS = 0.5
TOLD_EVERY = 120.0
"""Seconds between two lines that say how far trainings are."""
_STEPS_OF_EVALUATION = 60
"""An evaluation takes about as long as so many steps: for the time left, where none of an arm is finished."""


@dataclass(slots=True)
class ClaimsRun:
    """One start of `make claims`."""

    experiments: Sequence[Experiment]
    results: Path
    """The folder of small results."""
    cores: int
    """How many are used at once."""
    engine: Path | None
    until: float | None
    """The time.time() at which it stops in good order; None: never."""
    say: Callable[[str], None]
    failed: dict[str, str] = field(default_factory=dict)
    """Label of a job -> why it failed in this start."""
    running: list[RunningJob] = field(default_factory=list)
    kept: dict[Path, TrainedResult] = field(default_factory=dict)
    """Folder of a training -> its result."""

    def run(self) -> bool:
        """Train what has no result yet; return whether all have one."""
        jobs = {
            one.layout.root: job
            for experiment in self.experiments
            for job in self._jobs(experiment)
            for one in [job.one]
        }
        order = [one.layout.root for one in [*(each.base for each in self.experiments), *in_order(self.experiments)]]
        waiting = [jobs[root] for root in order if root in jobs]
        self._drop_needless_bases(waiting)
        count = len(self.kept) + len(waiting)
        self.say(f"{len(self.kept)} of {count} trainings are done; {self._left(waiting)}")
        told = time.monotonic()
        try:
            while (waiting or self.running) and not self._is_over():
                for job in self._startable(waiting):
                    waiting.remove(job)
                    self.say(f"{job.label}: started; its output is {job.log}")
                    self.running.append(RunningJob(job, self.engine))
                if self._collect() or time.monotonic() - told > TOLD_EVERY:
                    told = time.monotonic()
                    now = "; ".join(one.progress() for one in self.running)
                    self.say(f"{len(self.kept)} of {count} done; {self._left(waiting)}{'; ' if now else ''}{now}")
                if not self.running and not any(self._startable(waiting)):
                    break
                time.sleep(POLL_SECONDS)
        finally:
            for one in self.running:
                one.close()
        if self._is_over() and (waiting or self.running):
            self.say(
                f"the time is over: {len(waiting) + len(self.running)} trainings are left; the same command continues"
            )
        return not waiting and not self.running and not self.failed

    def _jobs(self, experiment: Experiment) -> Iterator[ClaimJob]:
        """Yield what has no result that fits; note what has."""
        for one in (experiment.base, *experiment.trainings.values()):
            result = read_result(self.results, one)
            if result is not None:
                self.kept[one.layout.root] = result
            machines = one.recipe.machines
            cores = self.cores if one.arm == BASE else min(self.cores, machines.processes * machines.threads)
            if result is None or one.arm == BASE:
                yield ClaimJob(experiment, one, cores)

    def _drop_needless_bases(self, waiting: list[ClaimJob]) -> None:
        """Leave out the bases that are evaluated where trainings look for them, or whose trainings are all done."""
        for job in [job for job in waiting if job.one.arm == BASE]:
            others = any(other.one.arm != BASE and other.experiment is job.experiment for other in waiting)
            is_there = read_stages(job.one.layout).get(BASE) == state.DONE
            is_kept = job.one.layout.root in self.kept
            if is_there and not is_kept:
                is_kept = self._keep(job, read_seconds(job.one.layout))
            if is_kept and (is_there or not others):
                waiting.remove(job)
            else:
                self.kept.pop(job.one.layout.root, None)

    def _startable(self, waiting: Sequence[ClaimJob]) -> list[ClaimJob]:
        """Return the next jobs that there are cores for, and that none of those that run trains a first stage of."""
        free = self.cores - sum(one.job.cores for one in self.running)
        chosen: list[ClaimJob] = []
        busy = [one.job for one in self.running]
        for job in waiting:
            if job.cores > free:
                break
            if not self._waits(job, [*busy, *chosen], waiting):
                chosen.append(job)
                free -= job.cores
        return chosen

    def _waits(self, job: ClaimJob, others: Sequence[ClaimJob], waiting: Sequence[ClaimJob]) -> bool:
        """Return whether a job waits for its base, or for a stage that another one is training for both."""
        if job.one.arm == BASE:
            return False
        if any(one.one.arm == BASE and one.experiment is job.experiment for one in [*others, *waiting]):
            return True
        for other in others:
            shared = other.experiment is job.experiment and common_stages(job.one.recipe, other.one.recipe)
            if shared and read_stages(other.one.layout).get(job.one.recipe.stage[0].name) != state.DONE:
                return True
        return f"{job.experiment.name}: {BASE}" in self.failed

    def _collect(self) -> bool:
        """Keep the results of jobs that have ended; return whether any has."""
        ended = [(one, code) for one in self.running if (code := one.code()) is not None]
        for one, code in ended:
            self.running.remove(one)
            one.close()
            if code:
                self._fail(one.job, f"exit {code}: {one.reason()}")
            else:
                self._keep(one.job, one.seconds)
        return bool(ended)

    def _keep(self, job: ClaimJob, seconds: float) -> bool:
        try:
            result = trained_result(job.one, seconds, job.cores)
            path = write_result(self.results, job.one, result)
        except DtbenchError as error:
            self._fail(job, str(error))
            return False
        self.kept[job.one.layout.root] = result
        tidy(job.one)
        shares = [
            f"{run['name']} {100 * run['measures']['accuracy']:.1f} %"
            for run in result["runs"]
            if run["measures"] is not None and run["measures"]["accuracy"] is not None
        ]
        self.say(f"{job.label}: done in {duration(seconds)}: {', '.join(shares)} ({path})")
        return True

    def _fail(self, job: ClaimJob, why: str) -> None:
        self.failed[job.label] = one_line(why)
        self.say(f"{job.label}: FAILED: {self.failed[job.label]}")

    def _is_over(self) -> bool:
        return self.until is not None and time.time() >= self.until

    def _left(self, waiting: Sequence[ClaimJob]) -> str:
        """Return about how long what is left takes, by what is finished."""
        todo = [(job.one, job.cores, 0.0) for job in waiting]
        todo += [(one.job.one, one.job.cores, one.seconds) for one in self.running]
        seconds = 0.0
        for one, cores, done in todo:
            expected = self._expected(one)
            if expected is None:
                return f"{len(todo)} left, and how long they take is not known yet"
            seconds += max(0.0, expected - done) * cores / self.cores
        return f"about {duration(seconds)} left" if todo else "nothing is left"

    def _expected(self, one: TrainedArm) -> float | None:
        """Return how many seconds a training takes: as others of its arm did, else by its steps."""
        finished = [result for result in self.kept.values() if result["recipe"] == one.name]
        alike = [result["made"]["seconds"] for result in finished if result["arm"] == one.arm]
        if alike:
            return statistics.fmean(alike)
        steps = {arm.layout.root: _effort(arm) for each in self.experiments for arm in each.trainings.values()}
        rates = [
            result["made"]["seconds"] / steps[root]
            for root, result in self.kept.items()
            if result["arm"] != BASE and root in steps
        ]
        return statistics.fmean(rates) * _effort(one) if rates and one.arm != BASE else None


def _effort(one: TrainedArm) -> int:
    return sum((stage.steps or 0) + _STEPS_OF_EVALUATION for stage in one.recipe.stage)
