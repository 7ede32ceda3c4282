"""Numbers, formulas and shared words: in passing they are no answer, with a cue or a label they are."""

from __future__ import annotations

from itertools import product

import pytest
from written_answers import LABELLED, LETTER_ALONE, LETTERS, STATEMENTS, Question, Written, check, fill, some_continued

WORDS = ("One", "Two", "Three", "Four")
DIGITS = ("1", "2", "3", "4")
NINE_DIGITS = tuple("123456789")
SPREAD = ("2", "4", "8", "16")
ONE_IN_PASSING = (
    *(
        "At least one of the tones is out of tune.",
        "I listened to the clip more than one time.",
        "One can hear some noise.",
    ),
    *("On the one hand, the tone is loud; on the other hand, it is short.", "No one speaks over the music."),
    *("Each one is different from the next.", "One of the best recordings, for sure.", "It is one and the same hall."),
    *("This one is longer than that one.", "One after another the voices get softer.", "The loud one comes later."),
    *(
        "One might expect more noise in such a hall.",
        "It was one of those evenings.",
        "Not only one microphone was used.",
    ),
)
LIST_NUMBERS = (
    "1. The attack is sharp.\n2. The decay is long.",
    "1) The attack is sharp.\n2) The decay is long.\n3) The tone is high.",
    "Step 1: The attack is sharp.\nStep 2: The decay is long.\nStep 3: The tone is high.",
    "**1. Attack**: sharp\n**2. Decay**: long\n**3. Tone**: high",
    "### Step 1\nThe attack is sharp.\n### Step 2\nThe decay is long.",
    "(1) The attack is sharp. (2) The decay is long.",
    "Let me do this in steps. Step 1 is the attack. Step 2 is the decay.",
)
IN_FORMULAS = (
    *(
        "The formula is f = 2 * L / v.",
        "We use f = v / (2L), where v is the speed.",
        "With T = 1 / f we get the period.",
    ),
    *(
        "The level is 20 log10(p / p0) + 3 * n.",
        "$f = \\frac{n v}{4 L}$ holds for such a pipe.",
        "E = x^2 + 2 x y + y^2 holds.",
    ),
    *(
        "The spectrum is X(k) = a_1 + a_2 + a_3.",
        "By the rule y = 3 x + 4 we find it.",
        "The ratio 3/2 is a fifth, as f_2 / f_1.",
    ),
)
PARTS_OF_NUMBERS = (
    *(
        "The clip was recorded in 1984.",
        "The tone is at 440 Hz.",
        "The sampling rate is 44100 Hz.",
        "The noise starts at 0:04.",
    ),
    *("The level is 0.3 of the maximum.", "It was sold 12,300 times.", "The tempo is 128 BPM.", "The file is an mp3."),
    *(
        "The pitch is 261.6 Hz.",
        "It is stored with 24 bits.",
        "The recording begins at 10:42:31.",
        "It has 1.5 times the length.",
    ),
)
OTHER_UNITS = (
    (("3 dB", "6 dB", "9 dB", "12 dB"), "The clip lasts 3 s."),
    (("3 dB", "6 dB", "9 dB", "12 dB"), "After 6 seconds the music stops."),
    (("120 BPM", "90 BPM", "60 BPM", "140 BPM"), "The hum is at 120 Hz."),
    (("120 BPM", "90 BPM", "60 BPM", "140 BPM"), "After 90 seconds a voice begins."),
    (("2 s", "4 s", "6 s", "8 s"), "The tone is at 4 kHz."),
    (("2 s", "4 s", "6 s", "8 s"), "There are 2 voices and 4 drums."),
    (("440 Hz", "220 Hz", "880 Hz", "110 Hz"), "The rate is 440 kHz."),
    (("440 Hz", "220 Hz", "880 Hz", "110 Hz"), "It was made 220 years ago."),
    (("3 speakers", "4 speakers", "5 speakers", "2 speakers"), "The talk lasts 3 minutes."),
    (("3 speakers", "4 speakers", "5 speakers", "2 speakers"), "The channel was changed 5 times."),
    (("10 m", "20 m", "30 m", "40 m"), "The delay is 30 ms."),
    (("10 m", "20 m", "30 m", "40 m"), "The room has 10 windows."),
)
COUNTED = (
    *("There are #.", "I count #.", "#", "#.", "The answer is #.", "Answer: #", "The number of claps is #.", "**#**"),
    *("So the total is #.", "In total, there are #.", "\\boxed{#}", "The answer is \\boxed{#}.", "<answer>#</answer>"),
    *("I hear # claps.", "There are # claps in the clip.", "So there are # in all.", "The correct answer is **#**."),
    *("The final count is #.", "Final answer: #", '{"answer": "#"}', "Therefore, the answer is #.", "It is #."),
)
LONG = (
    (
        "The speaker is angry about the delay of the train",
        "The speaker is happy about the gift of a friend",
        "The speaker is bored by the lecture on history",
        "The speaker is afraid of the dog in the yard",
    ),
    (
        "The melody rises in the second phrase and the drums stop",
        "The melody falls in the second phrase and the drums go on",
        "The tempo slows down before the guitar solo begins",
        "The singer repeats the first verse without the choir",
    ),
    (
        "A customer complains that the soup was served cold",
        "A waiter explains how the dessert is prepared",
        "Two cooks quarrel over the salt in the kitchen",
        "A guest praises the wine from the cellar",
    ),
)
SHARED = (
    (
        "The delay of the echo is long, and a train passes twice. In the yard outside, a gift shop is open.",
        "The lecture hall has a history of bad acoustics. A friend of mine once measured the delay there. It was long.",
        "A dog barks in the yard. The train of thought of this speaker is hard to follow. The lecture goes on.",
        "The speaker talks for a minute. A friend is greeted, and the history of the hall comes up in passing.",
    ),
    (
        "The first verse is in D. The guitar was recorded in a small room, and the choir in a church.",
        "The second phrase has four bars, as has the first. The drums are panned to the left, the guitar to the right.",
        "A solo voice was added at a later time. The tempo of the verse is that of a march, and the drums are soft.",
        "The singer is close to the microphone. The phrase has eight bars, and the guitar is out of tune.",
    ),
    (
        "The kitchen is next to the cellar. Plates are heard, and the salt is on the table. A customer walks by.",
        "The waiter walks past. The soup is on the menu, as is the wine. A guest takes a seat near the kitchen.",
        "The restaurant has a cellar. Two guests talk about the weather while the dessert is on its way.",
        "The cooks wear white. There is salt, there is wine, and there is a bowl of soup for each guest.",
    ),
)
ALL_WORDS_OF_ONE = (
    (
        "Whether the speaker is angry about a train or its delay is not said anywhere in the clip.",
        "The train is announced with a delay. The speaker asks if anyone is angry about it.",
        "The speaker hands over a gift for a friend; whether anyone is happy about it is not said.",
        "The lecture on history begins. The speaker asks the class whether anyone is bored.",
        "There is a dog in the yard. The speaker wonders why others are afraid of such animals.",
    ),
    (
        "I would have to hear whether the melody rises in the second phrase and whether the drums stop.",
        "How the tempo slows before such a guitar solo is a matter of style; this one begins at once.",
        "The choir repeats what the singer sang in the first verse.",
        "Does the melody fall in the second phrase, and do the drums go on?",
    ),
    (
        "The customer complains that it is cold outside while the soup is on its way to be served.",
        "The waiter explains the way to the door while the dessert is being prepared.",
        "Two cooks pass each other the salt in the kitchen while some guests quarrel outside.",
        "A guest asks for wine while the waiter praises the cellar.",
    ),
)
HINTED = ("Fast tempo", "Slow dance", "Loud voice", "Soft whisper")
HINTS = (
    *(
        "The voice was recorded in a hall.",
        "The tempo changes twice.",
        "A slow lift goes down.",
        "The dance hall is closed.",
    ),
    *("A loud noise comes from the street.", "It fast became dark.", "The floor is soft.", "The dance begins at ten."),
)
CASE_TWINS = (
    ("RR", "Rr", "rr", "rR"),
    ("kB", "KB", "kb", "Kb"),
    ("MA", "mA", "Ma", "ma"),
    ("PP", "pp", "Pp", "pP"),
    ("Rr x rr", "RR x rr", "rr x rr", "Rr x Rr"),
)
TWIN_FORMS = ("@T", "The answer is @T.", "Answer: @T", "\\boxed{@T}", "<answer>@T</answer>", "**@T**", "**Answer:** @T")
MATHS = (
    (
        ("\\sqrt{3}/2", "1/2", "\\sqrt{2}/2", "2\\sqrt{3}"),
        0,
        ("√3/2", "$\\sqrt{3}/2$", "\\frac{\\sqrt{3}}{2}", "sqrt(3)/2"),
    ),
    (
        ("6", "\\frac { 20 } { 3 }", "7", "\\frac { 32 } { 3 }"),
        3,
        ("\\frac{32}{3}", "32/3", "$\\frac{32}{3}$", "\\dfrac{32}{3}"),
    ),
    (("6", "20/3", "7", "32/3"), 1, ("\\frac{20}{3}", "$\\frac{20}{3}$", "20 / 3", "\\frac{ 20 }{ 3 }")),
    (("10^{-3} W", "10^{-6} W", "10^3 W", "10^6 W"), 1, ("10^{-6}", "10⁻⁶ W", "$10^{-6}$ W", "10^-6 W")),
    (("10^{-3} W", "10^{-6} W", "10^3 W", "10^6 W"), 3, ("10^6", "10⁶ W", "$10^{6}$ W", "10^{6} W")),
    (("x^2", "x^3", "x^2 + 1", "x^3 + 1"), 1, ("x³", "$x^3$", "x^{3}", "x^3")),
    (("±3 dB", "±6 dB", "+3 dB", "-3 dB"), 0, ("\\pm 3 dB", "$\\pm 3$ dB", "± 3 dB", "+/-3 dB", "±3 dB")),
    (("±3 dB", "±6 dB", "+3 dB", "-3 dB"), 3, ("−3 dB", "$-3$ dB", "-3 dB")),
    (("±3 dB", "±6 dB", "+3 dB", "-3 dB"), 2, ("+3 dB", "$+3$ dB", "+ 3 dB")),
    (("30°", "45°", "60°", "90°"), 1, ("45 degrees", "45^\\circ", "$45^{\\circ}$", "45 °", "45°", "45")),
    (("\\pi/2", "\\pi", "2\\pi", "\\pi/4"), 1, ("π", "$\\pi$", "\\pi")),
    (("\\pi/2", "\\pi", "2\\pi", "\\pi/4"), 0, ("π/2", "$\\pi/2$", "\\frac{\\pi}{2}", "$\\frac{\\pi}{2}$")),
    (("1:2", "2:3", "3:4", "4:5"), 2, ("3:4", "3 : 4", "$3:4$")),
    (("25%", "50%", "75%", "100%"), 1, ("50 %", "50\\%", "$50\\%$", "50 percent", "50")),
    (("7:15", "7:50", "17:15", "17:50"), 2, ("17:15",)),
    (("1,000 Hz", "10,000 Hz", "100 Hz", "10 Hz"), 1, ("10000 Hz", "10,000 Hz", "$10{,}000$ Hz")),
)
BESIDE = (
    *(
        "(@L) #",
        "@L. #",
        "@L) #",
        "The answer is (@L) #.",
        "The answer is @L. #",
        "Answer: (@L) #",
        "Answer: @L. #",
        "**@L. #**",
    ),
    *(
        "The correct option is **@L: #**",
        "\\boxed{@L. #}",
        "<answer>(@L) #</answer>",
        "The answer is # (@L).",
        "Option @L: #",
    ),
    *("Therefore x = #. The answer is (@L).", "The result is #, so the answer is (@L).", "# \n\nThe answer is @L."),
)
STATED = (
    "The answer is #.",
    "Answer: #",
    "\\boxed{#}",
    "The answer is $\\boxed{#}$.",
    "#",
    "**Answer:** #",
    "<answer>#</answer>",
)
LONGER_THAN_THE_OPTION = (
    (("5", "7", "9", "11"), 1, ("7 claps in all", "7 times", "seven", "7, two of them soft")),
    (
        ("Violin", "Cello", "Harp", "Flute"),
        1,
        ("the cello of the soloist", "a low cello", "Cello (bowed)", "Cello in D"),
    ),
    (("Dog", "Dog and cat", "Cat", "Bird"), 0, ("Dog", "the dog", "a dog barks")),
    (("A dog", "A dog barks twice", "A cat", "Two cats"), 1, ("A dog barks twice", "It barks twice")),
    (("Loud", "Very loud", "Quiet", "Very quiet"), 3, ("Very quiet", "very quiet indeed", "It is very quiet")),
    (
        ("440 Hz", "880 Hz", "220 Hz", "110 Hz"),
        1,
        ("880", "about 880 Hz", "880 Hertz", "880 Hz, an octave above 440 Hz"),
    ),
)


