"""The small words that steer a reading, in the languages met in practice: tables and patterns, no logic."""

from __future__ import annotations

import re

NUMBERS = {
    word: str(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen twenty".split()
    )
}
NUMBERS |= {
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "sixty": "60",
    "seventy": "70",
    "eighty": "80",
    "ninety": "90",
    "hundred": "100",
    "once": "1",
    "twice": "2",
}
NUMBERS |= {"两": "2", "兩": "2"} | {sign: str(i + 1) for i, sign in enumerate("一二三四五六七八九")}

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
    "n't": "not",
    "ca": "can",
    "wo": "will",
}

AFTER_A_LETTER = frozenset(
    "minor major flat sharp natural section or and is was because fits matches seems would could can cannot does has might may must should will but nor noch oder und ou et ni y than".split()
)
"""Small words that may follow a letter which names a note or an option; none of them follows an article."""

STOP_WORDS = frozenset(
    "of in on at to for with from by is are was were be been being it its this that there he she they we you i "
    "his her their will would has have had do does did as or while into very".split()
)

SAME_MEANING = (
    "man male gentleman",
    "woman female lady",
    "child kid",
    "angry furious enraged irate anger mad",
    "happy joyful cheerful joy delighted happiness",
    "sad sorrowful sadness grief sorrow",
    "afraid scared fearful fear frightened",
    "surprised astonished surprise amazed",
    "calm peaceful relaxed tranquil",
    "increasing rising growing increase louder grow",
    "decreasing falling declining decrease softer quieter",
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
    "laugh laughter",
    "applause clapping",
    "saxophone sax",
    "center centre middle",
)
"""Words that stand for one another where no option is named by its own words."""

