"""`--backend local`: the noise of sampling, stop strings, and what transformers warns of."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from engines import need

from dtbench.models.local.notices import TransformersNotices
from dtbench.models.local.sampling import RowNoise, StopStrings, cut_at_stop

pytestmark = pytest.mark.engine

SEEDS = (7, 0, 2**32 - 1)
WIDTHS = (5, 64, 151_936)


@pytest.fixture(scope="module")
def torch() -> Any:
    need("transformers")
    import torch

    return torch


@pytest.mark.parametrize("width", WIDTHS)
def test_on_a_cpu_a_seed_draws_what_it_always_drew(torch: Any, width: int) -> None:
    noise = RowNoise(SEEDS)
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    scores = torch.randn(len(SEEDS), width, generator=torch.Generator().manual_seed(1))
    for _ in range(3):
        drawn = [torch.empty(width).exponential_(generator=generator) for generator in generators]
        once = scores - torch.stack(drawn).log()
        assert torch.equal(scores + noise.draw(width, scores.device), once)


def test_the_noise_of_a_row_depends_on_its_seed_alone(torch: Any) -> None:
    alone, together = RowNoise([0]), RowNoise(SEEDS)
    for _ in range(3):
        assert torch.equal(alone.draw(64, "cpu")[0], together.draw(64, "cpu")[1])


def test_noise_is_drawn_on_the_device_of_the_scores_and_never_on_the_cpu_instead(torch: Any) -> None:
    with pytest.raises(RuntimeError, match="META device type"):  # it draws nothing: the only other device on a CPU
        RowNoise(SEEDS).draw(64, torch.device("meta"))


def test_a_row_ends_with_the_token_that_completes_a_stop_string(torch: Any) -> None:
    stops = StopStrings(["bcd", "zz"], 2, lambda tokens: "".join(map(chr, tokens)))
    rows = ["??abcdef", "??azzbcd", "bcdefghi"]  # in the last it is of the prompt
    ended = []
    for length in range(3, 9):
        ended.append(stops(torch.tensor([[ord(c) for c in row[:length]] for row in rows]), None).tolist())
    assert [row.index(True) if True in row else None for row in zip(*ended, strict=True)] == [3, 2, None]
    assert stops.ends == {0: 4, 1: 3}


def test_an_answer_is_cut_before_its_first_stop_string() -> None:
    assert cut_at_stop("abcdef", ["ef", "cd"]) == "ab"
    assert cut_at_stop("abcdef", ["x"]) == "abcdef"
    assert cut_at_stop("abcdef", []) == "abcdef"


@pytest.fixture
def notices(torch: Any) -> Iterator[TransformersNotices]:
    made = TransformersNotices()
    made.attach()
    yield made
    made.detach()


def test_a_warning_of_transformers_is_told_once(
    notices: TransformersNotices, capfd: pytest.CaptureFixture[str]
) -> None:
    log = logging.getLogger("transformers.models.somewhere")
    for _ in range(2):
        log.warning("Weights of %s were\nnot used", "an adapter")
    log.warning("Setting `pad_token_id` to `eos_token_id`:0 for open-end generation.")
    log.info("nothing to see")
    assert notices.take() == ["Weights of an adapter were not used"]
    log.warning("Weights of an adapter were not used")
    assert notices.take() == []
    assert capfd.readouterr() == ("", "")


def test_the_log_of_transformers_has_its_own_handler_again_after_the_last_model(torch: Any) -> None:
    import transformers

    log = logging.getLogger(transformers.__name__)

    def of_both() -> list[type[logging.Handler]]:
        return [kind for kind in map(type, log.handlers) if kind in {logging.StreamHandler, TransformersNotices}]

    assert of_both() == [logging.StreamHandler]
    one, other = TransformersNotices(), TransformersNotices()
    for notices in (one, other):
        notices.attach()
    one.detach()
    assert of_both() == [TransformersNotices]
    other.detach()
    assert of_both() == [logging.StreamHandler]
