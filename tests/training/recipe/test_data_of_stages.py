"""What a recipe may say of the data of a stage: weights of its sources, and what is mined of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.training.recipe.recipe import RECIPES, load_recipe, stored_recipe
from dtbench.training.recipe.settings import MineSettings, Recipe

MINI = (RECIPES / "mini.toml").read_text()
STAGES = """
[[stage]]
name = "stage-1"
data = ["mini-train-1"]
steps = 1
rewards = { accuracy = 1 }

[[stage]]
name = "stage-2"
data = ["mini-train-1", "mini-train-2"]
steps = 1
rewards = { accuracy = 1 }
SECOND
"""


def recipe_with(folder: Path, second: str) -> Recipe:
    """Two stages, of which the second has this line."""
    path = folder / "own.toml"
    path.write_text(MINI[: MINI.index("[[stage]]")] + STAGES.replace("SECOND", second))
    return load_recipe(str(path))


@pytest.mark.parametrize(
    ("second", "complaint"),
    [
        ("weights = [1]", "own.toml: stage stage-2: weights = [1]: one for each of the 2 sources is expected."),
        ("weights = [1, 2, 3]", "weights = [1, 2, 3]: one for each of the 2 sources is expected."),
        ("weights = [1, 0]", "weights"),
        ('mine = { from = "stage-2" }', "stage stage-2: mine: from = 'stage-2': base or an earlier stage is expected."),
        ('mine = { from = "stage1" }', "Did you mean stage-1?"),
        ('mine = { from = "base", samples = 4, pass = [1, 5] }', "mine: pass = [1, 5]: two numbers from 0 to samples"),
        ('mine = { from = "base", pass = [3, 2] }', "such as [1, 7]"),
        ('mine = { from = "base", pass = [3] }', "pass = [3]"),
        ('mine = { from = "base", pass = [-1, 2] }', "pass = [-1, 2]"),
        ('mine = { from = "base", samples = 1 }', "samples"),
        ('mine = { from = "base", keep = 0 }', "keep"),
        ("mine = { samples = 4 }", "from"),
    ],
)
def test_what_does_not_go_together_is_one_line(tmp_path: Path, second: str, complaint: str) -> None:
    with pytest.raises(UserError) as caught:
        recipe_with(tmp_path, second)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_mined_is_read_and_stored_as_it_is_written(tmp_path: Path) -> None:
    recipe = recipe_with(tmp_path, 'mine = { from = "stage-1", samples = 8, pass = [0, 6], keep = 100 }')
    assert recipe.stage[1].mine == MineSettings(from_="stage-1", samples=8, pass_=(0, 6), keep=100)
    stored = recipe.plain()["stage"][1]["mine"]
    assert (stored["from"], list(stored["pass"])) == ("stage-1", [0, 6])
    assert stored_recipe(recipe.plain()) == recipe