_NOUN = r"(?:answer|choice|option|response|conclusion|prediction|(?:best|closest|only|better) (?:match|fit|guess|candidate|description))"
_IS = (
    r"(?:(?:is|would be|should be|must be|will be|was|has to be|becomes)\b(?! not|n't|'t)(?:,? (?:therefore|thus|clearly|most likely|simply))?:?"
    r"|:|=|->|=>|-{1,2}(?= ))"
)
EXPLICIT = (
    rf"\b{_NOUN}(?: here| to (?:the|this) question| choice| letter)?[*_\"' ]*{_IS}"
    r"|(?:答案|选项)(?:应该|应)?\s?(?:是|为|选|:)|所以选择?|故选|应选|(?<!不)选择?(?=\s?[A-H(])"
    r"|(?:答え|正解|解答|回答|選択肢)\s?(?:は|:)|(?:정답|답변|답)\s?(?:은|:)"
    r"|\b(?:respuesta|resposta|risposta|réponse|reponse|opción|opcion|opção|opzione)(?: correcta| correta| corretta| correcte| final| finale)?"
    r"(?: es| é| è| est)?(?: la| a)?\s?:?(?=\s)"
    r"|\bantwort(?: ist| lautet)?\s?:?(?=\s)|\bответ\s?(?:[:-]|это)?|(?:الإجابة|الجواب)(?: الصحيحة| الصحيح)?(?: هي| هو)?\s?:?"
)
CHOOSE = (
    r"\b(?:i mean|or rather,?|make that|je dirais|yo diría|diría|ich würde sagen|я бы сказал[а]?)\b|"
    r"\b(?:i(?:'d|'ll| would| will| am|'m)?|we|let's|let us)(?: \w+ly)?(?: have to| must| should)?(?: to)? ?"
    r"(?:choose|pick|select|go(?:ing)? with|opt(?:ing)? for|settle on|vote for|say|lean(?:ing)? toward(?:s)?|stand by|stick(?:ing)? with|stay(?:ing)? with|guess(?: it's| it is)?)\b"
    r"|\bchang(?:e|ing) my (?:answer|mind|choice) to\b|\bmy (?:pick|guess|vote|verdict)(?: is|:)|\bfinal(?: answer)?\s?:|\bcorresponds? to (?=option|choice|\()"
)
CONCLUDE = (
    r"\b(?:therefore|thus|hence|consequently|so|overall|in (?:conclusion|summary|short)|to (?:conclude|sum up)|conclusion|ultimately|finally"
    r"|(?:must|has to|have to|can only) be|(?:most )?(?:likely|probably)|最有可能的?是?|很可能是?|应该是|(?:i|we) conclude|best (?:described|characteri[sz]ed|matched)"
    r"|i (?:think|believe|guess)|i'm (?:confident|certain|sure)|settles?(?: it)?|decides?(?: it)?|only leaves|leaves?(?: us)?(?: with)?|leaving|remaining(?: one| option)?|clearly|definitely|indeed)\b"
    r"|所以|因此|综上|从而|したがって|따라서|por (?:lo )?tanto|donc\b|(?:\balso\b(?= ist)|- also\b)|\b(?:folglich|deshalb|daher|somit|luego|entonces|logo)\b|следовательно|значит"
)
IDENTIFY = (
    r"\b(?:(?:this|it|that|the (?:sound|audio|clip|instrument|speaker|music|piece|voice|recording|song|track))"
    r" (?:is|was|sounds? like|appears to be|seems to be)|(?:it|this|that)'s|sounds? like|i (?:can )?hear|это|comes? from|points? to)\b"
)
NEGATE = (
    r"\b(?:anything but|far from|not(?! only| just| sure)|\w+n't|never|neither|nor|cannot|without|rul(?:e|es|ed|ing) out|exclud(?:e|es|ed|ing)"
    r"|eliminat(?:e|es|ed|ing)|discard(?:ed)?|reject(?:ed)?|nothing|nobody|hardly|barely|lack(?:s|ing)?|absence|absent|rather than|instead of|as opposed to|opposed to|unlike|apart from|no(?! doubt\b|,|\.|\s*$)"
    r"|weder|noch|nicht|kein(?:e|en)?|ni|tampoco|no es|não|non|n'est pas|не|ни|нет)\b"
    r"|不是|不选|也不|并非|没有|排除|ليست?"
)
HEDGE = (
    r"\b(?:might|could|may|maybe|perhaps|possibly|plausible|either|whether|if|would|wouldn't|considered|initially|at first|first (?:thought|guess|said|impression|instinct|took|heard|believed)|i (?:had )?said"
    r"|first i|was (?:going|tempted|about) to|thought|believed|assumed|suspected|one (?:might|could|may)|candidates?|between|among(?:st)?|can be confused|resembles?|similar to"
    r"|hard to (?:say|tell)|wondered|unsure|not sure|uncertain|usually|normally|typically|typical|suggests?|tends?|were)\b|(?<!最有)(?<!很)可能|也许|或许|かもしれ|最初は|一瞬|一开始|起初|以为|처음에는|아마"
    r"|\b(?:сначала|подумал[аи]?|возможно|может быть|al principio|pensé|quizás?|tal vez|puede ser|podría|d'abord|au début|peut-être|pourrait"
    r"|vielleicht|könnte|anfangs|zuerst dachte|talvez|pode ser|poderia|forse|potrebbe)\b"
)
RESET = r"\b(?:but|however|yet|nevertheless|still|actually|instead(?! of)|rather(?! than)|which (?:leaves|means)|as it's)\b|;|—|--|: |但是?|而是|不过|mais\b|sondern\b|sino\b|pero\b|а\b|но\b|でしたが|ましたが|ですが|しかし|けど"
NEW_SUBJECT = (
    r",(?= (?:and )?(?:(?:it|this|that|he|she|they|there|i|we|so)\b|leaving |which leaves"
    r"|the (?:correct|right|best) |making |(?:la|le|il|elle|el|der|die|das) ))"
)
BACKGROUND = r"\b(?:bien qu[e']|obwohl|aunque|embora|sebbene|хотя|although|though|even though|while|whereas|despite|in spite of|besides|accompanied by|followed by|reverses?)(?:\b|(?<='))|虽然|尽管"
CONTEXT = r"\b(?:before|after|following|preceding|than|next to|alongside|above|below|qu'(?=une? |le |la ))(?:\b|(?<='))"
COMMA = r", "

