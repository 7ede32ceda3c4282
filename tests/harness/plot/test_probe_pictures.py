"""Pictures and frames of probes: every line and map has the values that the probe wrote, and the null beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command import call
from made_up_probes import EXPERTS, write_probes

from dtbench import plot_runs, probe_df


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_probes(tmp_path_factory.mktemp("probe"))


def lines(axes: Any) -> dict[str, tuple[list[float], list[float]]]:
    """Label -> places and values of each line of a picture."""
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    drawn = [([*line.get_xdata()], [*line.get_ydata()]) for line in axes.lines]
    return dict(zip(labels, drawn, strict=True))


def test_the_lens_is_drawn_by_layer_with_chance_and_where_hearing_ends(folder: Path) -> None:
    probability, entropy, patched = plot_runs(folder, kind="lens").axes
    assert lines(probability) == {
        "base": ([0, 1, 2], [0.1, 0.4, 0.8]),
        "tuned": ([0, 1, 2], [0.2, 0.5, 0.9]),
        "another question's token": ([0, 1, 2], [0.02] * 3),
    }
    assert lines(entropy)["base"] == ([0, 1, 2], [3.0, 2.0, 1.0])
    assert lines(patched)["tuned"] == ([0, 1, 2], [2.0, 1.0, 0.0])
    assert [axes.get_ylabel() for axes in (probability, entropy, patched)] == [
        "Probability",
        "Entropy (bits)",
        "Fall by another clip",
    ]
    assert {axes.get_xlabel() for axes in (probability, entropy, patched)} == {"Layer"}
    band = probability.collections[0].get_datalim(probability.transData)
    assert (band.y0, band.y1) == pytest.approx((0.05, 0.85))


def test_weights_have_the_null_of_the_optimiser_and_a_map_of_experts(folder: Path) -> None:
    rms, experts, _ = plot_runs(folder, kind="weights").axes
    assert lines(rms) == {
        "expert": ([1, 2], [2e-5, 2e-5]),
        "router": ([1, 2], [1e-5, 4e-5]),
        "steps without a direction": ([1, 2], [3e-5, 3e-5]),
    }
    images: Any = experts.images
    shown = images[0].get_array()
    assert shown.filled(-1).tolist() == [EXPERTS[0], [EXPERTS[1][0], -1]]
    assert [text.get_text() for text in experts.get_yticklabels()] == ["1", "2"]
    assert (experts.get_xlabel(), experts.get_ylabel()) == ("Expert", "Layer")


def test_states_have_the_null_of_numerics_and_the_share_of_each_part(folder: Path) -> None:
    drift, _, swaps = plot_runs(folder, kind="states").axes
    assert lines(drift) == {
        "clip": ([0, 1, 2], [0.0, 0.1, 0.2]),
        "chain": ([0, 1, 2], [0.0, 0.3, 0.6]),
        "bf16": ([0, 1, 2], [0.01] * 3),
    }
    assert lines(swaps) == {"router": ([1, 2], [0.0, 0.1]), "experts": ([1, 2], [0.2, 0.7])}


def test_a_control_is_dotted_in_the_colour_of_what_it_stands_beside(tmp_path: Path) -> None:
    folder = write_probes(tmp_path / "probe", control=True)
    drift, _, swaps = plot_runs(folder, kind="states").axes
    assert lines(drift)["control: chain"][1] == pytest.approx([0.0, 0.03, 0.06])
    assert lines(swaps)["control: experts"][1] == pytest.approx([0.02, 0.07])
    drawn = dict(zip(lines(drift), drift.lines, strict=True))
    assert drawn["control: chain"].get_color() == drawn["chain"].get_color() != drawn["clip"].get_color()
    assert [drawn[name].get_linestyle() for name in ("control: chain", "chain", "bf16")] == [":", "-", "--"]
    assert lines(plot_runs(folder, kind="lens").axes[0])["control: random"][1] == pytest.approx([0.15, 0.45, 0.85])
    titles = [axes.get_title(loc="right") for axes in plot_runs(folder, kind="weights").axes]
    assert "base to random (control)" in titles


def test_a_frame_names_the_control_beside_what_was_trained(tmp_path: Path) -> None:
    frame = probe_df(write_probes(tmp_path / "probe", control=True))
    shown = {name: frame[frame["subject"] == name] for name in set(frame["subject"])}
    assert {"control: random", "control: base -> random", "control at texts of b"} < set(shown)
    share = shown["weights of the control in A"]
    own = share[(share["kind"] == "experts") & (share["measure"] == "text_share")]
    assert own["value"].tolist() == pytest.approx([0.02, 0.07])
    assert shown["control less first"][["value", "low", "high"]].to_numpy().tolist() == [
        pytest.approx([0.01, -0.01, 0.03])
    ]
    assert shown["last less first"]["value"].tolist() == [0.1]


def test_a_folder_without_a_probe_is_named_with_what_writes_one(tmp_path: Path) -> None:
    line = call("plot", tmp_path, "--kind", "lens", "--out", tmp_path / "x.svg").refusal()
    assert f"{tmp_path / 'lens.json'}: not there: `dtbench probe lens ... --out {tmp_path}` writes it." in line
    with pytest.raises(Exception, match=r"no probe wrote into it: weights\.json, states\.json or lens\.json"):
        probe_df(tmp_path)


def test_a_frame_has_a_row_for_each_figure_of_each_layer(folder: Path) -> None:
    frame = probe_df(folder)
    own = frame[(frame["probe"] == "lens") & (frame["subject"] == "tuned") & (frame["measure"] == "probability")]
    assert own["layer"].tolist() == [0, 1, 2]
    assert own["value"].tolist() == pytest.approx([0.2, 0.5, 0.9])
    assert own["low"].tolist() == pytest.approx([0.15, 0.45, 0.85])
    null = frame[(frame["subject"] == "null: bf16") & (frame["measure"] == "cka") & (frame["kind"] == "clip")]
    assert null["value"].tolist() == pytest.approx([0.01] * 3)
    rms = frame[(frame["probe"] == "weights") & (frame["measure"] == "rms") & (frame["kind"] == "router")]
    assert rms[["layer", "value"]].to_numpy().tolist() == [[1, 1e-5], [2, 4e-5]]
    assert set(frame["probe"]) == {"weights", "states", "lens"}
