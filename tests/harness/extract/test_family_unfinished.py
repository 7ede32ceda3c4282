"""Texts that were cut, went round in a loop, listed the options only, or went on to other questions."""

from __future__ import annotations

from itertools import product

import pytest
from written_answers import LETTERS, STATEMENTS, Written, check, fill

SOUNDS = ("A bell", "A horn", "A drum", "A whistle")
CUT_REASONINGS = (
    *(
        "The first clap comes at 0:03. A bell rings at 0:05, and then the",
        "A drum plays on the first beat. After that, a",
    ),
    "First I listen for the attack. A bell has a sharp attack and a long decay. The tone in the clip has",
    "Let's go through the options. The bell would have a long decay. The horn would have a",
    "The tone begins softly and gets louder. In a drum the attack would be",
    "I hear a drum on the left and then the sound moves to the right, where it is mixed with the",
    "1. **Attack**: the tone begins sharply.\n2. **Decay**: a bell rings on for seconds.\n3. **Timbre**: the",
    "Step 1: Listen to the beginning. There is a horn in the distance.\nStep 2: Listen to the end. The",
    "(A) A bell: it would ring for seconds.\n(B) A horn: it would be softer.\n(C) A dr",
    "- A bell has inharmonic partials.\n- A horn has harmonic ones.\n- The clip has",
    "The spectrum has peaks at 440 Hz, 880 Hz and 1320 Hz, as in a horn, whose partials are",
    "A whistle is nearly a sine tone. To compare this with the clip, let us look at the spectrum, which",
)
CUT_COUNTS = (
    "The tempo is 120 beats a minute, so a beat lasts 0.5 s. In 4 s there are 8 beats, and in the",
    "The first bar has 4 beats. The second bar has 6 beats. So up to here there are",
    "Let n be the number of beats. Then n = 2 * 4 + 6 * (12 - 4) / 2, and with this we",
    "2 + 4 = 6, 6 + 6 = 12, 12 + 4 =",
    "Count: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,",
)
CUT_EXPLANATIONS = (
    *(
        "The reason is that the second tone has a",
        "This is because the attack is slow and the",
        "The attack is slow and",
    ),
    *("A bell would ring for longer, and a drum", "\n\n1. The attack is slow.\n2. The", "\n\nExplanation: the tone is"),
    *(
        "\n\nThe other options are wrong:\n- A bell rings for longer.\n- A dr",
        "In the clip, the partials are at 440 Hz, 880",
    ),
)
LOOPS = (
    *("The bell rings at the start. ", "A bell rings and a horn answers. ", "Then the drum plays again. "),
    *("It is hard to hear the whistle. ", "The attack is sharp. ", "I will listen to the horn again. "),
)
ENDINGS = (
    *(
        "\n\nQuestion: What instrument plays next?\nAnswer: {}",
        "\n\nQ: Which one is louder?\nA: {}",
        "\n\nUser: And now?\nAssistant: {}",
    ),
    "\n\nQuestion: What is heard at the end?\n(A) A bell\n(B) A horn\n(C) A drum\n(D) A whistle\nAnswer: {}",
    "\n\nQuestion: What is heard at the end?\nSolution: The tone is softer there. The answer is {}.",
    "\n\n### Question 2:\nWhat is heard next?\n### Answer:\n{}",
    "\n\n**Question:** What is heard next?\n**Answer:** {}",
    "\n\nHuman: What is heard next?\nAI: The answer is {}.",
    "\n\nProblem: What is heard next?\nSolution: The answer is {}.",
    "\n\n## Question\nWhat is heard next?\n\n## Solution\nThe answer is {}.",
    "\n\nQuestion 2: What is heard next?\nAnswer: {}\n\nQuestion 3: What is heard last?\nAnswer: (A)",
)
FIRST_ANSWERS = (
    "The answer is (@L).",
    "Answer: @L",
    "(@L) @T",
    "@L. @T",
    "@L",
    "@T",
    "The answer is @T.",
    "**Answer: @L**",
)
COMMENTS = (
    ("it rings for seconds", "it has harmonic partials", "it has no pitch", "it is nearly a sine tone"),
    ("a sound of metal", "a sound of brass", "a sound of skin and wood", "a sound of air"),
    ("often heard in churches.", "often heard in an orchestra.", "often heard in bands.", "often heard at matches."),
    ("A long decay is typical.", "A slow attack is typical.", "A short decay is typical.", "A high pitch is typical."),
)
ENTRIES = (
    *(
        "(@L) @T: #",
        "@L. @T - #",
        "@L) @T (#)",
        "- **@T**: #",
        "* @T: #",
        "**@L. @T**: #",
        "Option @L: @T - #",
        "- (@L) @T, #",
    ),
    *("**Option @L (@T)**: #", "1. @T: #"),
)
IN_PASSING = (
    *(
        "As shown in Figure (A), the tone decays slowly.",
        "See panel (A) for the spectrum.",
        "In Fig. 2(A) the level drops.",
    ),
    *(
        "The current is 5 (A) in the first coil.",
        "x = 5 (A), y = 6 (A), z = 7 (A).",
        "Microphone (A) is closer than the other.",
    ),
    *(
        "Speaker (A) talks first and then (B) replies.",
        "In section (A) the tempo is slower.",
        "Take (A) was recorded twice.",
    ),
    *(
        "The form of the piece is (A) (B) (A).",
        "The bell (A), the horn (A), the drum (A) and the whistle (A) are heard.",
    ),
)


