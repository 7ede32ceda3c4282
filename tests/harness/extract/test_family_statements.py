"""What is stated outright goes before what is left over, doubted, boxed without sense, or taken back."""

from __future__ import annotations

from itertools import product

import pytest
from written_answers import LETTER_ALONE, SENTENCES, STATEMENTS, Written, a_third, check, fill

SOUNDS = ("A bell", "A horn", "A drum", "A whistle")
COUNTS = ("3 claps", "5 claps", "7 claps", "9 claps")
NUMBERS = ("3", "5", "7", "9")
PAIRS = (
    ("A bell", "A horn"),
    ("A choir", "A solo voice"),
    ("Major", "Minor"),
    ("The man", "The woman"),
    ("Bow", "Pluck"),
)
DENIALS = (
    *("It is not @T.", "This is not @T.", "@T can be ruled out.", "@T is wrong.", "I do not think that it is @T."),
    *("It cannot be @T.", "(@L) is wrong.", "Option @L is incorrect.", "Option (@L) can be ruled out."),
)
WEAK_DENIALS = (
    *(
        "I cannot hear whether it is @T.",
        "It is not clear that it is @T.",
        "I am not sure about (@L).",
    ),
    *(
        "I would not rule out @T.",
        "It is not that @T is impossible.",
        "(@L) is not quite right, and the other is not either.",
    ),
    *(
        "One should not think of @T too early.",
        "It need not be @T.",
        "Without the clip I can't say whether (@L) is right.",
    ),
    *("It is not only @T.", "Not everyone would say @T.", "I do not know whether it is @T."),
)
NO_SUCH_ANSWER = (
    *("The answer is 11.", "The answer is ( ).", "The answer is ().", "The correct answer is 11.", "Answer: 11"),
    *("**Answer:** 11", "Final answer: 11", 'The correct answer is: "eleven"', "\\boxed{11}", "<answer>11</answer>"),
    *("So the answer is eleven.", "The answer is (F) 11.", "The correct option is (G).", "The answer is **11**."),
    *(
        "Thus, the answer is not in the options provided.",
        "The correct answer is not listed.",
        "Answer: none of the above",
    ),
    *(
        "Therefore, none of the options is correct.",
        "None of the given options are correct.",
        "The answer is not listed.",
    ),
    *("The answer is not among the options.", "Answer: None of the options", "There is no correct option."),
)
NO_SUCH_SOUND = (
    *(
        "The answer is a trombone.",
        "Answer: a trombone",
        "The correct answer is **a trombone**.",
        "\\boxed{A trombone}",
    ),
    *(
        "<answer>A trombone</answer>",
        "**Answer:** Trombone",
        "So the answer is: a trombone.",
        "The answer is (F) A trombone.",
    ),
)
COUNT_MENTIONS = (
    *("The first bar has 3 claps.", "I hear 5 claps at first and more of them later.", "There could be 7 claps."),
    *("After 3 claps a voice begins.", "A second person adds 5 claps.", "The 7 claps of the refrain are louder."),
)
SOUND_MENTIONS = (
    *(
        "A bell is heard at the start.",
        "A drum plays in the background.",
        "There could be a bell.",
        "It is like a horn.",
    ),
    *(
        "It is not a bell.",
        "A horn would be softer.",
        "It is neither a bell nor a horn nor a drum.",
        "A drum sets in later.",
    ),
)
REFUSALS = (
    *(
        "I cannot hear the audio.",
        "I cannot determine the instrument from the text alone.",
        "It is hard to say for sure.",
    ),
    *(
        "I'm not sure.",
        "The clip is unclear.",
        "I am unable to listen to audio files.",
        "It is impossible to be certain.",
    ),
    *("There is not enough information to be sure.", "I don't know for certain.", "As an AI, I can't process audio."),
    *("It is impossible to determine the answer to this question.", "I cannot decide between the two."),
    *("The recording does not give enough information.", "The answer cannot be determined.", "I can't tell for sure."),
    *("The answer cannot be determined with certainty.", "It could be a bell or a horn.", "Maybe it is a bell."),
)
GUESSES = (
    *(
        "Therefore, the correct option letter is (@L).",
        "Therefore, the correct option letter is @L.",
        "I would say (@L).",
    ),
    *(
        "I would go with (@L) @T.",
        "My best guess is (@L).",
        "My best guess is @T.",
        "The most likely answer is (@L) @T.",
    ),
    *(
        "The best answer is @L. @T.",
        "Therefore, the answer is (@L) @T.",
        "So I choose (@L).",
        "The answer would be (@L).",
    ),
)
REFUSAL_CLAUSES = (
    *("I cannot determine the answer", "It cannot be determined", "I don't know", "I can't pick one with certainty"),
    "Without the audio, it is impossible to determine the answer to this question",
    "As the clip is too noisy, I am unable to say which it is",
    "We cannot decide from the text which one it is",
)
JOINTS = (" ", "\n\n", " However, ", " Still, ", " But ", " Nevertheless, ", " Based on the description, ")
WITHDRAWALS = (
    *("Actually, I take that back; I do not know the answer.", "Wait, that is wrong, and I cannot decide."),
    *(
        "Scratch that, I have no idea.",
        "On second thought, I don't know.",
        "No, I was wrong, and I can't tell which it is.",
    ),
    *("Sorry, I cannot say which it is after all.", "Hmm, actually I no longer know."),
)
USELESS = (
    *("\\boxed{}", "\\boxed{ }", "\\boxed{?}", "\\boxed{\\text{answer}}", "\\boxed{\\text{}}", "<answer></answer>"),
    *("<answer> </answer>", "<answer>...</answer>", "<answer>your answer here</answer>", "<answer>\n</answer>"),
    *('{"answer": ""}', '{"answer": null}', "\\boxed{42}", "\\boxed{\\frac{7}{2}}", "<answer>see above</answer>"),
    *("$\\boxed{x = 42}$", "<answer>letter</answer>"),
)


def joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


@pytest.mark.parametrize("form", WEAK_DENIALS)
def test_the_second_of_two_options_is_not_left_over_by_a_weak_denial(form: str) -> None:
    cases = []
    for pair, place in product(PAIRS, (0, 1)):
        said = fill(form, place, pair[place][:1].lower() + pair[place][1:])
        cases += [Written(output, pair, None) for output in (said, f"{said} {SENTENCES[0]}", f"{SENTENCES[2]} {said}")]
    check(cases)


@pytest.mark.parametrize("form", DENIALS)
def test_the_second_of_two_options_is_not_left_over_against_a_statement(form: str) -> None:
    cases = []
    for pair, place in product(PAIRS[:2], (0, 1)):
        said = fill(form, place, pair[place][:1].lower() + pair[place][1:])
        said = said[:1].upper() + said[1:]
        cases += [Written(f"{said} {statement}", pair, None) for statement in (*NO_SUCH_SOUND, *NO_SUCH_ANSWER[14:])]
    check(cases)


@pytest.mark.parametrize("statement", NO_SUCH_SOUND)
def test_what_is_left_over_is_nothing_against_a_statement(statement: str) -> None:
    denials = (
        "It is not a bell, not a horn, and not a drum.",
        "It is not a bell. It is not a horn. It is not a drum.",
        "(A) is wrong. (B) is wrong. (C) is wrong.",
        "A bell, a horn and a drum can be ruled out.",
    )
    check([Written(f"{denial}{joint}{statement}", SOUNDS, None) for denial in denials for joint in (" ", "\n\n")])


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_stands_whatever_is_left_over(statement: str) -> None:
    said = fill(statement, 1, SOUNDS[1])
    denials = ("It is not a bell, and it is not a drum.", "(A) is wrong. (C) is wrong.", "A bell can be ruled out.")
    check([Written(f"{denial} {said}", SOUNDS, SOUNDS[1]) for denial in denials])


def test_the_last_of_several_is_left_over_where_nothing_is_stated() -> None:
    denials = (
        "It is not a bell, not a horn, and not a drum.",
        "It is not a bell. It is not a horn. It is not a drum.",
        "(A) is wrong. (B) is wrong. (C) is wrong.",
    )
    check([Written(denial, SOUNDS, SOUNDS[3]) for denial in denials])


