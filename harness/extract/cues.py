"""The phrases that steer a sentence, by their effect on the option that follows or precedes.

Each is a list of alternatives, a line a kind or a language: English first, then others seen in practice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from dtbench.harness.extract.patterns import lazy_pattern


def _any(*alternatives: str) -> str:
    return "|".join(alternatives)


def _compiled(*alternatives: str) -> re.Pattern[str]:
    return lazy_pattern(_any(*alternatives), re.IGNORECASE)


def _words(text: str) -> str:
    """Match phrases of plain words, separated by bars, as whole words."""
    return rf"\b(?:{text})\b"


# -- what points at the option that follows ---------------------------------------------------------------------------

_ANSWER_NOUN = "answer|choice|option|response|conclusion|prediction"
_ANSWER = (
    rf"(?<!each )(?<!every )(?<!following )\b(?:{_ANSWER_NOUN}"
    r"|(?:best|closest|only|better) (?:match|fit|guess|candidate|description))"
)
_IS = (
    r"(?:(?:is|would be|should be|must be|will be|was(?! going)|has to be|becomes)\b(?! not|n't|'t)"
    r"(?:,? (?:therefore|thus|clearly|most likely|simply))?:?|:|=|->|=>|-{1,2}(?= ))"
)
_ROMANCE_ANSWER = r"respuesta|resposta|risposta|réponse|reponse|opción|opcion|opção|opzione"
EXPLICIT = _any(
    rf"(?:\bfinal )?{_ANSWER}(?: here| to (?:the|this) question| choice| letter)?[*_\"' ]*{_IS}",
    r"\bcorrect(?: \w+){1,14}? (?:is|would be|should be)\b(?! not|n't)(?: therefore| thus)?:?",
    r"(?:答案|选项)(?:应该|应)?\s?(?:是|为|选|:)|所以选择?|故选|应选|(?<!不)选择?(?=\s?[A-H(])",
    r"(?:答え|正解|解答|回答|選択肢)\s?(?:は|:)",
    r"(?:정답|답변|답)\s?(?:은|:)",
    rf"\b(?:{_ROMANCE_ANSWER})(?: correcta| correta| correcte| corretta| finale?)?"
    r"(?: es| é| è| est)?(?: la| a)?\s?:?(?=\s)",
    r"\bantwort(?: ist| lautet)?\s?:?(?=\s)",
    r"\bcevap\s?:?(?=\s)",
    r"\bответ\s?(?:[:-]|это)?|उत्तर\s?:?",
    r"(?<!ليست )(?:الإجابة|الجواب)(?: الصحيحة| الصحيح)?(?: هي| هو)?\s?:?",
)
"""The answer is named as the answer."""

NAMES_ANSWER = _compiled(
    rf"\banswer|(?:correct|right|final|my) (?:{_ANSWER_NOUN})|答案|답|答え|正解|解答|回答|ответ|antwort"
    rf"|{_ROMANCE_ANSWER}|cevap|उत्तर|إجابة|جواب"
)
"""The cue speaks of the answer itself, not of a guess or of a match."""
VAGUE = _compiled(
    r"[\s*_\"'(]*(?:(?:quite|very|pretty|fairly|most|likely|probably|also|therefore|thus|now) )*"
    r"(?:clear|clearly|obvious|evident|simple|straightforward|easy|found|given|based|determined|obtained|derived|correct"
    r"|incorrect|wrong|right|as follows|below|above|supported|consistent|unclear|uncertain|ambiguous|subjective"
    r"|unknown|not|to|because|since|explained|indeed|debatable|in (?!the (?:\w+ )?(?:options|choices|list))"
    r"|related|due|let|step|here)\b"
)
"""What follows an announced answer and names none: `the answer is clear`."""

_OPTIONS = r"(?:options?|choices?|answers?|alternatives?|list)\b(?! (?:but|except|other than|apart from))"
_GIVEN = r"(?:(?:the|these|those|given|provided|listed|available|answer|offered|possible|\w+ly|above|five|four|three) )"
NO_OPTION = _any(
    rf"\bnone of {_GIVEN}{{0,4}}(?:{_OPTIONS}|above\b)(?: (?:given|provided|listed|above|here))?"
    r"(?=\s*(?:[.,;!\n]|$)| (?:\w+ ){0,2}?(?:is|are|was|were|seems?|appears?|match\w*|fits?|appl\w+|correspond\w*"
    r"|describes?|answers?|works?|makes?|can be)\b)",
    r"\b(?:(?:is|are|was|were) not|isn't|aren't|wasn't) (?:among|in|one of|listed|included|provided|given"
    rf"|present|available|any of|found)(?: (?:in|among|as|within))?(?: any)?(?: one)?(?: of)?"
    rf" {_GIVEN}{{0,4}}{_OPTIONS}",
    r"\b(?:not|n't) (?:\w+ )?(?:match|correspond to|appear in|appear among|fit|find|see)(?: with)? any(?: of)?"
    rf" {_GIVEN}{{0,4}}{_OPTIONS}",
    r"\banswer (?:is|was)(?: not|n't)"
    r" (?:listed|given|there|provided|included|available|present|shown|here|among them)\b",
    rf"\bno (?:correct|right|suitable|matching|such|valid|appropriate|accurate|good) {_OPTIONS}",
)
"""The answer is said to be none of the options."""

NONE_OF_THEM = _compiled(NO_OPTION)

_I_WILL = r"(?:i(?:'d|'ll| would| will| am|'m)?|we|let's|let us)(?: \w+ly| still)?(?: have to| must| should)?(?: to)?"
CHOOSE = _any(
    rf"\b{_I_WILL} ?(?:choose|pick|select|say|settle on|vote for|stand by|guess(?: it's| it is)?)\b",
    rf"\b{_I_WILL} ?(?:go(?:ing)? (?:with|for)|(?:switch(?:ing)?|revise(?: it| that)?) to|opt(?:ing)? for)\b",
    rf"\b{_I_WILL} ?(?:lean(?:ing)? towards?|stick(?:ing)? with|stay(?:ing)? with)\b",
    _words("i mean|make that|(?:came|come|went) back to|back to") + r"|\bor rather,?",
    r"\bmy (?:answer|mind|choice)(?: from [^.]{1,24}?)? to\b|\bmy (?:pick|guess|vote|verdict)(?: is|:)",
    r"\bfinal(?: \w+)?[*_]*\s?:|\bcorresponds? to (?=option|choice|\()",
    r"\bthat(?: would|'d)(?: then)? be(?= (?:option|choice)\b)|\bclosest(?: \w+){0,5} (?:is|would be)\b",
    r"\b(?:conclusion|answer|choice) leans? towards?\b",
    r"\bmaking (?:the )?(?:correct|right|best|final) (?:selection|choice|answer|option)\b:?",
    r"\b(?:which is|matches|corresponds to|aligns with|agrees with|points to|fits)(?: with)?"
    r" (?=(?:option|choice|answer)\b|\([A-J]\))",
    _words("je dirais|diría|ich würde sagen|я бы сказала?"),
)
"""The writer commits to what follows."""

EXCEPT = _any(
    r"\b(?:can't|cannot|couldn't) be (?:anything|anyone) (?:but|other than)|\bnothing (?:but|other than)\b",
    r"\b(?:everything|everyone|every|all|any|none)(?: of)?(?: the)?(?: other)?(?: \w+)?"
    r" (?:except|but|apart from|other than|besides)\b",
)
"""All are dealt with but what follows."""

CONCLUDE = _any(
    _words(r"therefore|thus|hence|consequently|so(?! as\b| that\b)|overall|ultimately|finally|conclusion"),
    _words("clearly|definitely|indeed"),
    _words("in (?:conclusion|summary|short)|to (?:conclude|sum up)|(?:i|we) conclude"),
    _words(
        "(?:must|has to|have to|can only) be|(?:most )?(?:likely|probably)|best (?:described|characteri[sz]ed|matched)"
    ),
    _words(
        "i (?:think|believe|guess)|i'm (?:pretty |quite |fairly |very |almost )?(?:confident|certain|sure)"
        "|(?:i|we)(?: can)?(?: now)? confirm|settles?(?: it)?|decides?(?: it)?"
    ),
    _words(r"(?:total(?: number)?|count)(?: \w+)? (?:is|appears to be|seems to be|comes to|lands(?: \w+)? on)"),
    _words(r"(?:match(?:es)?|aligns?)(?: \w+)? with|points? strongly (?:to|towards?)|strongly suggests?"),
    _words("(?:this|it|that|which) confirms(?: that)?|there (?:are|is) (?:precisely|exactly)"),
    _words("only leaves|leaves?(?: us)?(?: with)?|leaving|remaining(?: one| option)?"),
    r"所以|因此|综上|从而|最有可能的?是?|很可能是?|应该是|其实是|实际上是|したがって|따라서",
    _words("por (?:lo )?tanto|luego|entonces|logo|donc|folglich|deshalb|daher|somit|следовательно|значит"),
    r"\balso\b(?= ist)|- also\b",
)
"""What follows is drawn as a conclusion."""

IDENTIFY = _any(
    r"\b(?:this|it|that|the (?:sound|audio|clip|instrument|speaker|music|piece|voice|recording|song|track))"
    r" (?:is|was|sounds? like|appears to be|seems to be)\b",
    rf"\bthe (?:(?!{_ANSWER_NOUN}|correct|right|best)\w+[ -]){{1,3}}?is\b(?! not)",
    _words("(?:it|this|that)'s|sounds like|i (?:can )?hear|i count(?:ed)?|comes? from|points? to|это") + "|听起来",
)
"""What follows is said to be what is heard."""

# -- what turns the option that follows -------------------------------------------------------------------------------

NEGATE = _any(
    _words("dont|doesnt|didnt|isnt|wasnt|cant|wont|unclear|unknown"),
    _words(r"anything but|far from|not(?! only| just| sure)|\w+n't|never|neither|nor|cannot|without|nothing|nobody"),
    _words("rul(?:e|es|ed|ing) out|exclud(?:e|es|ed|ing)|eliminat(?:e|es|ed|ing)|discard(?:ed)?|reject(?:ed)?"),
    _words("hardly|barely|lack(?:s|ing)?|absence|absent|rather than|instead of|(?:as )?opposed to|unlike|apart from"),
    r"\bno\b(?! doubt\b|,|\.|\s*$)",
    _words("weder|noch|nicht|kein(?:e|en)?|ni|tampoco|no es|não|non|n'est pas|не|ни|нет|j'écarte"),
    r"不是|不选|也不|并不|并非|没有|排除|ليست?",
)
"""What follows is denied."""

HEDGE = _any(
    _words("might|could|may|maybe|perhaps|possibly|plausible|either|whether|if|would|wouldn't|were|candidates?"),
    _words("considered|wondered|thought|believed|assumed|suspected|i (?:had )?said|initially|at first|first i"),
    _words("first (?:thought|guess|said|impression|instinct|took|heard|believed)|was (?:going|tempted|about) to"),
    _words("not only"),
    _words("between|among(?:st)?|can be confused|resembles?|similar to|hard to (?:say|tell)|unsure|not sure|uncertain"),
    _words("usually|normally|typically|typical|suggests?|tends?"),
    r"(?<!最有)(?<!很)可能|也许|或许|以为|一开始|起初|かもしれ|最初は|一瞬|처음에는|아마",
    _words("al principio|pensé|quizás?|tal vez|puede ser|podría|talvez|pode ser|poderia|forse|potrebbe"),
    _words("d'abord|au début|peut-être|pourrait|vielleicht|könnte|anfangs|zuerst dachte"),
    _words("сначала|подумал[аи]?|возможно|может быть"),
)
"""What follows is considered, not said."""

BACKGROUND = _any(
    _words("although|though|even though|whereas|despite|in spite of|besides|accompanied by|followed by|reverses?"),
    _words("compared (?:to|with)"),
    _words("obwohl|aunque|embora|sebbene|хотя") + r"|\bbien qu[e']",
    r"虽然|尽管",
)
"""Up to the next comma, options are named as background."""

CONTEXT = _any(
    _words("before|after|following|preceding|than|next to|alongside|beside|near|(?<!the )above|below"),
    _words("(?:speak|talk|listen)(?:s|ing) to"),
    r"\bqu'(?=une? |le |la )",
)
"""The option that follows is named to place another one."""

RELATIVE = (
    r"\b(?:that|which|who|whose \w+)\b(?: \w+){0,2}?(?: not|n't| never| cannot| least| no)\b"
    r"[^,.;:?\n]{0,60}? (?:is|was|are|were)\b"
)
"""Right before an option: `the word that does not rhyme is`, whose negation is part of what was asked for."""

# -- what ends the hold of the above ----------------------------------------------------------------------------------

RESET = _any(
    _words("but|however|yet|nevertheless|still|actually|instead(?! of)|rather(?! than)|which (?:leaves|means)|as it's"),
    r";|—|--|: ",
    r"但是?|而是|不过|でしたが|ましたが|ですが|しかし|けど",
    _words("mais|sondern|sino|pero|а|но|بل"),
)
NEW_SUBJECT = (
    r",(?= (?:and )?(?:(?:it|this|that|he|she|they|there|i|we|so)\b|leaving |which leaves |making "
    r"|the (?:correct|right|best|(?:most )?likely|probable|expected) |(?:la|le|il|elle|el|der|die|das) ))"
)
COMMA = r", "

# -- what is said after the option ------------------------------------------------------------------------------------

_MARKUP = r"[\s*_\"')\]]*"
GOOD = _compiled(
    rf"{_MARKUP},? (?:which |that )?(?:is|was|would be|seems(?: to be)?|appears to be|remains|looks|are)"
    r"(?! \w+ if\b)(?: \w+ly)? (?:also )?(?:the |a |an )?(?:\w+ )?"
    r"(?:correct|right|best|answer|only one left|accurate|most \w+ (?:answer|choice|option|match))\b",
    rf"{_MARKUP},? (?:describes|matches|fits|suits)(?: \w+){{0,6}} (?:best|well|perfectly|better)",
    rf"{_MARKUP},? (?:as )?the (?:correct|right|best) (?:answer|choice|option)\b",
    rf"{_MARKUP},? makes the most sense|{_MARKUP} (?:is what|does[.!])",
    rf"{_MARKUP}\s*[-=:–]*\s*(?:\(?correct\)?\b(?! answer)|yes(?=\s*(?:[.,;\n]|$))|[✓✔✅☑○◯⭕])",
    rf"{_MARKUP}[^.!?\n]{{0,120}}, making (?:it|this|that|them) the (?:\w+ ){{0,2}}"
    r"(?:choice|option|answer|match|fit)\b",
    rf"{_MARKUP}.{{0,20}}(?:is the best match|the best match\b|the best fit\b|settles it)",
)
_VERB = (
    r"(?:is|are|was|were|can be|can|seems|must be|would be|should be|has been|have been|as|would|does|do|could)?"
    r"(?: also| both| all| clearly| definitely| likely)*"
)
BAD = _compiled(
    rf"(?!{_MARKUP}[|:-]+ ?not (?:a|an|the)\b){_MARKUP}(?:[|:-]+ ?)?{_VERB} ?(?:wrong|incorrect|not\b|n't|out\b|gone\b"
    r"|excluded|ruled out|eliminated|unlikely|rejected|false|impossible|off the table|crossed off|too \w+)",
    rf"{_MARKUP}(?:[|:-]+ ?)?(?:(?:is|are|was|does|do|wo|ca|could|would|should)n't|cannot)\b",
    rf"{_MARKUP}(?:[|:-]+ ?)?(?:[❌✗✘✖]|reverses|contradicts)|{_MARKUP}(?:[:-] ?)?no(?=\s*(?:[.,;\n]|$))|{_MARKUP}×",
    rf"{_MARKUP}(?: \w+)? would(?:n't)? (?!be (?:the|my|best|correct|right)|explain|fit|match|make|seem|suit)\w+",
    rf"{_MARKUP} would be (?:correct|right) if\b",
    r"(?:の音)?(?:では|じゃ)(?:なく|ない|ありません)|[이가]? ?아니[라고며]|[이가]? ?아닙니다|も?いません",
    r"都?可以排除|都?不对|都?错| (?:de |da )?değil\b",
)
DOUBT_AFTER = _compiled(
    r" (?:might|may|could) (?:be|also|come|seem)| if\b|, perhaps|, maybe| is (?:tempting|plausible|possible)",
    r"か?と思(?:い|っ)|かもしれ|일 수도",
)
IN_TOTAL = _compiled(r"[\s*_]*(?:\w+ ){0,4}(?:in total|altogether|in all|total)\b")

# -- marks in a list of the options -----------------------------------------------------------------------------------

ANSWERED_YES = _compiled(r"[\s\"')*_]*(?:yes|right|correct|exactly)\b")
ANSWERED_NO = _compiled(r"[\s\"')*_]*(?:no|not|nope|wrong)\b")
"""What a question that the writer asks is answered with."""

GOOD_SIGN = _compiled(r"[✓✔✅☑]|\[x\]")
GOOD_MARK = _compiled(
    r"[✓✔✅☑]|\[x\]|(?<![a-z])(?:correct|right answer|best (?:fit|match)|this (?:is it|fits|matches))\b"
)
BAD_SIGN = _compiled(r"[❌✗✘✖]")
BAD_MARK = _compiled(r"[❌✗✘✖×]|\b(?:incorrect|wrong|not|no|isn't|doesn't|too|unlikely|but)\b")

# -- whole texts and sentences ----------------------------------------------------------------------------------------

CORRECTION = _compiled(
    r"\b(?:wait|actually|no,|sorry|correction|edit:|update:|scratch that|i mean|or rather|make that|er,|hmm|my mistake"
    r"|misjudged|on second (?:thought|listen)|let me re\w+|i (?:was|were) wrong)"
)
"""What came before is taken back."""

TAKEN_BACK = _compiled(r"\b(?:scratch that|correction:|i mean|make that|my mistake|i was wrong|on second thought)\b")
"""What was said before this no longer counts."""

_UNABLE = r"(?:can(?:'t|not)|unable to|not able to|could(?:n't| not)|impossible to|(?:won't|will not))"
REFUSAL = _compiled(
    rf"\b(?:{_UNABLE}|don't have (?:the )?(?:ability|access))(?: \w+)?"
    r" (?:say|tell|determine|decide|identify|answer|choose|make out|listen|process|access"
    r"|analy[sz]e|be determined|be sure)\b",
    rf"\b{_UNABLE}(?: \w+)?(?: to)? (?:hear|access) (?:the|any|this|your) (?:audio|clip|sound|recording|file)",
    rf"\b{_UNABLE} (?:say|tell)\b|\b(?:i|we) (?:do not|don't) know\b",
    _words("no audio|please (?:provide|upload|share)|without (?:access|hearing|listening)"),
    _words("(?:hard|difficult) to (?:say|tell)"),
    _words("50/50|fifty-fifty|toss-?up|any of them|either of (?:the two|them)"),
    _words("no puedo|no sé|não sei|je ne peux pas|je ne sais|kann (?:ich )?nicht|ich weiß (?:es )?nicht"),
    _words("не могу|не знаю"),
    r"无法|抱歉|不知道|不确定|わかりません|わからない|申し訳|모르겠",
)
"""The writer does not answer."""

WITHDRAWN = _compiled(
    r"\b(?:won't|will not|can't|cannot|unable to|not able to)(?: \w+)?"
    r" (?:choose|decide|pick|commit|settle|tell which|say which)\b",
    r"\bi (?:really |honestly |just )?(?:don't|do not|no longer) know\b|\bwho knows\b|\bnot sure which\b|\bno idea\b",
)
"""An answer before this is given up."""

_ASKS = _compiled(
    r"\s*[*_#>]*(?:please |you (?:must|should|need to) |your task\b[^.]*?)?"
    r"(?:choose|select|pick|answer|respond|reply)\b"
    r"(?: (?:with|the|one|from|an?|between|only|by|among|using|which|correct|most)\b| \w+ (?:from|of|option)\b)"
)
_SHOWS_OPTIONS = _compiled(
    r"\b(?:options? (?:are|is:|were)|choices (?:are|were)|possible answers|provided choices|answer format"
    r"|following (?:options|choices))\b"
)


def is_instruction(sentence: str) -> bool:
    """Whether a sentence is of the prompt, not an answer to it."""
    if _ASKS.match(sentence):
        return True
    small = sentence.lower()
    may_show = "option" in small or "choices" in small or "answer" in small
    return may_show and _SHOWS_OPTIONS.search(sentence) is not None


FILLER = frozenset(
    "no wait actually sorry hmm so ok okay yes sure it's it is that's this option choice answer letter final the um uh "
    "well therefore thus hence scratch that conclusion verdict result correct because".split()
)
"""Words beside which an option still stands alone in its sentence."""


_STATING = (
    *"answer choice option response conclusion prediction match fit guess candidate description correct right".split(),
    *"best 答 选 選 답 respuesta resposta risposta réponse reponse opci opç opzione antwort cevap ответ".split(),
    *("उत्तर", "إجابة", "جواب"),
    *("none of", " no "),
)
_CHOOSING = (
    *"choose pick select settle vote guess switch revise lean stick stay final correspond closest making match".split(),
    *"align agree dirais diría würde сказал opt fits rather".split(),
    *(
        " say ",
        "stand by",
        " go",
        "i mean",
        "make that",
        "back to",
        "my ",
        "that would",
        "that'd",
        "which is",
        "points to",
    ),
)


def may_state(sentence: str) -> bool:
    """Whether a sentence, in small letters, may announce an answer; it is looked at closely where it may."""
    return any(word in sentence for word in _STATING)


def may_choose(text: str) -> bool:
    """Whether a text, in small letters, may hold a word by which its writer commits to something."""
    return any(word in text for word in _CHOOSING)


def one_pattern(kinds: Iterable[tuple[str, str]]) -> str:
    """Join several kinds of cue to one pattern, each a group of its name."""
    return "|".join(f"(?P<{name}>{pattern})" for name, pattern in kinds)
