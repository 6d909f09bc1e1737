"""This file is values that are not what they look like: texts near a text, and JSON where another kind is meant."""

import unicodedata
from random import Random
from urllib.parse import quote

WORN = "abcXYZ019-_.~ /\\\"'%&=+,;:@\t\n\0\x7f\x85\xa0é安"
LOOK_ALIKE = str.maketrans("aeopcxynrs", "аеорсхупгѕ")
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def near(chance: Random, text: str) -> str:
    """Return another text, which a careless comparison takes for this one or which is off by a character."""
    at, worn = chance.randrange(len(text)), chance.choice(WORN)
    mistaken = [
        text.upper(),
        text.swapcase(),
        text.title(),
        text + " ",
        " " + text,
        unicodedata.normalize("NFD", text),
        text.translate(FULL_WIDTH),
        text.translate(LOOK_ALIKE),
        text + "\u200b",
        quote(text, safe=""),
        f'"{text}"',
        text[:at] + "_" + text[at + 1 :],  # what stands for any character, and for any number of them, in LIKE
        text[:at] + "%",
        "*",
    ]
    off = [text[:at] + worn + text[at + 1 :], text[:at] + worn + text[at:], text[:at] + text[at + 1 :], text[:at]]
    off += [text + worn, worn + text, text + text]
    return chance.choice([other for other in chance.choice((mistaken, off)) if other != text])


def not_text(chance: Random, text: str) -> object:
    """Return a JSON value that is no text, with the text within it perhaps."""
    return chance.choice([None, True, False, 0, 1, -1.5, [], {}, [text], [[text]], {text: text}, [text, None]])


def no_moment(chance: Random, second: float) -> object:
    """Return a JSON value that is no moment of ours, made from one that is."""
    numbers = [-1, -second, second * 1_000_000, 10 ** chance.randrange(12, 400), float("nan"), float("inf")]
    others = [
        None,
        True,
        False,
        "",
        str(second),
        f"{second:.0f}",
        [second],
        {"seconds": second},
        "2027-01-15T08:00:00Z",
    ]
    return chance.choice([*numbers, *others])


def other_case(chance: Random, text: str) -> str:
    """Return the text with each letter in a case of chance."""
    return "".join(chance.choice((letter.lower(), letter.upper())) for letter in text)