@pytest.mark.parametrize("statement", NO_SUCH_ANSWER)
@pytest.mark.parametrize("choices", [COUNTS, NUMBERS], ids=("with units", "bare"))
def test_a_number_stated_that_is_no_option_ends_the_search(statement: str, choices: tuple[str, ...]) -> None:
    texts = [statement]
    for mention, other in zip(COUNT_MENTIONS, (*COUNT_MENTIONS[1:], COUNT_MENTIONS[0]), strict=True):
        texts += [f"{mention} {statement}", f"{mention} {other}\n\n{statement}"]
        texts += [f"{mention} {statement}\n{SENTENCES[0]}"]
        texts += [f"{statement}\n{mention}", f"{statement}\n\n{SENTENCES[1]} {mention}"]
    check([Written(text, choices, None) for text in texts])


@pytest.mark.parametrize("statement", [*NO_SUCH_SOUND, *NO_SUCH_ANSWER[14:]])
def test_a_word_stated_that_is_no_option_ends_the_search(statement: str) -> None:
    texts = [statement]
    for mention, other in zip(SOUND_MENTIONS, (*SOUND_MENTIONS[3:], *SOUND_MENTIONS[:3]), strict=True):
        texts += [
            f"{mention} {statement}",
            f"{mention} {other}\n\n{statement}",
            f"{mention} {statement}\n{SENTENCES[0]}",
        ]
        texts += [f"{statement}\n{mention}", f"{statement}\n\n{SENTENCES[1]} {mention}"]
    check([Written(text, SOUNDS, None) for text in texts])


def test_none_of_them_is_an_answer_where_it_is_an_option() -> None:
    choices = ("A bell", "A horn", "A drum", "None of the above")
    said = (
        *(
            "Answer: none of the above",
            "Therefore, none of the options is correct.",
            "The answer is none of the above.",
        ),
        *("None of the given options are correct.", "None of the options fit.", "The answer is: None of these"),
    )
    before = ("", "The tone is soft.", "It is not a bell.", "A bell would ring for longer.")
    check([Written(joined(text, statement), choices, choices[3]) for text in before for statement in said])


@pytest.mark.parametrize("first", ["The answer is 11.", "The answer is (F).", "The answer is eleven."])
def test_a_statement_that_is_no_option_gives_way_to_a_later_one(first: str) -> None:
    later = (
        "Wait, I made a mistake. The answer is (C).",
        "That is not among the options. The closest option is (C), so I choose (C).",
        "No, let me count again. The correct answer is (C) 7 claps.",
        "Actually, the answer is 7 claps.",
        "Since this is not listed, the answer is (C).",
    )
    check([Written(f"{first} {then}", COUNTS, COUNTS[2]) for then in later])


@pytest.mark.parametrize("statement", [*STATEMENTS, *GUESSES])
def test_a_statement_behind_a_refusal_or_a_doubt_revokes_it(statement: str) -> None:
    goes_on = statement.startswith(("The ", "My ", "I "))
    cases = []
    for number, (refusal, joint) in enumerate(product(REFUSALS, JOINTS)):
        place = 2 + number % 2
        said = fill(statement, place, SOUNDS[place])
        if joint.strip():
            if not goes_on:
                continue
            said = said if said.startswith("I") else said[:1].lower() + said[1:]
        cases.append(Written(refusal + joint + said, SOUNDS, SOUNDS[place]))
    check(a_third(cases))


@pytest.mark.parametrize("refusal", REFUSAL_CLAUSES)
def test_a_statement_revokes_a_refusal_in_its_own_sentence_and_before_it(refusal: str) -> None:
    statements = (
        *("the answer is (@L).", "the answer is (@L) @T.", "the correct option letter is (@L).", "I choose @L."),
        *("the answer is @L. @T", "the correct answer is **(@L) @T**.", "the best choice is @T."),
    )
    joints = (". Therefore, ", "; therefore, ", ", so ", ", but ", ". Hence, ", ".\n\nTherefore, ", ". Thus, ")
    sets = (("Yes", "No"), ("No", "Yes"), SOUNDS, ("3", "5", "7", "9"), ("A choir", "No choir", "Neither of them"))
    check(
        a_third(
            [
                Written(refusal + joint + fill(form, place, choices[place]), choices, choices[place])
                for choices in sets
                for form in statements
                for joint in joints
                for place in (0, 1)
            ]
        )
    )


