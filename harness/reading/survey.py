"""What a text says of each option it mentions: who is asserted, doubted, denied, and how firmly."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import NamedTuple

from dtbench.harness.reading import lexicon
from dtbench.harness.reading.letters import Letter, letters, ordinals
from dtbench.harness.reading.options import Mention, Options
from dtbench.harness.reading.stance import CHOSEN, SAID, Group, judge, sentence_at
from dtbench.harness.reading.words import Token, tokens


class Spot(NamedTuple):
    """A mention with what the survey has to know of it."""

    start: int
    end: int
    index: int
    kind: str
    strong: bool
    label_at: int | None
    """Where its letter stands, if it has one that is a label."""


_STOP = re.compile(r"[.!?]+(?=[\s\"')\]*_]|$|[\u3040-\u9fff\uac00-\ud7af])|\n+")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|vs|mr|mrs|dr|no|approx|etc|ca)|(?:^|\n)\s*\d{1,2})$", re.IGNORECASE)
_TOGETHER = re.compile(
    r"[\s*_\"')\].(]*(?:,|/|&|\+|\b(?:and|or|nor|und|oder|noch|et|ou|y|o|e|и|или)\b|和|或者?|还是|以及|与|ni|и|や|と|か)[\s*_\"'(\[,]*"
    r"(?:(?:and|or|nor|maybe|perhaps|possibly|also|just|even|option|either|by|from|of|a|an|the|it (?:might|could|may) be)[\s*_\"'(\[]+){0,4}$",
    re.IGNORECASE,
)
_OR = re.compile(r"\b(?:or|oder|ou|o|или)\b|或|/|か", re.IGNORECASE)
_LABELLED = re.compile(
    r"[\s*_\"')\]>.:,=|✓✔✅☑❌✗✘-]{0,8}(?:(?:the|a|an|i\.e\.,?|namely|which is|is)\s)?[\s*_\"'(\[]{0,4}$", re.IGNORECASE
)
_NAMED_AFTER = re.compile(
    r"[\s*_\"',]{0,4}[(\[]\s?(?:option |choice |answer )?[*_]{0,2}$|,? (?:which is |i\.e\. )?(?:option|choice) [(\[]?$",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r";|,? \b(?:but|however|so|therefore|instead|rather|while|whereas|although|though)\b|, (?=it's|it is)",
    re.IGNORECASE,
)
_HEAD = re.compile(r"(?:^|\n)[\s*_>#|(\[✓✔✅☑❌✗✘•·-]*(?:option |choice )?[*_(\[]*$", re.IGNORECASE)
_BULLET = re.compile(r"(?:^|\n)\s*[-*•·](?:\s*\[[ xX]\]|\s*[✓✔✅☑❌✗✘])?\s+[*_]*$")
_DISCOURSE = re.compile(r"(?:^|[.!?\n])[\s*_\"']*$")
_IDIOM = re.compile(r"\b(?:in|all|double|right|first|second) $", re.IGNORECASE)
_IDIOMS = re.compile(r"\b(?:(?:minor|major) (?:problem|issue|detail|error|change|difference)|in light of|all right|right away|right now|double bass)\b", re.IGNORECASE)
_DETERMINER = re.compile(r" (?!it|there|the|that|this|he|she|they|i\b|we|you|because|since|as\b|not\b|because)[a-z]")
_NONE = re.compile(r"\bnone of (?:these|them|those|the (?:above|options|choices|others|listed))\b", re.IGNORECASE)
_SETS_APART = re.compile(r"\b(?:not|no|only|or|but|never|without|neither|nor|than|rather|before|after(?! that| which))\b|n't\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.:,])[1-9](?=[).:\]]|\s*$|[.!]?\s*\n)")
_FUNCTION = frozenset("right okay ok wait well no yes so sure stop".split())


def survey(text: str, options: Options, *, cued: bool = False, loosely: bool = False) -> list[Group]:
    """The groups of options named in a text, in order; cued: the text stands where an answer is asked for."""
    text = _IDIOMS.sub(lambda idiom: " " * len(idiom[0]), text)
    if options.numbered:
        text = _NUMBER.sub(lambda number: chr(ord("A") + int(number[0]) - 1), text)
    words = tokens(text, options.normal)
    spots = _spots(text, words, options)
    bounds = _sentences(text, spots)
    named = spots
    spots = _widened(text, words, spots, bounds, options)
    if loosely:
        spots = sorted([*spots, *_paraphrases(text, words, bounds, options, named)], key=lambda s: s[:3])
    listed = _listing(text, spots, len(options))
    groups = _group(text, [s for s in spots if s not in listed], bounds)
    marked = _marked_lines(text, spots, listed, bounds)
    return judge(text, sorted(groups, key=lambda g: g.start), marked, bounds, cued=cued)


def _spots(text: str, words: list[Token], options: Options) -> list[Spot]:
    named = [*letters(text, options), *ordinals(text, options)]
    texts = [m for m in options.mentions(words) if not _is_phrase(text, m)]
    if options.none_of_them is not None:
        taken = [(m.start, m.end) for m in texts]
        none = [m.span() for m in _NONE.finditer(text) if not _inside(m.start(), taken)]
        texts = sorted([*texts, *(Mention(start, end, options.none_of_them, "text") for start, end in none)])
    if not named:
        return [Spot(m.start, m.end, m.index, "text", True, None) for m in texts]
    named.sort()
    starts = {m.start for m in texts}
    labels = {n.start for n in named if n.label and _text_follows(text, n, starts)}
    covering = {n.start for n in named if n.named and n.strong} | labels
    texts = [m for m in texts if not (m.end - m.start == 1 and m.start in covering)]
    spans = [(m.start, m.end) for m in texts]
    free = [n for n in named if not _inside(n.start, spans)]
    if options.have_letters:
        free = [n for n in free if n.strong or n.start in labels or not texts]
    return _merge(text, texts, free, labels)


def _text_follows(text: str, letter: Letter, starts: set[int]) -> bool:
    gap = re.match(r"[)\]>}.:*_\"' -]{1,6}", text[letter.end : letter.end + 6])
    reach = range(letter.end + 1, letter.end + 1 + (len(gap[0]) if gap else 0))
    articles = re.match(r"(?:A|An|The|a|an|the) ", text[reach.stop - 1 : reach.stop + 4]) if gap else None
    return any(p in starts for p in reach) or (articles is not None and reach.stop - 1 + articles.end() in starts)


def _inside(place: int, spans: list[tuple[int, int]]) -> bool:
    i = bisect_right(spans, (place, 1 << 60)) - 1
    return i >= 0 and spans[i][0] <= place < spans[i][1]


def _is_phrase(text: str, mention: Mention) -> bool:
    """Whether an option's word stands there as something else: a list number, an opening word, an idiom."""
    said = text[mention.start : mention.end]
    before = text[max(0, mention.start - 24) : mention.start]
    after = text[mention.end : mention.end + 8]
    if said.isdigit() and (re.search(r"(?:^|\n)[\s*_#]*$", before) and re.match(r"[.)]\s", after)):
        return True
    if said.isdigit() and re.search(
        r"\b(?:step|strike|item|figure|note|ring|voice|sound|event)\s$", before, re.IGNORECASE
    ):
        return True
    lowered = said.lower()
    if lowered in _FUNCTION:
        opening = _DISCOURSE.search(before) is not None
        if lowered == "no" and _DETERMINER.match(text, mention.end):
            return True
        if lowered in {"no", "yes", "so"}:
            pointed = re.search(r"(?:\bis|:|=|/|\bor|\band|\"|'|\*|>|->|答案是)\s*[*_\"']*$", before) and not re.match(
                r" [a-z]", after
            )
            return not opening and not pointed
        return opening and after.startswith((",", " let", "...")) and len(text) > mention.end + 12
    return False


