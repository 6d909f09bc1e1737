"""Text of descriptions in HTML: without tags and comments, and with entities decoded."""

import re
from html import unescape

import regex

_BLOCKS = re.findall(
    r"\w+",
    """address article aside audio blockquote body br button canvas caption center col colgroup dd details dialog div dl
    dt embed fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe img input legend
    li link main menu meta nav object ol option p picture pre script section select source style summary table tbody td
    template textarea tfoot th thead title tr track ul video""",
)
_INLINE = re.findall(
    r"\w+",
    """a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label map mark meter output progress q rp
    rt ruby s samp small span strike strong sub sup svg time tt u var wbr""",
)
_SEPARATOR_BY_NAME = dict.fromkeys(_BLOCKS, " ") | dict.fromkeys(_INLINE, "")
"""Names of elements: the tag of a block separates words, that of an inline element does not (`H<sub>2</sub>O`).

A tag of another name is text, such as the one in `List<Read>`.
"""
# Possessive, and ending at the next angle bracket, so that the time is linear in the length of any text.
_TAG = regex.compile(r"</?([A-Za-z][A-Za-z0-9]*+)(?=[\s/>])[^<>]*+>")


def strip_markup(text: str) -> str:
    """Return the text without tags of HTML and comments, and with entities decoded. Other texts stay as they are."""
    if "<" in text:
        text = _TAG.sub(_replace_tag, _strip_comments(text))
    return unescape(text) if "&" in text else text


def _replace_tag(tag: "regex.Match[str]") -> str:
    return _SEPARATOR_BY_NAME.get(tag[1].lower(), tag[0])


def _strip_comments(text: str) -> str:
    *commented, rest = text.split("-->")
    return " ".join([*(part.partition("<!--")[0] for part in commented), rest])