@pytest.mark.parametrize("text", CUT_REASONINGS)
def test_a_cut_reasoning_is_no_answer(text: str) -> None:
    before = ("", "The clip lasts ten seconds. ", "Let me listen step by step.\n\n")
    check([Written(lead + text, SOUNDS, None) for lead in before])


@pytest.mark.parametrize("text", CUT_COUNTS)
def test_a_cut_calculation_is_no_answer(text: str) -> None:
    sets = (("4 beats", "6 beats", "8 beats", "12 beats"), ("4", "6", "8", "12"), ("2", "4", "6", "14"))
    check([Written(lead + text, choices, None) for choices in sets for lead in ("", "We count the beats. ")])


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_before_the_cut_stands(statement: str) -> None:
    said = fill(statement, 1, SOUNDS[1])
    joint = " " if said.endswith((".", "*")) else "\n"
    texts = [said + (text if text.startswith("\n") else joint + text) for text in CUT_EXPLANATIONS]
    lead = "A bell would have a sharp attack, and the tone begins softly. "
    check([Written(start + text, SOUNDS, SOUNDS[1]) for text in texts for start in ("", lead)])


@pytest.mark.parametrize(
    "text", ["It is {}", "{}", "It sounds like {}", "So it is {}", "It is clearly {}", "This is {}"]
)
def test_a_short_text_without_a_full_stop_is_finished(text: str) -> None:
    lead = ("", "The attack is slow and the tone is soft. ", "The tone begins softly.\n\n")
    said = [text.format(sound[:1].lower() + sound[1:]) for sound in SOUNDS]
    check(
        [Written(start + said[i], SOUNDS, SOUNDS[i]) for i in range(4) for start in lead if start == "" or text != "{}"]
    )


@pytest.mark.parametrize("text", ["So it is {}.", "It is {}.", "This must be {}.", "In the clip, {} is heard."])
def test_a_finished_reasoning_is_read(text: str) -> None:
    said = [text.format(sound[:1].lower() + sound[1:]) for sound in SOUNDS]
    check([Written(f"The attack is slow and the tone is soft. {said[i]}", SOUNDS, SOUNDS[i]) for i in range(4)])


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_without_a_statement_is_no_answer(loop: str) -> None:
    lead = ("", "The tone begins softly. ", "Let me listen step by step.\n\n")
    cuts = (0, 5, 11)
    check([Written(start + loop * n + loop[:cut], SOUNDS, None) for start in lead for n in (12, 60) for cut in cuts])


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("times", [2, 5, 40])
def test_a_statement_said_over_and_over_is_that_statement(statement: str, times: int) -> None:
    said = fill(statement, 1, SOUNDS[1])
    lines = [(said + joint) * times for joint in ("\n", "\n\n", " " if said.endswith(".") else "\n")]
    cut = [text + said[: len(said) // 3] for text in lines]
    lead = "A bell would have a sharp attack, and the tone begins softly. "
    check([Written(start + text, SOUNDS, SOUNDS[1]) for text in (*lines, *cut) for start in ("", lead)])


@pytest.mark.parametrize("times", [2, 5, 40])
def test_a_sentence_without_a_verdict_has_none_however_often_it_is_said(times: int) -> None:
    said = (
        "The clip has several sounds. ",
        "It is not a bell. ",
        "It is a bell or a horn. ",
        "I cannot hear the audio. ",
    )
    check([Written(text * times, SOUNDS, None) for text in said])


@pytest.mark.parametrize("loop", LOOPS)
def test_a_statement_before_a_loop_stands(loop: str) -> None:
    said = ("The answer is (B). ", "Answer: B\n\n", "**Answer: (B) A horn**\n\n", "The answer is a horn. ")
    check([Written(text + loop * n, SOUNDS, SOUNDS[1]) for text in said for n in (5, 40)])


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_first_question_is_answered_where_the_model_asks_more(ending: str) -> None:
    cases = []
    for form, place in product(FIRST_ANSWERS, range(4)):
        other = (place + 1) % 4
        said = fill(form, place, SOUNDS[place])
        later = (f"({LETTERS[other]})", LETTERS[other], SOUNDS[other], f"({LETTERS[other]}) {SOUNDS[other]}")
        cases += [Written(said + ending.format(text), SOUNDS, SOUNDS[place]) for text in later]
    check(cases)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("(a) How many? The answer is @1.\n", "(b) Which one? The answer is @2."),
        ("(a) The tone is high. The answer is (@1).\n", "(b) The tone is low. The answer is (@2)."),
        ("Part 1: the answer is (@1).\n", "Part 2: the answer is (@2)."),
        ("Part (a): the answer is @1.\n\n", "Part (b): the answer is @2."),
        ("1. The answer is (@1).\n", "2. The answer is (@2)."),
        ("The answer is (@1)\n", "The answer is (@2)"),
        ("Answer: @1\n", "Answer: @2"),
        ("The answer to the first part is (@1). ", "The answer to the second part is (@2)."),
        ("First question: (@1)\n", "Second question: (@2)"),
    ],
)
def test_parts_with_different_answers_have_none_unless_a_last_one_follows(first: str, second: str) -> None:
    def parts(one: int, two: int) -> str:
        return (first + second).replace("@1", LETTERS[one]).replace("@2", LETTERS[two])

    pairs = [(one, two) for one in range(4) for two in range(4) if one != two]
    finals = (
        "\n\nOverall, the final answer is (C).",
        "\n\nFinal answer: C",
        "\n\nTaken together, the correct answer is (C).",
    )
    check([Written(parts(one, two), SOUNDS, None) for one, two in pairs])
    check([Written(parts(one, two) + last, SOUNDS, SOUNDS[2]) for one, two in pairs for last in finals])
    if "First question" not in first:
        check([Written(parts(place, place), SOUNDS, SOUNDS[place]) for place in range(4)])


