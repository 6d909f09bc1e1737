"""Text rules: normalisation, length limits, forbidden characters, and keys for comparing names."""

import unicodedata

import regex

MAX_NAME_LENGTH = 200
MAX_ASSET_NAME_LENGTH = 1_000
MAX_PRINCIPAL_ID_LENGTH = 255  # as OpenID Connect limits `sub`
MAX_TEXT_LENGTH = 20_000
MAX_SLUG_LENGTH = 100
MAX_NOTE_LENGTH = 1_000
MAX_EMAIL_LENGTH = 1_000
MAX_NAME_KEY_LENGTH = 600  # an index entry of PostgreSQL has at most 2,704 bytes
ELLIPSIS = "…"
NAME_KEY_PLACEHOLDER = "\x7f"  # a control character, so that no name contains it

# Scripts whose letters take other forms next to U+200C and U+200D.
_JOINING = "".join(
    rf"\p{{{script}}}"
    for script in (
        *("Arabic", "Syriac", "Mandaic", "Mongolian", "Nko", "Phags_Pa", "Devanagari", "Bengali", "Gurmukhi"),
        *("Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala", "Khmer", "Myanmar", "Tibetan"),
    )
)
_IGNORABLE = regex.compile(r"\p{Default_Ignorable_Code_Point}")
_INVISIBLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\u2800]")  # U+2800 is a blank of Braille
_VISIBLE_SEQUENCE = regex.compile(
    "|".join(
        (
            rf"(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}])",
            r"(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f])\u200d(?=\p{Extended_Pictographic})",
            r"(?<=\p{Extended_Pictographic})[\ufe0e\ufe0f]",
            r"(?<=[0-9#*])\ufe0f(?=\u20e3)",
            r"(?<=\U0001f3f4)[\U000e0020-\U000e007e]+\U000e007f",  # flags of regions
            r"(?<=\p{Han})[\ufe00-\ufe02\U000e0100-\U000e01ef]",
            r"(?<=\p{Mongolian})[\u180b-\u180d\u180f]",
        )
    )
)
"""Invisible characters where they change how their neighbours look."""


class TextTooLongError(ValueError):
    """A text is too long; the message is a predicate, to follow the name of the field."""

    def __init__(self, length: int, max_length: int) -> None:
        """Create the error; both lengths are in characters."""
        super().__init__(f"is {length:,} characters long; at most {max_length:,} are allowed")
        self.max_length = max_length


def clean_text(text: str, max_length: int = MAX_NAME_LENGTH, *, multiline: bool = False) -> str:
    """Return the text trimmed and in NFC.

    Raises TextTooLongError. Raises ValueError, its message a predicate too, for control characters (except line breaks
    and tabs in a `multiline` text) and lone surrogates, because SQLite and PostgreSQL store them differently.
    """
    text = unicodedata.normalize("NFC", text).strip()
    if len(text) > max_length:
        raise TextTooLongError(len(text), max_length)
    for character in text:
        if unicodedata.category(character) in {"Cc", "Cs"} and not (multiline and character in "\n\r\t"):
            raise ValueError(f"contains the control character U+{ord(character):04X}")
    return text


def is_storable(text: str) -> bool:
    """Return whether both databases can store the text: it has neither U+0000 nor a lone surrogate."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def clean_name(text: str, max_length: int = MAX_NAME_LENGTH) -> str:
    """Return the name as `clean_text` does, each white space as one space.

    Raises ValueError also for invisible characters, because names that look alike would differ. Joiners and selectors
    of emoji and of scripts such as Arabic are allowed where they change how a name looks.
    """
    text = " ".join(clean_text(text, max_length).split())
    if not text.isascii() and (invisible := _INVISIBLE.search(_VISIBLE_SEQUENCE.sub("", text))):
        raise ValueError(f"contains the invisible character U+{ord(invisible[0]):04X}; remove it")
    return text


def fit_text(text: str, max_length: int = MAX_TEXT_LENGTH, *, multiline: bool = False) -> str:
    """Return the text without control characters, trimmed, and cut at the maximum length."""
    kept = "\n\r\t" if multiline else ""
    visible = "".join(
        each
        for each in unicodedata.normalize("NFC", text)
        if each in kept or unicodedata.category(each) not in {"Cc", "Cs"}
    )
    trimmed = visible.strip()
    return trimmed if len(trimmed) <= max_length else trimmed[: max_length - 1].rstrip() + ELLIPSIS


def fit_name(text: str, max_length: int = MAX_NAME_LENGTH) -> str:
    """Return the text as a name: on one line and, if an import would refuse it, without invisible characters."""
    name = fit_text(" ".join(text.split()), max_length)
    try:
        return clean_name(name, max_length)
    except ValueError:
        visible = "".join(each for each in name if is_visible(each))
        return " ".join(visible.split())


def is_visible(character: str) -> bool:
    """Return whether a name may contain the character anywhere."""
    try:
        clean_name(f"a{character}a")
    except ValueError:
        return False
    return True


def fold_name(text: str) -> str:
    """Return the key for comparing names: without case, white space, and forms of characters that look alike.

    This is Unicode's NFKC_Casefold, with one space for each white space, and truncated.
    """
    if text.isascii():
        folded = text.casefold()
    else:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        folded = unicodedata.normalize("NFKC", _IGNORABLE.sub("", folded))
    return " ".join(folded.split())[:MAX_NAME_KEY_LENGTH]