def around(text: str) -> list[str]:
    """A text alone and among others that say nothing of the options."""
    return [
        text,
        f"The hall is large.\n\n{text}",
        f"{text} The music is soft.",
        f"The music is soft. {text}\nThe hall is large.",
    ]


@pytest.mark.parametrize("text", [*ONE_IN_PASSING, *LIST_NUMBERS, *IN_FORMULAS, *PARTS_OF_NUMBERS])
def test_a_number_in_passing_is_no_answer(text: str) -> None:
    sets = (WORDS, DIGITS, SPREAD, NINE_DIGITS, ("Zero", *WORDS[:3]), ("4", "3", "2", "1"))
    check([Written(whole, choices, None) for choices in sets for whole in around(text)])


@pytest.mark.parametrize("text", [*ONE_IN_PASSING, *LIST_NUMBERS, *IN_FORMULAS, *PARTS_OF_NUMBERS])
def test_a_number_with_a_cue_is_read_beside_those_in_passing(text: str) -> None:
    cues = ("\nSo the answer is #.", "\n\nAnswer: #", "\nIn total, I count #.", "\n\n**Answer: #**", "\n\\boxed{#}")
    pairs = [(choices, place) for choices in (WORDS, DIGITS, NINE_DIGITS) for place in (0, 2)]
    check(
        [
            Written(text + cue.replace("#", choices[place].lower()), choices, choices[place])
            for (choices, place), cue in product(pairs, cues)
        ]
    )