@pytest.mark.parametrize(
    "doubt", ["although I cannot be certain", "though it is hard to be sure", "but I am not certain"]
)
def test_a_doubt_behind_a_statement_in_its_sentence_leaves_it(doubt: str) -> None:
    forms = [form for form in STATEMENTS if form.endswith(".") and "*" not in form]
    check([Written(f"{fill(form, 1, SOUNDS[1])[:-1]}, {doubt}.", SOUNDS, SOUNDS[1]) for form in forms])


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_that_is_taken_back_is_none(statement: str) -> None:
    said = fill(statement, 1, SOUNDS[1])
    stop = "" if said.endswith((".", "*")) else "."
    check([Written(f"{said}{stop} {withdrawal}", SOUNDS, None) for withdrawal in WITHDRAWALS])


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_behind_one_that_was_taken_back_stands(statement: str) -> None:
    said = fill(statement, 1, SOUNDS[1])
    stop = "" if said.endswith((".", "*")) else "."
    turns = ("Wait, that is wrong.", "No, I was wrong.", "Scratch that.", "Hmm, let me listen again.")
    later = fill(statement, 2, SOUNDS[2])
    check([Written(f"{said}{stop} {turn}\n\n{later}", SOUNDS, SOUNDS[2]) for turn in turns])


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_or_a_doubt_alone_is_no_answer(refusal: str) -> None:
    if refusal.startswith("Maybe"):
        refusal = "Maybe it is a bell, maybe a horn."
    check([Written(joined(refusal, after), SOUNDS, None) for after in ("", *SENTENCES[:5])])


@pytest.mark.parametrize("useless", USELESS)
def test_a_box_or_a_tag_without_an_option_does_not_hide_a_stated_letter(useless: str) -> None:
    forms = [
        form for form in (*LETTER_ALONE, *STATEMENTS) if "boxed" not in form and "<" not in form and "{" not in form
    ]
    said = [(fill(form, 1 + i % 3, SOUNDS[1 + i % 3]), 1 + i % 3) for i, form in enumerate(forms) if len(form) > 4]
    cases = [Written(f"{text}\n\n{useless}", SOUNDS, SOUNDS[place]) for text, place in said]
    check([*cases, *(Written(f"{useless}\n\n{text}", SOUNDS, SOUNDS[place]) for text, place in said)])


@pytest.mark.parametrize("useless", USELESS)
def test_a_box_or_a_tag_without_an_option_is_no_answer(useless: str) -> None:
    before = ("", "The second tone is louder.\n\n", "The answer is ")
    check([Written(text + useless, SOUNDS, None) for text in before])


@pytest.mark.parametrize("box", ["\\boxed{B}", "\\boxed{A horn}", "<answer>B</answer>", "<answer>(B) A horn</answer>"])
def test_a_box_or_a_tag_with_an_option_is_the_answer(box: str) -> None:
    around = ("{}", "The tone is soft.\n\n{}", "The answer is {}", "It is not a bell. {}", "A drum plays as well.\n{}")
    check([Written(text.format(box), SOUNDS, SOUNDS[1]) for text in around])


@pytest.mark.parametrize("steps", ["We get \\boxed{11.02}.", "The value is $\\boxed{11.02}$ s.", "x = \\boxed{11.02}"])
def test_a_box_with_a_step_of_the_way_does_not_hide_a_stated_letter(steps: str) -> None:
    choices = ("10.5 s", "11 s", "12 s", "13 s")
    said = ("So the answer is (B).", "The closest option is (B), so the answer is B.", "The answer is (B) 11 s.")
    check([Written(f"{steps}{joint}{text}", choices, choices[1]) for text in said for joint in (" ", "\n\n")])
