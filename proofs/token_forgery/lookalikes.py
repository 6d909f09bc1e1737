"""Values that resemble valid ones: similar strings, and JSON values of another type."""

import unicodedata
from random import Random
from urllib.parse import quote

TYPO_CHARACTERS = "abcXYZ019-_.~ /\\\"'%&=+,;:@\t\n\0\x7f\x85\xa0é安"
LOOK_ALIKE = str.maketrans("aeopcxynrs", "аеорсхупгѕ")
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def similar_text(random: Random, text: str) -> str:
    """Return a different string that a careless comparison takes for the given one, or that has a typo."""
    at, typo = random.randrange(len(text)), random.choice(TYPO_CHARACTERS)
    confusable = [
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
        text[:at] + "_" + text[at + 1 :],  # wildcards of LIKE
        text[:at] + "%",
        "*",
    ]
    one_off = [text[:at] + typo + text[at + 1 :], text[:at] + typo + text[at:], text[:at] + text[at + 1 :], text[:at]]
    one_off += [text + typo, typo + text, text + text]
    return random.choice([other for other in random.choice((confusable, one_off)) if other != text])


def non_string(random: Random, text: str) -> object:
    """Return a JSON value that is not a string, possibly containing the string."""
    return random.choice([None, True, False, 0, 1, -1.5, [], {}, [text], [[text]], {text: text}, [text, None]])


def invalid_timestamp(random: Random, second: float) -> object:
    """Return a JSON value that is no valid timestamp, derived from a valid one."""
    numbers = [-1, -second, second * 1_000_000, 10 ** random.randrange(12, 400), float("nan"), float("inf")]
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
    return random.choice([*numbers, *others])


def random_case(random: Random, text: str) -> str:
    """Return the string with each letter in random case."""
    return "".join(random.choice((letter.lower(), letter.upper())) for letter in text)