@pytest.mark.parametrize(("choices", "text"), OTHER_UNITS)
def test_a_number_with_another_unit_is_no_answer(choices: tuple[str, ...], text: str) -> None:
    check([Written(whole, choices, None) for whole in around(text)])


@pytest.mark.parametrize("form", COUNTED)
def test_a_number_with_a_cue_is_read(form: str) -> None:
    cases = []
    for choices in (WORDS, DIGITS, SPREAD, NINE_DIGITS, ("None", "One", "Two", "Three")):
        for choice in choices:
            if choice == "None" and ("are" in form or "hear" in form or "count" in form or "total" in form):
                continue
            cases += [Written(form.replace("#", word), choices, choice) for word in {choice, choice.lower()}]
    check(cases)


@pytest.mark.parametrize("form", [*LABELLED, *LETTER_ALONE])
def test_a_letter_counts_where_the_options_are_numbers(form: str) -> None:
    sets = ((WORDS, (0, 2)), (SPREAD, (1, 3)), (("3 dB", "6 dB", "9 dB"), (1,)), (("7:15", "7:50", "17:15"), (0, 2)))
    check(some_continued(form, [Question(choices, places) for choices, places in sets]))


@pytest.mark.parametrize("which", range(3))
def test_shared_words_are_no_answer(which: int) -> None:
    choices, texts = LONG[which], SHARED[which]
    pairs = [f"{one}\n\n{other}" for one, other in product(texts, texts) if one != other]
    lead = ("", "Let me describe what is heard. ", "The clip lasts half a minute.\n\n")
    check([Written(start + text, choices, None) for start in lead for text in (*texts, *pairs)])