@pytest.mark.parametrize(
    "form", ["The answer is (@L)", "The answer is (@L).", "Answer: @L", "Answer: (@L)", "The answer is @L."]
)
def test_a_list_of_answers_is_none(form: str) -> None:
    orders = ((0, 1, 2), (3, 1, 0), (2, 3, 0, 1), (1, 0, 3, 2))
    lead = ("", "I can answer these questions:\n\n", "The answers are:\n")
    lists = ["\n".join(fill(form, place, "") for place in order) for order in orders]
    check([Written(start + text, SOUNDS, None) for start in lead for text in lists])


@pytest.mark.parametrize(
    "turn", ["Wait, no.", "No, that is wrong.", "Actually, let me correct that.", "On second thought:"]
)
def test_a_corrected_statement_is_no_list(turn: str) -> None:
    said = ("The answer is (@L).", "The answer is @L.", "Answer: (@L).")
    check([Written(f"{fill(form, 0, '')} {turn} {fill(form, 1, '')}", SOUNDS, SOUNDS[1]) for form in said])


@pytest.mark.parametrize(
    "form", ["The answer is (@L).", "The answer is @L.", "The correct answer is **(@L) @T**.", "Answer: @L"]
)
def test_a_verdict_behind_a_first_impression_is_no_list(form: str) -> None:
    first = (
        "At first sight the answer is (@L).",
        "One might say that the answer is (@L).",
        "I first thought it was (@L).",
    )
    between = " The attack, however, is slow, and there are harmonic partials.\n\n"
    check(
        [
            Written(fill(text, one, "") + between + fill(form, two, SOUNDS[two]), SOUNDS, SOUNDS[two])
            for text in first
            for one, two in product(range(4), repeat=2)
        ]
    )


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_list_of_all_options_with_comments_is_no_answer(entry: str) -> None:
    lists = []
    for comments in COMMENTS:
        lines = [fill(entry, i, SOUNDS[i]).replace("#", comments[i]).replace("1.", f"{i + 1}.") for i in range(4)]
        lists += ["\n".join(lines), "\n\n".join(lines)]
    lead = ("", "Let's look at the options.\n\n", "The clip lasts ten seconds.\n")
    after = ("", "\n\nThe clip lasts ten seconds.")
    check([Written(start + text + end, SOUNDS, None) for start in lead for text in lists for end in after])
    verdicts = ("\n\nThe answer is (B).", "\n\nTherefore, the correct option is B: A horn.", "\n\nSo it is a horn.")
    check([Written(text + end, SOUNDS, SOUNDS[1]) for text in lists for end in verdicts])


@pytest.mark.parametrize("text", IN_PASSING)
def test_a_letter_in_passing_is_no_answer(text: str) -> None:
    choices = ("Loud", "Quiet", "Rising", "Steady")
    around = ("{}", "The clip lasts ten seconds. {}", "{} The clip lasts ten seconds.")
    sets = (SOUNDS,) if "bell" in text else (SOUNDS, choices)
    check([Written(form.format(text), options, None) for options in sets for form in around])
    check([Written(f"{text} The answer is (B).", options, options[1]) for options in sets])
