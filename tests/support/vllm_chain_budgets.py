"""What vLLM's own state of `thinking_token_budget` forces, in a process of its own: cases in and answers out as JSON.

Each case has the tokens of the tags, the budget, those of the prompt, and for each step what the model would say.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

VOCABULARY = 16


def answer_of(opening: Sequence[int], closing: Sequence[int], budget: int, prompt: list[int], wishes: list[int]) -> Any:
    """The tokens that a model with these wishes writes under vLLM's budget."""
    import torch
    from vllm.v1.sample.logits_processor.interface import BatchUpdate
    from vllm.v1.sample.thinking_budget_state import ThinkingBudgetStateHolder

    tags: Any = SimpleNamespace(reasoning_start_token_ids=opening, reasoning_end_token_ids=closing)
    state = ThinkingBudgetStateHolder(tags, 1, 0, torch.device("cpu"), False)
    answer: list[int] = []
    asked: Any = SimpleNamespace(thinking_token_budget=budget)
    state.sync_batch(BatchUpdate(batch_size=1, removed=[], added=[(0, asked, prompt, answer)], moved=[]))
    for wish in wishes:
        state.update_state([answer], None)
        logits = torch.zeros(1, VOCABULARY)
        logits[0, wish] = 1.0
        answer.append(int(state.apply_to_logits(logits, False, [[]]).argmax()))
    return answer


if __name__ == "__main__":
    print(json.dumps([answer_of(*case) for case in json.load(sys.stdin)]))