@pytest.mark.parametrize("which", range(3))
def test_all_words_of_an_option_said_of_something_else_are_inferred_at_most(which: int) -> None:
    around_it = ("", SHARED[which][0])
    texts = [f"{one} {other}".strip() for one in around_it for other in ALL_WORDS_OF_ONE[which]]
    check([Written(whole, LONG[which], None) for text in texts for whole in around(text)], min_evidence="said")


@pytest.mark.parametrize("text", HINTS)
def test_half_of_the_words_of_an_option_are_no_answer(text: str) -> None:
    check([Written(whole, HINTED, None) for whole in (text, f"The clip lasts a minute. {text}", f"{text} It rains.")])
    check([Written(f"{text} The answer is (C).", HINTED, HINTED[2])])


@pytest.mark.parametrize("statement", [*STATEMENTS, "So @t.", "I think that @t.", "In short, @t."])
def test_a_long_option_is_read_behind_shared_words(statement: str) -> None:
    check(
        [
            Written(f"{text}{joint}{fill(statement, place, choices[place])}", choices, choices[place])
            for choices, texts in zip(LONG, SHARED, strict=True)
            for place, text in enumerate(texts)
            for joint in (" ", "\n\n")
        ]
    )


@pytest.mark.parametrize("form", [*TWIN_FORMS, *LABELLED, *LETTER_ALONE])
def test_letters_of_other_case_are_another_option(form: str) -> None:
    if "@t" in form:
        form = form.replace("@t", "@T")
    check([Written(fill(form, place, one[place]), one, one[place]) for one in CASE_TWINS for place in range(4)])


@pytest.mark.parametrize("form", BESIDE)
def test_a_letter_and_the_option_in_other_signs_are_no_conflict(form: str) -> None:
    check(
        [
            Written(form.replace("@L", LETTERS[place]).replace("#", text) + end, choices, choices[place])
            for choices, place, texts in (*MATHS, *LONGER_THAN_THE_OPTION)
            for text in texts
            for end in ("", "\n\nThe second tone is louder.")
        ]
    )


@pytest.mark.parametrize("form", STATED)
def test_an_option_in_other_signs_is_that_option(form: str) -> None:
    check(
        [
            Written(form.replace("#", text), choices, choices[place])
            for choices, place, texts in MATHS
            for text in texts
            if "$" not in form or "$" not in text
        ]
    )


@pytest.mark.parametrize("form", ["@T", "The answer is @T.", "Answer: @T", "\\boxed{@T}", "The answer is (@L) @T."])
def test_every_option_of_signs_is_told_from_the_others(form: str) -> None:
    sets = dict.fromkeys(choices for choices, _, _ in MATHS)
    check([Written(fill(form, i, one[i]), one, one[i]) for one in sets for i in range(4)])
