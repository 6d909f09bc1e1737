"""Text rules: normalisation, length limits, forbidden characters, case folding of names, permitted URL schemes."""

import unicodedata

MAX_NAME_LENGTH = 200
MAX_TEXT_LENGTH = 20_000
MAX_SLUG_LENGTH = 100
MAX_NOTE_LENGTH = 1_000
MAX_EMAIL_LENGTH = 1_000
URL_SCHEMES = ("https://", "http://", "s3://", "gs://")
URL_SCHEME_LIST = f"{', '.join(URL_SCHEMES[:-1])} or {URL_SCHEMES[-1]}"
NAME_KEY_PLACEHOLDER = "\x7f"  # a control character, so that no name contains it


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


def fold_name(text: str) -> str:
    """Return the key for comparing and sorting names: case-folded, in NFC."""
    return unicodedata.normalize("NFC", text.casefold())
