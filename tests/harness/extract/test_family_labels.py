"""A label and the option beside it are one, whatever words the option consists of and whatever follows."""

from __future__ import annotations

import pytest
from written_answers import (
    LABELLED,
    LETTER_ALONE,
    SENTENCES,
    SMALL_LABELS,
    STATEMENTS,
    TEXT_ALONE,
    Question,
    Written,
    a_third,
    all_continued,
    check,
    continued,
    fill,
    some_continued,
)

NEGATIONS = (
    Question(("Yes", "No"), (1,)),
    Question(("No", "Yes"), (0,)),
    Question(("yes", "no"), (1,)),
    Question(("Yes", "No", "Maybe later", "I don't know"), (1, 2, 3)),
    Question(("A dog", "A cat", "Not a dog", "None of the above"), (2, 3)),
    Question(("Nothing", "A bell", "A horn", "A drum"), (0,)),
    Question(("One speaker", "Two speakers", "Neither", "Cannot be determined"), (2, 3)),
    Question(("A man", "A woman", "Unknown", "Unclear"), (2, 3)),
    Question(("With reverb", "Without reverb", "Never recorded", "Mixed"), (1, 2)),
    Question(("Never", "Once", "Twice", "Always"), (0,)),
    Question(("Two", "One", "Three", "None"), (3,)),
    Question(("The left one", "The right one", "It is impossible to tell", "Not sure"), (2, 3)),
    Question(("Happy", "Sad", "Insufficient information", "Not enough context"), (2, 3)),
    Question(("True", "False"), (1,)),
    Question(("Wrong", "Right"), (0,)),
    Question(("Correct", "Incorrect"), (1,)),
    Question(("Neither of them", "Both of them", "The man alone", "The woman alone"), (0,)),
    Question(("A solo voice", "No voice at all", "A choir", "Hardly any voice"), (1, 3)),
    Question(("Perhaps a waltz", "Maybe", "Probably not", "A march"), (0, 1, 2)),
    Question(("I can't hear any speech", "A lecture", "A quarrel", "It doesn't matter"), (0, 3)),
)
ORDINARY = (
    Question(("A dog", "A cat", "A horn", "A bell"), (0, 3)),
    Question(("Yes", "No"), (0,)),
    Question(("Rain on a roof", "A passing train", "Applause in a hall", "Static"), (1, 2)),
    Question(("C major", "D minor", "G major", "A minor"), (1, 3)),
    Question(("3", "5", "7", "9"), (0, 2)),
)
CLOSINGS = (
    "Let me know if you have any other questions.",
    "Well, that's what the clip says. If you want to talk about it, feel free to let me know.",
    "I hope this helps!",
    "If anything about it is unclear, just ask.",
    "Do you want to know more about the clip?",
)
NONE_IS_AN_OPTION = (
    Question(("A bell", "A horn", "None of the options are correct"), (2,)),
    Question(("A bell", "A horn", "A drum", "None of the above"), (3,)),
    Question(("None of these", "A horn", "A drum", "A bell"), (0,)),
)
ONE_LETTER_WORDS = (
    Question(("A goat", "A cow", "A horse", "A duck", "A sheep"), (0, 1, 3, 4)),
    Question(("The G string", "The A string", "The D string", "The E string"), (0, 1, 2, 3)),
    Question(("In a car", "A kitchen", "On a train", "I would say a hall"), (1, 3)),
    Question(("A flat", "B flat", "E flat", "D flat"), (0, 1, 2, 3)),
    Question(("Vitamin C", "Vitamin D", "Vitamin A", "Vitamin K"), (0, 1, 2)),
)
TEN = tuple("a dog|a cat|a horn|a bell|a drum|a train|a kettle|a saw|a violin|a whistle".split("|"))
NINE = TEN[:9]
EXPLANATIONS = (
    "A bell would ring for longer.",
    "It is not a bell, since the decay is short.",
    "A bell is wrong because the pitch glides.",
    "Option (A) is wrong because the pitch glides.",
    "Compared with a drum, the sound is longer.",
    "While a whistle is possible, the attack is too slow for it.",
    "Options (A), (C) and (D) do not fit the slow attack.",
    "The bell in option (A) has a sharp attack, the drum in (C) has no pitch, and the whistle in (D) is too high.",
    "A bell and a drum can also be heard in the background.",
    "One might think of a bell at first.",
    "The other options, a bell, a drum and a whistle, have a faster attack.",
    "(A) A bell: its attack is faster.\n(C) A drum: it has no pitch.\n(D) A whistle: it is higher.",
    "There is a whistle at the end, but the question is about the beginning.",
)


