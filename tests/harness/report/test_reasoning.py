"""What `dtbench faithful` measured, in the report and as a frame: rates, groups and examples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chain_reasoners import BY_ID, believe, insist, reference_answer
from command import call
from made_up_run import write_run

from dtbench import faithful_df
from dtbench.harness.core.schema import Sample
from dtbench.harness.faithful.options import FaithfulOptions
from dtbench.harness.faithful.session import run_faithful
from dtbench.harness.report.reasoning import faithful_figures
from dtbench.harness.run.live_line import LiveLine
from dtbench.harness.run.plan import PromptForm
from dtbench.models import from_function

ASKED = 12


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with what a model that believes made of it, and beside it what one that insists made of its edits."""
    folder, ids = tmp_path_factory.mktemp("reasoning"), list(BY_ID)[:ASKED]

    def says(sample: Sample, repeat: int) -> str | None:
        return reference_answer(sample) if sample.id in ids else None

    write_run(folder / "run", {"mini": folder / "data"}, says, form=PromptForm(answer="think"))
    run_faithful(FaithfulOptions(run=folder / "run", model_object=from_function(believe)), LiveLine(quiet=True))
    stubborn = FaithfulOptions(
        run=folder / "run",
        out=folder / "run" / "faithful-2",
        only=("step",),
        model_object=from_function(insist),
    )
    run_faithful(stubborn, LiveLine(quiet=True))
    return folder / "run"


def test_the_page_has_each_measurement_with_its_rates_groups_and_examples(run: Path) -> None:
    found = faithful_figures([("model", run)])
    assert found is not None
    first, second = found
    assert (first["run"], first["task"], first["status"], first["chains"]) == ("model", "mini", "done", ASKED)
    rates = {one["intervention"]: one for one in first["interventions"]}
    assert rates["description"]["follow"]["accuracy"] == rates["control"]["keep"]["accuracy"] == 1.0
    assert set(first["groups"]) == {"category", "difficulty"}
    assert [one["intervention"] for one in second["interventions"]] == ["step"]
    assert second["interventions"][0]["follow"]["accuracy"] == 0.0


def test_an_example_is_cut_at_the_first_word_that_was_changed(run: Path) -> None:
    found = faithful_figures([("model", run)])
    assert found is not None
    followed, insisted = found[0]["examples"][0], found[1]["examples"][0]
    assert (followed["intervention"], followed["choice"] == followed["led"]) == ("description", True)
    assert followed["same"].startswith("<think> i hear first")
    assert followed["own"].split()[0] != followed["given"].split()[0]
    assert followed["wrote"].endswith(f"</think> {followed['led']}")
    assert (insisted["intervention"], insisted["choice"] == insisted["kept"], insisted["own"]) == ("step", True, None)


def test_the_report_carries_it_and_a_run_without_it_has_none(run: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert call("report", run, "--out", page, "--clips", "none").code == 0
    first = page.read_text().partition('id="first">')[2].partition("</script>")[0]
    assert [one["task"] for one in json.loads(first)["faithful"]] == ["mini", "mini"]
    assert faithful_figures([("model", tmp_path)]) is None


def test_a_frame_has_a_row_for_each_share_of_all_questions_and_of_each_group(run: Path) -> None:
    frame = faithful_df(run / "faithful")
    own = frame[(frame["change"] == "description") & (frame["measure"] == "follow")]
    assert own[own["heading"].isna()]["value"].tolist() == [1.0]
    parts = own[own["heading"] == "difficulty"]
    assert parts["n"].sum() == own[own["heading"].isna()]["n"].iloc[0]
    assert len(faithful_df([run])) == len(frame) + len(faithful_df(run / "faithful-2"))
    with pytest.raises(Exception, match=r"nothing was measured of its reasoning: `dtbench faithful"):
        faithful_df(run.parent)
