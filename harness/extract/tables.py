"""Tables of words: numbers, irregular plurals, small words, words of one meaning."""

from __future__ import annotations

_UP_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
_TENS = "thirty forty fifty sixty seventy eighty ninety hundred"
NUMBERS = {
    **{word: str(value) for value, word in enumerate(_UP_TO_TWENTY.split())},
    **{word: str(10 * value) for value, word in enumerate(_TENS.split(), start=3)},
    **{sign: str(value) for value, sign in enumerate("一二三四五六七八九", start=1)},
    "两": "2",
    "兩": "2",
    "once": "1",
    "twice": "2",
    "dozen": "12",
    "pair": "2",
    "couple": "2",
}

UNITS = {
    spelling: unit
    for unit, spellings in {
        "s": "second sec secs",
        "min": "minute minutes",
        "h": "hour hr",
        "ms": "millisecond msec",
        "hz": "hertz",
        "khz": "kilohertz",
        "db": "decibel",
        "m": "meter metre",
        "km": "kilometer kilometre",
        "cm": "centimeter centimetre",
        "%": "percent",
        "°": "degree",
        "kg": "kilogram",
        "g": "gram",
        "time": "once",
    }.items()
    for spelling in spellings.split()
}
"""Spelling of a unit -> its sign."""
MEASURES = frozenset((*UNITS.values(), "bpm", "year", "day", "week", "month"))
"""What is measured, not counted: three minutes are no three speakers."""

IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "feet": "foot",
    "mice": "mouse",
    "geese": "goose",
    "wolves": "wolf",
    "knives": "knife",
    "decibel": "db",
    "decibels": "db",
    "hertz": "hz",
    "n't": "not",
    "ca": "can",
    "wo": "will",
}
"""Plurals without rule, and the halves of `can't` and `won't`."""

AFTER_A_LETTER = frozenset(
    "minor major flat sharp natural section or and nor than but if because is was has does fits matches seems "
    "in on at of for with from to by as into when where which that "
    "would could can cannot might may must should will noch oder und ou et ni y".split()
)
"""Small words that may follow a letter which names a note or an option; none of them follows an article."""

STOP_WORDS = frozenset(
    "and then of in on at to for with from by is are was were be been being it its this that there he she they we you "
    "i his her their will would has have had do does did as or while into very".split()
)

SAME_MEANING = (
    "man male gentleman 男",
    "woman female lady 女",
    "child kid",
    "adult grown-up",
    "angry furious enraged irate anger mad",
    "happy joyful cheerful joy delighted happiness",
    "sad sorrowful sadness grief sorrow",
    "afraid scared fearful fear frightened",
    "surprised astonished surprise amazed",
    "calm peaceful relaxed tranquil",
    "increasing rising growing increase louder grow ascending upward",
    "decreasing falling declining decrease softer quieter descending downward",
    "approaching nearing closer",
    "receding retreating away",
    "car automobile",
    "bicycle bike",
    "airplane aeroplane plane aircraft",
    "phone telephone",
    "taxi cab",
    "quick fast rapid",
    "excited thrilled excitement",
    "bored boredom",
    "remain stay",
    "get become",
    "constant same unchanged steady stable",
    "laugh laughter",
    "applause clapping",
    "saxophone sax",
    "center centre middle",
    "indoors inside",
    "outdoors outside",
)
"""Words that stand for one another where no option is named by its own words."""