def _merge(text: str, texts: list[Mention], named: list[Letter], labels: set[int]) -> list[Spot]:
    """Letters and texts in one list; a letter and the text beside it become one mention, that of the text."""
    spots = [Spot(m.start, m.end, m.index, "text", True, None) for m in texts]
    spots += [
        Spot(
            n.start,
            n.end,
            n.index,
            "letter",
            n.strong,
            n.start if n.label and (n.strong or n.start in labels) else None,
        )
        for n in named
    ]
    spots.sort()
    merged: list[Spot] = []
    for spot in spots:
        last = merged[-1] if merged else None
        joined = _join(text, last, spot, labels) if last else None
        if joined:
            merged[-1] = joined
        else:
            merged.append(spot)
    return merged


def _join(text: str, last: Spot, spot: Spot, labels: set[int]) -> Spot | None:
    between = text[last.end : spot.start]
    if len(between) > 16 or {last.kind, spot.kind} != {"text", "letter"}:
        return None
    if last.kind == "letter":
        letter, words = last, spot
        beside = _LABELLED.match(between)
    else:
        letter, words = spot, last
        beside = None if last.label_at is not None or spot.start in labels else _NAMED_AFTER.match(between)
    same = letter.index == words.index
    enclosed = between.lstrip()[:1] in {"(", "["}
    if not beside or not (letter.strong or same or enclosed or letter.label_at is not None):
        return None
    if not same and last is letter and letter.label_at is None and not enclosed:
        return None
    return Spot(last.start, spot.end, words.index, "text" if same else "conflict", True, letter.label_at)