CORRECTION = re.compile(
    r"\b(?:wait|actually|no,|sorry|correction|edit:|update:|scratch that|i mean|or rather|make that|er,|on second (?:thought|listen)|let me re\w+|hmm|i (?:was|were) wrong|my mistake|misjudged)",
    re.IGNORECASE,
)
REFUSAL = re.compile(
    r"\b(?:can(?:'t|not)|unable to|not able to|could(?:n't| not)|impossible to|don't have (?:the )?(?:ability|access)|without (?:access|hearing|listening))"
    r"(?: \w+)?(?: (?:say|tell|determine|decide|identify|answer|choose|make out|listen|process|access|analy[sz]e|be determined|be sure)\b"
    r"|(?: to)? (?:hear|access) (?:the|any|this|your) (?:audio|clip|sound|recording|file))"
    r"|\b(?:i|we) (?:do not|don't) know\b|\bno audio\b|\bplease (?:provide|upload|share)\b|\bwithout (?:access|hearing|listening)\b|无法|抱歉|わかりません|申し訳"
    r"|\bhard to (?:say|tell)\b|\bany of them\b|\beither of (?:the two|them)\b|\bcannot tell\b|\bcan't tell\b|\bno puedo\b|\bje ne peux pas\b|\bне могу\b|\bkann (?:ich )?nicht\b"
    r"|\b(?:não sei|no sé|je ne sais|ich weiß (?:es )?nicht|не знаю)\b|不知道|不确定|모르겠|わからない",
    re.IGNORECASE,
)
WITHDRAWN = re.compile(
    r"\b(?:won't|will not|can't|cannot|unable to|not able to)(?: \w+)? (?:choose|decide|pick|commit|tell which|say which)\b"
    r"|\bi (?:really |honestly |just )?(?:don't|do not) know\b|\bnot sure which\b|\bno idea\b",
    re.IGNORECASE,
)
DOUBT_AFTER = re.compile(
    r"か?と思(?:い|っ)|かもしれ|일 수도| (?:might|may|could) (?:be|also|come|seem)|, perhaps|, maybe"
)
EXCEPT = r"\b(?:can't|cannot|couldn't) be (?:anything|anyone) (?:but|other than)|\bnothing (?:but|other than)\b|\b(?:everything|everyone|every|all|any|none)(?: of)?(?: the)?(?: other)?(?: \w+)? (?:except|but|apart from|other than|besides)\b"
INSTRUCTION = re.compile(
    r"\s*[*_#>]*(?:please |you (?:must|should|need to) |your task\b[^.]*?)?(?:choose|select|pick|answer|respond|reply)\b"
    r"(?: (?:with|the|one|from|an?|between|only|by|among|using|which|correct|most)\b| \w+ (?:from|of|option)\b)"
    r"|.*\b(?:options? (?:are|is:|were)|choices (?:are|were)|possible answers|provided choices|answer format|following options|following choices)\b",
    re.IGNORECASE | re.DOTALL,
)
FILLER = frozenset(
    "no wait actually sorry hmm so ok okay yes sure it's it is that's this option choice answer letter final the um uh well therefore thus hence "
    "scratch that conclusion verdict result correct because".split()
)
GOOD = re.compile(
    r"[\s*_\"')\]]*(?:,? (?:is|was|would be|seems|looks|are)(?: \w+ly)? (?:also )?(?:the |a |an )?(?:\w+ )?(?:correct|right|best|answer|only one left|accurate|most \w+ (?:answer|choice|option|match))\b"
    r"|,? (?:describes|matches|fits|suits)(?: \w+){0,6} (?:best|well|perfectly|better)|,? makes the most sense|\s*[-=:–]*\s*(?:\(?correct\)?\b(?! answer)|[✓✔✅☑])"
    r"|.{0,20}(?:is the best match|the best match\b|the best fit\b|settles it))",
    re.IGNORECASE,
)
IN_TOTAL = re.compile(r"[\s*_]*(?:\w+ ){0,4}(?:in total|altogether|in all)\b", re.IGNORECASE)
BAD = re.compile(
    r"(?:の音)?(?:では|じゃ)(?:なく|ない|ありません)|[이가]? ?아니[라고며]|[이가]? ?아닙니다"
    r"|[\s*_\"')\]]* would(?:n't)? (?:have|be(?! (?:the|my|best))|need|require|sound|show|give|produce|last|come)\b|[\s*_\"')\]]*[:-] ?no\b|[\s*_\"')\]]*(?:[|:-]+ ?)?(?:(?:is|are|was|were|can be|can|seems|must be|would be|should be|has been|have been|as|would|does|do|could)?"
    r"(?: also| both| all| clearly| definitely| likely)*(?: )?(?:wrong|incorrect|not\b|n't|out\b|excluded|ruled out|eliminated|unlikely|rejected|false|impossible|off the table"
    r"|crossed off|too \w+)|(?:isn't|aren't|wasn't|doesn't|don't|won't|can't|cannot|couldn't|wouldn't|shouldn't)\b|[❌✗✘✖]|reverses|contradicts)",
    re.IGNORECASE,
)
GOOD_SIGN = re.compile(r"[✓✔✅☑]|\[x\]", re.IGNORECASE)
GOOD_MARK = re.compile(
    r"[✓✔✅☑]|\[x\]|(?<![a-z])(?:correct|right answer|best (?:fit|match)|this (?:is it|fits|matches))\b", re.IGNORECASE
)
BAD_MARK = re.compile(r"[❌✗✘✖×]|\b(?:incorrect|wrong|not|no|isn't|doesn't|too|unlikely|but)\b", re.IGNORECASE)
