"""This file is how text comes in: trimmed, NFC, bounded, without control characters; and how names are compared."""

import unicodedata

MAX_NAME_LENGTH = 200
MAX_TEXT_LENGTH = 20_000
MAX_SLUG_LENGTH = 100
MAX_NOTE_LENGTH = 1_000
NAME_KEY_PLACEHOLDER = "\x7f"  # no name can hold it


class TextTooLongError(ValueError):
    """A text is longer than allowed; the message is the end of a sentence about it."""

    def __init__(self, found: int, longest: int) -> None:
        """Take the number of characters found and allowed."""
        super().__init__(f"is {found:,} characters long; at most {longest:,} are allowed")
        self.max_length = longest


def clean_text(text: str, longest: int = MAX_NAME_LENGTH, *, lines: bool = False) -> str:
    """Return the text trimmed and in NFC.

    Raises TextTooLongError, and ValueError with the end of a sentence for a text with control characters (line breaks
    and tabs aside where `lines` are allowed) or half a surrogate pair: databases differ in what they make of those.
    """
    text = unicodedata.normalize("NFC", text).strip()
    if len(text) > longest:
        raise TextTooLongError(len(text), longest)
    for character in text:
        if unicodedata.category(character) in {"Cc", "Cs"} and not (lines and character in "\n\r\t"):
            raise ValueError(f"holds the control character U+{ord(character):04X}")
    return text


def fold_name(text: str) -> str:
    """Return what names are compared and sorted by: equal whatever the case."""
    return unicodedata.normalize("NFC", text.casefold())