def _sentences(text: str, spots: list[Spot]) -> list[int]:
    """Where sentences begin; a label such as `A.` ends none."""
    labels = {s.label_at + 1 for s in spots if s.label_at is not None and s.kind != "letter"}
    bounds = [0]
    for stop in _STOP.finditer(text):
        if stop[0] == "." and (
            stop.start() in labels or _ABBREVIATION.search(text[max(0, stop.start() - 8) : stop.start()])
        ):
            continue
        bounds.append(stop.end())
    return bounds


def _widened(text: str, words: list[Token], spots: list[Spot], bounds: list[int], options: Options) -> list[Spot]:
    """Spots whose sentence goes on to say a longer option: `it rises, and after that it falls` is not `It rises`."""
    if not options.nested:
        return spots
    named = {s.index for s in spots}
    starts = [t.start for t in words]
    said: dict[int, list[str]] = {}
    widened: list[Spot] = []
    for spot in spots:
        longer = [j for j in options.nested.get(spot.index, ()) if j not in named] if spot.kind == "text" else []
        if not longer:
            widened.append(spot)
            continue
        begin, end = sentence_at(bounds, spot.start, text)
        if begin not in said:
            inside = words[bisect_left(starts, begin) : bisect_left(starts, end)]
            said[begin] = [] if _SETS_APART.search(text, begin, end) else [t.norm for t in inside]
        full = [j for j in longer if set(options.distinctive[j]).issubset(said[begin])] if said[begin] else []
        in_order = [j for j in full if _same_order(said[begin], options.distinctive[j])]
        if in_order:
            widened.append(spot._replace(index=in_order[0]))
        elif not full:
            widened.append(spot)
    return widened


def _same_order(said: list[str], words: tuple[str, ...]) -> bool:
    return [w for w in said if w in words] == list(words)


def _paraphrases(text: str, words: list[Token], bounds: list[int], options: Options, spots: list[Spot]) -> list[Spot]:
    """In clauses that name no option by its words, the one that they paraphrase."""
    clauses = sorted({*bounds, *(m.start() for m in _CLAUSE.finditer(text))})
    taken = {bisect_right(clauses, s.start) for s in spots if s.kind != "letter" or s.strong}
    by_clause: dict[int, list[Token]] = {}
    for word in words:
        by_clause.setdefault(bisect_right(clauses, word.start), []).append(word)
    found: list[Spot] = []
    for number, inside in by_clause.items():
        if number in taken:
            continue
        for index, said in _meant(text, inside, options):
            place = _last_said(said, options, index)
            found.append(Spot(place.start, place.end, index, "text", True, None))
    return found


def _meant(text: str, clause: list[Token], options: Options) -> list[tuple[int, list[Token]]]:
    """The options that a clause paraphrases, or the parts of it between commas."""
    whole = options.paraphrased(clause)
    if whole:
        return [(index, clause) for index in whole]
    parts: list[list[Token]] = [[]]
    for before, word in zip([None, *clause], clause, strict=False):
        if before is not None and "," in text[before.end : word.start]:
            parts.append([])
        parts[-1].append(word)
    if len(parts) == 1:
        return []
    return [(index, part) for part in parts for index in options.paraphrased(part)]


