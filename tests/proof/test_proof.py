from __future__ import annotations

import dataclasses
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import trainings
from bars import bars
from tables import report
from trained import Trained, accuracy, read
from trainings import Skill, made_up_recipe, write_base, write_training

from dtbench.harness.core.errors import UserError
from dtbench.training.recipe.settings import Recipe

GOOD, FIRST = Skill(0.95, "full"), Skill(0.7, "full")
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the untrained model says, shared by all trainings."""
    folder = tmp_path_factory.mktemp("base")
    write_base(folder, made_up_recipe())
    return folder


@pytest.fixture(scope="module")
def folders(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """The recipe under three seeds; it does well."""
    root = tmp_path_factory.mktemp("own")
    return [write_training(root / f"{seed}", made_up_recipe(None, seed), base, FIRST, GOOD).root for seed in SEEDS]


@pytest.fixture(scope="module")
def both(folders: Sequence[Path], base: Path, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Trained]:
    """These trainings, and the arm that trains on the first data alone, under the same seeds; it does less well."""
    root, arm = tmp_path_factory.mktemp("long"), "long-stage-1"
    long = [write_training(root / f"{seed}", made_up_recipe(arm, seed), base, FIRST, FIRST).root for seed in SEEDS]
    return read([*long, *folders])


@pytest.fixture(scope="module")
def own(both: Sequence[Trained]) -> Sequence[Trained]:
    """The recipe's own trainings."""
    return both[: len(SEEDS)]


@pytest.fixture(scope="module")
def long(both: Sequence[Trained]) -> Sequence[Trained]:
    """Those of the arm."""
    return both[len(SEEDS) :]


def met(trained: Sequence[Trained]) -> Sequence[bool]:
    return [bar.met for bar in bars(trained)]


def test_bars_that_every_seed_reaches_are_met_with_the_figures_of_each(both: Sequence[Trained]) -> None:
    form, criteria, gain, added = bars(both)
    assert all(bar.met for bar in (form, criteria, gain, added))
    assert form.figures[0].startswith("seed 0: 100.0, seed 1: 100.0, seed 2: 100.0 %;")
    assert criteria.figures[0].startswith("seed 0: 1.00 to 5.00, seed 1: 1.00 to 5.00, seed 2: 1.00 to 5.00;")
    stages, arms = (
        [one.row(one.last) for one in both if (one.recipe.arm is None) is is_own] for is_own in (True, False)
    )
    direct = [accuracy(row) - accuracy(both[0].row("base")) for row in stages]
    assert gain.figures[0].endswith(
        ": " + ", ".join(f"seed {n}: {100 * d:+.1f}" for n, d in enumerate(direct)) + " points"
    )
    assert "over base, how, the best of 4 untrained prompts" in gain.figures[1]
    near = [accuracy(one, "boundary") - accuracy(other, "boundary") for one, other in zip(stages, arms, strict=True)]
    assert added.figures[1].endswith(
        f"mean {100 * statistics.fmean(near):+.1f} ± {100 * statistics.stdev(near):.1f} points"
    )


@pytest.mark.parametrize(
    ("last", "missed"),
    [
        (Skill(0.95), [1, 2]),
        (Skill(0.95, "answer"), [2]),
        (Skill(0.58, "full"), [3]),
    ],
    ids=["answers without a chain", "chains that say nothing", "hardly better than the best prompt"],
)
def test_a_bar_that_one_seed_of_three_does_not_reach_is_missed(
    base: Path, own: Sequence[Trained], long: Sequence[Trained], tmp_path: Path, last: Skill, missed: Sequence[int]
) -> None:
    other = write_training(tmp_path / "run", made_up_recipe(None, 2), base, FIRST, last).root
    held = met([*own[:2], *read([other]), *long])
    assert [number for number, is_met in enumerate(held, 1) if not is_met] == missed


def test_two_seeds_prove_nothing(own: Sequence[Trained], long: Sequence[Trained]) -> None:
    assert met([*own[:2], *long]) == [False] * 4
    assert met(long) == [False] * 4


def test_what_stage_2_adds_is_only_said_by_as_many_steps_on_the_first_data_for_every_seed(
    base: Path, own: Sequence[Trained], long: Sequence[Trained], tmp_path: Path
) -> None:
    short = write_training(tmp_path / "run", made_up_recipe("hybrid"), base, FIRST).root
    *others, added = bars([*own, *read([short])])
    assert all(bar.met for bar in others)
    assert (added.met, added.figures) == (False, ["no such arm with the same seeds is among these trainings"])
    assert met([*own, *long[:2]]) == [True, True, True, False]