@pytest.mark.parametrize("form", [*LABELLED, *SMALL_LABELS])
def test_a_labelled_option_of_negating_or_doubting_words_is_the_answer(form: str) -> None:
    check(all_continued(form, NEGATIONS))


@pytest.mark.parametrize("closing", CLOSINGS)
def test_a_polite_end_leaves_a_labelled_option_of_negating_words(closing: str) -> None:
    forms = (
        "(@L) @T.",
        "@L. @T.",
        "The answer is (@L) @T.",
        "Answer: @L. @T.",
        "**Answer:** (@L) @T.",
        "Option @L: @T.",
    )
    check(
        [
            Written(f"{fill(form, place, choices[place])} {closing}", choices, choices[place])
            for form in forms
            for choices, places in NEGATIONS
            for place in places
        ]
    )


@pytest.mark.parametrize("form", ["@T", "@T.", '"@T"', "**@T**", "Answer: @T", "The answer is @T.", "(@L) @T"])
def test_an_option_of_negating_words_may_be_written_in_capitals(form: str) -> None:
    check(
        [
            Written(fill(form, place, choices[place].upper()), choices, choices[place])
            for choices, places in (
                *NEGATIONS,
                Question(("Loud,quiet", "No,never", "Maybe,they've", "Not,yet"), (1, 2, 3)),
            )
            for place in places
        ]
    )


@pytest.mark.parametrize("form", [*LABELLED, *SMALL_LABELS, *LETTER_ALONE])
def test_an_option_of_negating_words_may_bring_its_own_label(form: str) -> None:
    texts = ("Yes", "No", "I don't know", "None of the above")
    cases = []
    for label in ("@L. ", "(@L) ", "@L) "):
        choices = tuple(fill(label, place, "") + text for place, text in enumerate(texts))
        for place in (1, 2, 3):
            cases += [
                Written(output, choices, choices[place]) for output in continued(fill(form, place, texts[place]), form)
            ]
    check(a_third(cases))


@pytest.mark.parametrize("form", LABELLED)
def test_a_label_may_be_a_number(form: str) -> None:
    texts = ("Yes", "No", "I don't know", "None of the above")
    cases = []
    for label in ("@. ", "(@) ", "@) "):
        choices = tuple(label.replace("@", str(place + 1)) + text for place, text in enumerate(texts))
        for place in (0, 1, 2, 3):
            said = fill(form.replace("@L", str(place + 1)), place, texts[place])
            cases += [Written(output, choices, choices[place]) for output in continued(said, form)]
    check(a_third(cases))


@pytest.mark.parametrize("form", LETTER_ALONE)
def test_a_letter_alone_means_an_option_of_negating_or_doubting_words_too(form: str) -> None:
    check(all_continued(form, NEGATIONS))


@pytest.mark.parametrize("form", TEXT_ALONE)
def test_a_stated_option_of_negating_or_doubting_words_needs_no_label(form: str) -> None:
    check(all_continued(form, NEGATIONS))


@pytest.mark.parametrize("form", [*LABELLED, *SMALL_LABELS, *LETTER_ALONE, *TEXT_ALONE])
def test_a_labelled_option_of_ordinary_words_is_the_answer(form: str) -> None:
    check(some_continued(form, ORDINARY))


@pytest.mark.parametrize("form", [*LABELLED, *LETTER_ALONE])
def test_an_option_that_says_none_of_them_is_an_option(form: str) -> None:
    check(all_continued(form, NONE_IS_AN_OPTION))


def test_a_label_before_none_of_them_in_other_words_names_that_option() -> None:
    said = ("None of the options are correct.", "None of these options is correct.", "None of the given options fit.")
    labels = ("(C) ", "C. ", "Answer: (C) ", "The answer is (C). ", "The answer is C. ", "**C** ")
    choices = ("A bell", "A horn", "None of the above")
    check([Written(label + text, choices, choices[2]) for label in labels for text in said])