def _last_said(words: list[Token], options: Options, index: int) -> Token:
    own = options.distinctive[index]
    hits = [t for t in words if any(options.paraphrased_word(w, t.norm) for w in own)]
    return hits[-1] if hits else words[-1]


def _listing(text: str, spots: list[Spot], n: int) -> set[Spot]:
    """Spots that only list the options: labels at the head of lines, or one after the other."""
    labelled = [s for s in spots if s.label_at is not None and s.index >= 0]
    alone = {s for s in labelled if s.kind == "letter" and not re.match(r"[^\n]*\w", text[s.end : s.end + 80])}
    heads = [s for s in labelled if s not in alone and _HEAD.search(text[max(0, (s.label_at or 0) - 40) : s.label_at])]
    heads += [s for s in spots if s.label_at is None and _BULLET.search(text[max(0, s.start - 24) : s.start])]
    listed = set(heads) if len({s.index for s in heads}) > 1 else set()
    run: list[Spot] = []
    for spot in labelled:
        follows = run and spot.index == run[-1].index + 1 and not re.search(r"\w", text[run[-1].end : spot.start])
        if not follows:
            run = []
        run.append(spot)
        if len(run) >= min(3, n) and run[0].index == 0:
            listed.update(run)
    return listed


def _marked_lines(text: str, spots: list[Spot], listed: set[Spot], bounds: list[int]) -> list[Group]:
    """Of listed options, the one that alone is marked as right, and those that are marked as wrong."""
    ordered = [s for s in spots if s in listed]
    good, bad = [], []
    for i, spot in enumerate(ordered):
        line = text.rfind("\n", 0, spot.start) + 1
        until = min(
            x
            for x in (ordered[i + 1].start if i + 1 < len(ordered) else len(text), _line_end(text, spot.end))
            if x >= spot.end
        )
        head, rest = text[line : spot.start] if i == 0 or line >= ordered[i - 1].end else "", text[spot.start : until]
        if re.search("[❌✗✘✖]", head + rest) or lexicon.BAD.match(text[spot.end : until]):
            bad.append(spot)
        elif (lexicon.GOOD_SIGN.search(head) or lexicon.GOOD_MARK.search(rest)) and not lexicon.BAD_MARK.search(rest):
            good.append(spot)
    if len(good) > 1:
        good = []
    return [_as_group(s, bounds, "said", CHOSEN) for s in good] + [_as_group(s, bounds, "denied", SAID) for s in bad]


def _line_end(text: str, place: int) -> int:
    end = text.find("\n", place)
    return len(text) if end < 0 else end


def _as_group(spot: Spot, bounds: list[int], stance: str, level: int) -> Group:
    kind = "letter" if spot.kind == "letter" else spot.kind
    return Group(spot.start, spot.end, (spot.index,), stance, level, bisect_right(bounds, spot.start), kind)


def _group(text: str, spots: list[Spot], bounds: list[int]) -> list[Group]:
    """Mentions that are joined by commas, `and` or `or` as one group, still without a judgement."""
    groups: list[Group] = []
    run: list[Spot] = []
    for spot in [*spots, None]:
        between = text[run[-1].end : spot.start] if run and spot else ""
        alike = run and spot and (run[-1].kind == spot.kind or (run[-1].strong and spot.strong))
        if (
            alike
            and spot
            and len(between) <= 40
            and _TOGETHER.match(between)
            and bisect_right(bounds, run[0].start) == bisect_right(bounds, spot.start)
        ):
            run.append(spot)
            continue
        if run:
            groups.append(_together(text, run, bounds))
        run = [spot] if spot else []
    return groups


def _together(text: str, run: list[Spot], bounds: list[int]) -> Group:
    indices = tuple(dict.fromkeys(s.index for s in run))
    joint = len(indices) > 1 and _OR.search(text[run[0].end : run[-1].start])
    weak = all(s.kind == "letter" and not s.strong for s in run)
    kind = "weak" if weak else run[0].kind
    return Group(
        run[0].start,
        run[-1].end,
        indices,
        "doubted" if joint else "said",
        SAID,
        bisect_right(bounds, run[0].start),
        kind,
    )
