"""Every word of the world, for the tokenizer of a model that lives in it."""

from __future__ import annotations

from dtbench.tasks.mini_world.events import KINDS, LENGTHS, LEVELS, ORDINALS, PITCHES, WAYS

LETTERS = ("(A)", "(B)", "(C)", "(D)", "(E)")
"""As options are lettered."""
NUMBERS = tuple(str(number) for number in range(21))
_TEXT = (
    ". , : ? i hear describe the audio answer directly think and in tags with your words notes then say write how"
    " many beeps are there total does sound have which comes first last right after before nothing is only one loud"
    " long what pitch of way go highest lowest sounds kinds plus makes has none so goes a to this clip listen question"
    " from choose options step not yes no same it"
)
VOCABULARY = tuple(
    dict.fromkeys((*NUMBERS, *LETTERS, *KINDS, *LEVELS, *LENGTHS, *PITCHES, *WAYS, *ORDINALS, *_TEXT.split()))
)
"""Words of questions, options, descriptions and chains, and those that tasks for a model are put in."""