@pytest.mark.parametrize("form", LABELLED)
def test_a_word_of_one_letter_behind_a_label_is_no_label(form: str) -> None:
    check(some_continued(form, ONE_LETTER_WORDS))


def test_a_text_cut_behind_a_label_and_an_article_keeps_its_label() -> None:
    animals, strings = ONE_LETTER_WORDS[0].choices, ONE_LETTER_WORDS[1].choices
    check(
        [
            Written(cue + label + cut, choices, choices[place])
            for cue in ("", "Answer: ", "The answer is ")
            for choices, place, cut in (
                (animals, 4, "A "),
                (animals, 1, "A"),
                (strings, 2, "The D"),
                (strings, 0, "The"),
            )
            for label in (f"{'ABCDE'[place]}. ", f"({'ABCDE'[place]}) ", f"{'ABCDE'[place]}) ")
        ]
    )


@pytest.mark.parametrize("form", [*LABELLED, *(form for form in LETTER_ALONE if form != "@L")])
def test_the_ninth_letter_is_a_label(form: str) -> None:
    check(all_continued(form, (Question(NINE, (8,)), Question(TEN, (8,)))))
    check([Written(said, choices, choices[8]) for choices in (NINE, TEN) for said in ("I", "I.", "I\n", "**I**")])


def test_the_word_i_is_no_label() -> None:
    said = (
        "I think the answer is (B).",
        "Answer: I think it is (B).",
        "I choose B.",
        "I'd say B.",
        "I am sure: (B) a cat.",
    )
    heard = ("I hear a cat.", "Answer: I hear a cat.", "I would go with a cat.", "I think the answer is a cat.")
    check([Written(output, choices, "a cat") for choices in (TEN, NINE, TEN[:4]) for output in (*said, *heard)])


@pytest.mark.parametrize("unit", "m s V A g h J K N W t x C D".split())
def test_a_sentence_ends_behind_a_unit_or_a_variable_of_one_letter(unit: str) -> None:
    before = (
        f"Therefore x = 4 {unit}.",
        f"The result is 4 {unit}.",
        f"We solve for {unit}.",
        f"This gives 2.5 {unit}.",
    )
    lengths = tuple(f"{n} {unit}" for n in (1, 2, 4, 8))
    words = ("A horn", "A bell", "A drum", "A whistle")
    forms = (
        "The answer is @L.",
        "The answer is (@L).",
        "Answer: @L",
        "So the answer is @L.",
        "The correct option is @L.",
    )
    check(
        [
            Written(f"{sentence} {fill(form, 3, '')}", choices, choices[3])
            for choices in (lengths, words)
            for sentence in before
            for form in forms
        ]
    )


@pytest.mark.parametrize("form", STATEMENTS)
def test_what_explains_a_statement_does_not_change_it(form: str) -> None:
    choices = ("A bell", "A horn", "A drum", "A whistle")
    said = fill(form, 1, choices[1])
    joints = (" " if said.endswith((".", "*")) else ". ", "\n\n", "\n\nExplanation: ")
    cases = [Written(said + joint + text, choices, choices[1]) for joint in joints for text in EXPLANATIONS]
    more = [Written(case.output + " " + SENTENCES[0], choices, choices[1]) for case in cases]
    before = [Written(f"{text}\n\n{said}", choices, choices[1]) for text in EXPLANATIONS]
    check([*cases, *more, *before])


@pytest.mark.parametrize("form", [*LABELLED, *SMALL_LABELS])
def test_a_labelled_option_with_a_negation_stays_the_answer_where_the_others_are_explained(form: str) -> None:
    choices = ("Yes, a choir", "No choir", "Not one voice", "Cannot be determined")
    reasons = (
        "The first option speaks of a choir.",
        "A choir would need more voices.",
        "The other options do not fit.",
    )
    check(
        [
            Written(f"{fill(form, place, choices[place])}\n\n{why}", choices, choices[place])
            for place in (1, 2, 3)
            for why in reasons
        ]
    )