def test_the_tables_hold_every_prompt_once_every_stage_of_every_seed_and_their_means(both: Sequence[Trained]) -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in report(both) if "|" in line]
    named = [row[0] for row in rows if row[0].startswith("base")]
    assert named == ["base", "base, as-trained", "base, how **(best)**", "base, listen"]
    trained = [row[:3] for row in rows if len(row) == 13 and row[1] in {"0", "1", "2", "mean of 3"}]
    own_stages, long_stages = ("stage-1", "stage-2"), ("stage-1", "more-of-stage-1")
    assert trained == [
        [label, seed, stage]
        for label, stages in (("the recipe", own_stages), ("long-stage-1", long_stages))
        for seed, names in [*((str(seed), stages) for seed in SEEDS), ("mean of 3", stages)]
        for stage in names
    ]
    described = [row[2:] for row in rows if len(row) == 7 and row[:2] == ["the recipe", "1"]]
    assert [row[0] for row in described] == ["easy", "boundary"]
    assert all(float(before) > float(after) > 0 for _, before, after, _, _ in described)


def test_a_mean_is_that_of_the_seeds_with_its_spread(own: Sequence[Trained]) -> None:
    shares = [100 * accuracy(one.row("stage-2")) for one in own]
    (line,) = [line for line in report(own) if line.startswith("| the recipe | mean of 3 | stage-2")]
    assert line.split(" | ")[6] == f"{statistics.fmean(shares):.1f} ± {statistics.stdev(shares):.1f}"


def edited(folder: Path, to: Path, **changes: object) -> Path:
    """A copy of a training's train.json in a folder with the same runs, with some of it replaced."""
    to.mkdir()
    for part in folder.iterdir():
        if part.name != "train.json":
            (to / part.name).symlink_to(part)
    (to / "train.json").write_text(json.dumps({**json.loads((folder / "train.json").read_text()), **changes}))
    return to


def plain(recipe: Recipe) -> Mapping[str, object]:
    return dict(json.loads(json.dumps(recipe.plain())))


def test_what_is_no_finished_training_of_the_same_recipe_is_refused(folders: Sequence[Path], tmp_path: Path) -> None:
    waiting = [{"name": "stage-1", "state": "done"}, {"name": "stage-2", "state": "trained"}]
    other = dataclasses.replace(
        made_up_recipe(None, 7), training=dataclasses.replace(made_up_recipe().training, beta=0.5)
    )
    longer = made_up_recipe(None, 7)
    longer = dataclasses.replace(longer, stage=(dataclasses.replace(longer.stage[0], steps=5), longer.stage[1]))
    first, second, _ = folders
    for named, told in (
        ([tmp_path / "none"], "no training: there is no train.json in it"),
        ([first, second, first], "both hold the recipe with the seed 0: name one of them."),
        ([edited(first, tmp_path / "a", stages=waiting)], "not finished: stage-2 is trained."),
        ([first, edited(first, tmp_path / "b", recipe=plain(other))], "two recipes: training.beta differ."),
        (
            [first, edited(first, tmp_path / "c", recipe=plain(longer))],
            r"two recipes: stage\[0\].steps differ.",
        ),
    ):
        with pytest.raises(UserError, match=told):
            read(named)


def test_a_training_that_was_asked_nothing_at_the_boundary_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainings, "QUESTIONS", 1)
    write_base(tmp_path / "base", made_up_recipe())
    few = write_training(tmp_path / "run", made_up_recipe(), tmp_path / "base", FIRST, GOOD)
    with pytest.raises(UserError, match="too few questions: some of each of easy and boundary are expected"):
        read([few.root])


def test_the_command_prints_markdown_and_refuses_in_one_line(
    folders: Sequence[Path], own: Sequence[Trained], tmp_path: Path
) -> None:
    command = [sys.executable, str(Path(__file__).with_name("prove.py"))]
    done = subprocess.run([*command, *map(str, folders)], capture_output=True, text=True, check=True)
    assert done.stdout == "\n".join(report(own)) + "\n"
    refused = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"dtbench: {tmp_path}: no training")
    assert refused.stderr.count("\n") == 1
