"""Changes that were planted in a checkpoint are found by `probe weights`, with their size, and nothing else is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_weights import EXPERTS, INNER, LAYERS, WIDTH, bfloat16, fused, on_grid, save_weights, tiny_model

from dtbench.harness.probe.weights import WeightsRequest, probe_weights
from dtbench.harness.store.weight_probe_types import WeightFigures, WeightProbe, WeightStage

ROUTER = "thinker.model.layers.2.mlp.gate.weight"
EXPERT = "thinker.model.layers.1.mlp.experts.3.up_proj.weight"
Tensors = Mapping[str, NDArray[Any]]


def probe(before: Path, after: Path, **settings: Any) -> WeightProbe:
    return probe_weights(WeightsRequest(before=str(before), after=str(after), **settings), lambda line: None)


@pytest.fixture
def compared(tmp_path: Path) -> Callable[..., WeightStage]:
    def compare(before: Tensors, after: Tensors, **settings: Any) -> WeightStage:
        (stage,) = probe(save_weights(tmp_path / "a", before), save_weights(tmp_path / "b", after), **settings)[
            "stages"
        ]
        return stage

    return compare


def changed(stage: WeightStage) -> list[str]:
    return [one["name"] for one in stage["tensors"] if one["changed"]]


def group(stage: WeightStage, name: str) -> WeightFigures:
    (found,) = (one for one in stage["groups"] if one["name"] == name)
    return found


def test_a_change_of_one_router_is_found_with_its_exact_size_and_nothing_else(
    compared: Callable[..., WeightStage],
) -> None:
    before = tiny_model()
    after = {**before, ROUTER: before[ROUTER].copy()}
    after[ROUTER][:, ::4] += 2**-6
    stage = compared(before, after)
    assert changed(stage) == ["layers.2.mlp.gate.weight"]
    assert [one["name"] for one in stage["groups"] if one["rms"]] == ["layer 2 router"]
    router = group(stage, "layer 2 router")
    assert (router["changed"], router["rms"], router["largest"]) == (0.25, 2**-7, 2**-6)
    assert router["relative"] == pytest.approx(2**-7 * math.sqrt(EXPERTS * WIDTH) / np.linalg.norm(before[ROUTER]))
    assert stage["answer"]["most"] == ["layer 2 router"]
    assert stage["answer"]["changed"].startswith("only 1 of 77 tensors: layers.2.mlp.gate.weight (rms 0.00781, 25.0%")
    assert stage["experts"] is not None
    angles = stage["experts"]["router_angle"]
    one, other = before[ROUTER][1], after[ROUTER][1]
    cosine = float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
    assert angles[2][1] == pytest.approx(math.degrees(math.acos(cosine)), rel=1e-4)
    assert angles[:2] + angles[3:] == [[0.0] * EXPERTS] * (LAYERS - 1)


@pytest.mark.parametrize("shape", [(INNER, WIDTH), (300, 400)], ids=["by its whole product", "by iteration"])
def test_a_change_of_rank_one_in_an_expert_has_rank_one(
    compared: Callable[..., WeightStage], shape: tuple[int, int]
) -> None:
    draw = np.random.default_rng(1)
    before = {**tiny_model(), EXPERT: on_grid(draw.normal(0, 0.25, shape))}
    change = np.outer(draw.choice([-1, 1], shape[0]), draw.choice([1, 2], shape[1])) * np.float32(2**-8)
    stage = compared(before, {**before, EXPERT: before[EXPERT] + np.float32(change)})
    assert changed(stage) == ["layers.1.mlp.experts.3.up_proj.weight"]
    found = group(stage, "layer 1 expert")
    assert found["rank"] == pytest.approx(1, abs=1e-5)
    assert found["top_share"] == pytest.approx(1, abs=1e-5)
    assert found["noise_rank"] == shape[0] * shape[1] / (shape[0] + shape[1] + 1)
    assert (found["low_rank"], found["verdict"]) == (1.0, "signal")
    assert stage["answer"]["signal"] == ["layer 1 expert"]
    assert stage["experts"] is not None
    assert [sum(1 for cell in row if cell) for row in stage["experts"]["changed"]] == [0, 1, 0, 0]
    assert stage["experts"]["changed"][1][3] == pytest.approx(
        shape[0] * shape[1] / (shape[0] * shape[1] + 2 * INNER * WIDTH)
    )


def test_noise_of_one_size_everywhere_is_called_noise_and_no_layer_wins(compared: Callable[..., WeightStage]) -> None:
    draw, rate, steps = np.random.default_rng(2), 1e-4, 400
    before = tiny_model()
    after = {
        name: tensor + np.float32(rate * math.sqrt(steps)) * draw.standard_normal(tensor.shape, dtype=np.float32)
        for name, tensor in before.items()
    }
    stage = compared(before, after, learning_rate=rate, steps=steps)
    assert {one["verdict"] for one in stage["groups"]} == {"noise"}
    assert (stage["answer"]["most"], stage["answer"]["signal"]) == ([], [])
    assert "no group stands out" in stage["answer"]["changed"]
    assert stage["whole"]["coherence"] == pytest.approx(1 / math.sqrt(steps), rel=0.01)
    for one in stage["kinds"]:
        if one["rank"] is not None and one["noise_rank"] is not None:
            assert one["rank"] == pytest.approx(one["noise_rank"], rel=0.2)
    assert stage["experts"] is not None
    for layer in stage["experts"]["routers"]:
        assert layer["rms_ratio"] == pytest.approx(1, abs=0.15)


def test_steps_in_one_direction_are_told_from_noise_of_the_same_optimiser(compared: Callable[..., WeightStage]) -> None:
    before, sign = tiny_model(), np.random.default_rng(3).choice
    after = {name: tensor + np.float32(2**-9) * sign([-1, 1], tensor.shape) for name, tensor in before.items()}
    stage = compared(
        before, {name: np.float32(tensor) for name, tensor in after.items()}, learning_rate=2**-13, steps=16
    )
    assert stage["whole"]["coherence"] == 1.0
    assert {one["verdict"] for one in stage["kinds"]} == {"signal"}


def test_more_than_the_optimiser_can_move_is_called_so(compared: Callable[..., WeightStage]) -> None:
    before = tiny_model()
    flip = on_grid(np.random.default_rng(4).choice([-1, 1], before[ROUTER].shape) / 16)
    stage = compared(before, {**before, ROUTER: before[ROUTER] + flip}, learning_rate=1e-4, steps=100)
    assert group(stage, "layer 2 router")["verdict"] == "beyond"
    assert "further than 100 steps can move: layer 2 router" in stage["answer"]["beyond"]


def test_a_change_that_bfloat16_rounds_away_is_below_resolution(compared: Callable[..., WeightStage]) -> None:
    before = {name: bfloat16(on_grid(tensor, 7)) for name, tensor in tiny_model().items()}
    stage = compared(before, before, learning_rate=1e-7, steps=10)
    assert stage["whole"]["changed"] == 0
    zeros = sum(int((tensor & 0x7FFF == 0).sum()) for tensor in before.values())
    assert stage["whole"]["hidden"] == pytest.approx(1 - zeros / stage["whole"]["elements"], abs=1e-9)
    assert stage["answer"]["below_resolution"].startswith(
        "77 tensors did not change; of a value of usual size no change"
    )


def test_a_change_in_32_bits_of_less_than_half_a_step_moves_no_bfloat16(compared: Callable[..., WeightStage]) -> None:
    before = {name: np.abs(on_grid(tensor, 4)) + np.float32(1) for name, tensor in tiny_model().items()}
    after = {name: tensor + np.float32(2**-11) for name, tensor in before.items()}
    stage = compared(before, after)
    assert (stage["whole"]["changed"], stage["whole"]["moved"], stage["whole"]["most_steps"]) == (1.0, 0.0, 0)
    assert stage["answer"]["below_resolution"].startswith("100.0% of the elements changed by less than a step")


def test_steps_of_bfloat16_are_counted_over_zero_and_over_powers_of_two(compared: Callable[..., WeightStage]) -> None:
    first, second = [1.0, 0.0, -0.0, 1.0, -(2**-126), 3.0], [1 + 2**-7, -0.0, 0.0, 1 - 2**-8, 2**-126, 3.0]
    row = {"model.layers.0.self_attn.q_proj.weight": bfloat16(np.array([first]))}
    stage = compared(row, {name: bfloat16(np.array([second])) for name in row})
    assert stage["whole"]["moved"] == 3 / 6
    assert stage["whole"]["changed"] == 3 / 6
    assert stage["whole"]["most_steps"] == 2 * 128, "as many numbers lie on either side of 0 down to the smallest"
    assert stage["whole"]["mean_steps"] == pytest.approx((1 + 1 + 256) / 3)


def test_a_pair_of_matrices_that_was_only_scaled_is_called_scaled(compared: Callable[..., WeightStage]) -> None:
    before = tiny_model()
    down = EXPERT.replace("up_proj", "down_proj")
    stage = compared(before, {**before, EXPERT: before[EXPERT] * 2, down: before[down] / 2})
    found = {one["name"]: one for one in stage["tensors"] if one["changed"]}
    assert {name: one["relative"] for name, one in found.items()} == {
        "layers.1.mlp.experts.3.up_proj.weight": 1.0,
        "layers.1.mlp.experts.3.down_proj.weight": 0.5,
    }
    assert {one["verdict"] for one in found.values()} == {"scaled"}


def permuted(tensors: Tensors, layer: int, places: list[int]) -> dict[str, NDArray[Any]]:
    """The same function with the experts of a layer in other places: expert e is at places[e]."""
    after = dict(tensors)
    place = f"thinker.model.layers.{layer}.mlp"
    rows = tensors[f"{place}.gate.weight"].copy()
    for expert, target in enumerate(places):
        rows[target] = tensors[f"{place}.gate.weight"][expert]
        for name in ("gate", "up", "down"):
            after[f"{place}.experts.{target}.{name}_proj.weight"] = tensors[
                f"{place}.experts.{expert}.{name}_proj.weight"
            ]
    return {**after, f"{place}.gate.weight": rows}


def test_experts_that_changed_places_are_permuted_and_not_changed(compared: Callable[..., WeightStage]) -> None:
    before = tiny_model()
    stage = compared(before, permuted(before, 1, [2, 0, 1, 3]))
    assert changed(stage) == []
    assert stage["permuted"] == [{"router": "layers.1.mlp.gate", "places": [2, 0, 1, 3]}]


def test_a_change_of_an_expert_that_moved_is_found_under_its_first_number(compared: Callable[..., WeightStage]) -> None:
    before = tiny_model()
    trained = {**before, EXPERT: before[EXPERT] + np.float32(2**-7)}
    stage = compared(before, permuted(trained, 1, [1, 2, 3, 0]))
    assert changed(stage) == ["layers.1.mlp.experts.3.up_proj.weight"]
    assert group(stage, "layer 1 expert")["largest"] == 2**-7


@pytest.mark.parametrize(("shards", "order"), [(1, 0), (3, 5), (7, 9)])
def test_a_checkpoint_beside_itself_is_zero_bit_for_bit_whatever_its_shards(
    tmp_path: Path, shards: int, order: int
) -> None:
    tensors = {**tiny_model(), EXPERT: np.full((INNER, WIDTH), np.nan, np.float32)}
    before, after = save_weights(tmp_path / "a", tensors), save_weights(tmp_path / "b", tensors, shards, order)
    (stage,) = probe(before, after)["stages"]
    zero = ("changed", "rms", "relative", "largest", "moved", "mean_steps", "most_steps")
    for one in (stage["whole"], *stage["kinds"], *stage["layers"], *stage["groups"], *stage["tensors"]):
        assert [one[name] for name in zero] == [0] * len(zero)  # type: ignore[literal-required]
        assert one["verdict"] == "same"
    assert stage["whole"]["invalid"] == INNER * WIDTH
    assert stage["answer"]["changed"] == "nothing: all 77 tensors are the same, bit for bit."


def test_fused_and_single_experts_and_other_shards_give_the_same_numbers(tmp_path: Path) -> None:
    before, draw = tiny_model(), np.random.default_rng(6)
    after = {name: tensor + on_grid(draw.normal(0, 0.02, tensor.shape), 12) for name, tensor in before.items()}
    forms = {
        "single": (save_weights(tmp_path / "a", before), save_weights(tmp_path / "b", after)),
        "fused after": (tmp_path / "a", save_weights(tmp_path / "fused-b", fused(after), 2, 3)),
        "fused both": (save_weights(tmp_path / "fused-a", fused(before), 5, 1), tmp_path / "fused-b"),
    }
    stages = {name: probe(*pair)["stages"][0] for name, pair in forms.items()}
    for stage in stages.values():
        assert stage["kinds"] == stages["single"]["kinds"]
        assert stage["tensors"] == stages["single"]["tensors"]
        assert stage["experts"] == stages["single"]["experts"]


def test_a_talker_that_one_of_them_lacks_is_told_and_the_rest_compared(tmp_path: Path) -> None:
    before = tiny_model()
    after = {name: tensor for name, tensor in before.items() if not name.startswith("talker.")}
    found = probe(save_weights(tmp_path / "a", before), save_weights(tmp_path / "b", after))
    (left_out,) = found["left_out"]
    assert left_out == {
        "why": "only in one",
        "part": "talker",
        "checkpoints": [str(tmp_path / "a")],
        "tensors": 1,
        "names": ["talker.layers.0.mlp.gate.weight"],
    }
    assert found["stages"][0]["whole"]["tensors"] == len(after)
