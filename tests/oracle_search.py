"""Oracle of search: the expected matches and their ranks, computed by plain loops over texts.

Slow and simple on purpose; it shares no code with the product.
"""

import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

from tests.oracle import KINDS, Line

Words = list[str]
Fields = tuple[Words, Words, Words]  # the name; tags and identifiers; all other text

NEAR, NEAR_NAME, ANYWHERE, LABELS, NAME_BEGUN, NAME, WHOLE_NAME = range(7)
PLACES = ("tag", "owner", "kind", "doi")
APART = ":"  # separator that no phrase spans
SYNONYMS = {"NO_CODE_APP": ["app"], "DATA_ASSET": ["data", "dataset"]}
CALLED = {kind: [kind.replace("_", "").lower(), *SYNONYMS.get(kind, ())] for kind in KINDS}
OTHERWISE = {"ø": "o", "đ": "d", "ħ": "h", "\u0131": "i", "ł": "l", "ŧ": "t", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
LONGEST_WORD, MOST_PARTS, MOST_WORDS, MOST_TIMES = 80, 6, 4_000, 200


# Words.


def strip_accents(text: str) -> str:
    """Return the text without accents."""
    return (
        text
        if text.isascii()
        else "".join(each for each in unicodedata.normalize("NFKD", text) if not _is_accent(each))
    )


def _is_accent(character: str) -> bool:
    return 0x300 <= ord(character) <= 0x36F


def runs_of(piece: str) -> Words:
    """Return the words of a text without spaces, with their case."""
    runs, run = [], ""
    for character in [*piece, " "]:
        if character.isalnum() or (run and unicodedata.category(character).startswith("M")):
            run += character
            continue
        runs += [run] if run else []
        run = ""
        runs += [character] if unicodedata.category(character) == "So" else []
    return runs


def fold(word: str) -> str:
    """Return the case-folded word."""
    if not word.isascii():
        word = unicodedata.normalize("NFC", "".join(OTHERWISE.get(each, each) for each in word.casefold()))
    return word.lower()[:LONGEST_WORD]


def parts_of(run: str) -> list[Words]:
    """Split a word at capitals and digits; return the parts of each possible split."""
    if run.isdigit() or (run.isalpha() and run[1:].islower()):
        return []
    ways: list[Words] = []
    for is_late in (False, True):
        parts = [run[0]]
        for place in range(1, len(run)):
            if _turns(run, place, is_late=is_late):
                parts.append("")
            parts[-1] += run[place]
        if 1 < len(parts) <= MOST_PARTS and parts not in ways:
            ways.append(parts)
    return [[fold(part) for part in parts] for parts in ways]


def _turns(run: str, place: int, *, is_late: bool) -> bool:
    """Return whether a part begins at the index."""
    before, here, after = run[place - 1], run[place], run[place + 1 : place + 2]
    if (_is_small(before) and _is_capital(here)) or (not before.isdecimal() and here.isdecimal()):
        return _is_word(before)
    if is_late:
        return place > 1 and _is_capital(run[place - 2]) and _is_capital(before) and _is_small(here)
    if before.isdecimal() and not here.isdecimal():
        return _is_word(here)
    return _is_capital(before) and _is_capital(here) and _is_small(after)


def _is_small(character: str) -> bool:
    return "a" <= character <= "z" if character else False


def _is_capital(character: str) -> bool:
    return "A" <= character <= "Z"


def _is_word(character: str) -> bool:
    return character.isalnum()


def chunks_of(text: str) -> list[Words]:
    """Return the words of each piece of text between spaces, with their case."""
    return [runs for piece in strip_accents(text).split() if (runs := runs_of(piece))]


def compound(text: str) -> str:
    """Return the words of a text, joined."""
    return "".join(fold(run) for runs in chunks_of(text) for run in runs)[:LONGEST_WORD]


def words_of(text: str) -> Words:
    """Return all searchable words of a text, in order."""
    chunks = chunks_of(text)
    found = [fold(run) for runs in chunks for run in runs]
    for runs in chunks:
        found += ["".join(map(fold, runs))[:LONGEST_WORD]] if len(runs) > 1 else []
        found += [part for run in runs for parts in parts_of(run) for part in parts]
    kept: Words = []
    for word in found[:MOST_WORDS]:
        kept += [word] if kept.count(word) < MOST_TIMES else []
    return kept


# Searchable fields.


def asset_fields(line: Line, owner: Line) -> Fields:
    """Return the searchable fields of an asset."""
    labels: Words = []
    for tag in line.get("tags", ()):
        labels += [*words_of(tag), APART]
    labels += [*words_of(line["id"]), APART]
    for tag in line.get("tags", ()):
        labels += [*(f":tag:{word}" for word in words_of(tag)), APART]
    if line.get("doi"):
        labels += [*words_of(line["doi"]), f":doi:{compound(line['doi'])}"]
    owned = words_of(owner["name"])
    told = [line["type"], *(line.get(name) for name in ("appKind", "dataKind", "language", "framework", "license"))]
    rest = [*owned, APART, *(f":owner:{word}" for word in owned), APART]
    rest += [*(f":kind:{name}" for name in CALLED[line["type"]]), APART]
    text = " ".join(each for each in (*told, line.get("description")) if each)
    return _named(line["name"]), labels, [*rest, *words_of(text)]


def heading_fields(line: Line) -> Fields:
    """Return the searchable fields of a collection or a topic."""
    return _named(line["name"]), words_of(line["slug"]), words_of(line.get("description") or "")


def principal_fields(line: Line) -> Fields:
    """Return the searchable fields of a user or a group."""
    return _named(line["name"]), [*words_of(line["id"]), APART, *words_of(line.get("email") or ""), APART], []


def _named(name: str) -> Words:
    name = unicodedata.normalize("NFC", name).strip()
    return [*words_of(name), f":name:{compound(name)}"]


# Queries.


def terms_of(typed: str) -> Iterator[tuple[str, str, bool, bool]]:
    """Yield `(field, text, is quoted, is last)` of each term."""
    text = typed.rstrip()
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        place = next((each for each in PLACES if _begins(text, at, f"{each}:")), "")
        at += len(place) + 1 if place else 0
        if text[at] == '"':
            end = text.find('"', at + 1)
            quoted = text[at + 1 : end if end >= 0 else len(text)]
            at = end + 1 if end >= 0 else len(text)
            yield place, quoted, True, False
            continue
        start = at
        while at < len(text) and not text[at].isspace() and text[at] != '"':
            at += 1
        yield place, text[start:at], False, at == len(text)


def _begins(text: str, at: int, with_: str) -> bool:
    rest = text[at + len(with_) :]
    return text[at:].lower().startswith(with_) and bool(rest) and not rest[0].isspace()


def match_rank(typed: str, fields: Fields) -> int | None:
    """Return the match rank of an object with those fields; None without a match."""
    tests: list[tuple[str, Callable[[int], bool]]] = []
    name = ""
    for place, text, is_quoted, is_last in terms_of(typed):
        chunks = chunks_of(text)
        together = [chunks] if chunks and (is_quoted or place in {"kind", "doi"}) else [[runs] for runs in chunks]
        for each in together:
            is_begun = is_last and each is together[-1]
            tests.append((place, _test(place, each, fields, is_quoted=is_quoted, is_begun=is_begun)))
        name += "" if place else "".join(fold(run) for runs in chunks for run in runs)

    def is_found(level: int) -> bool:
        plain = [test(level) for place, test in tests if not place]
        placed = [
            any(test(level) for at, test in tests if at == place)
            for place in PLACES
            if any(at == place for at, _ in tests)
        ]
        return all(plain) and all(placed)

    if not tests or not is_found(NEAR):
        return None
    if f":name:{name[:LONGEST_WORD]}" in fields[0]:
        return WHOLE_NAME
    return next(level for level in (NAME, NAME_BEGUN, LABELS, ANYWHERE, NEAR_NAME, NEAR) if is_found(level))


def relevance_key(level: int, name: str) -> tuple[int, int]:
    """Return a sort key, larger for more relevant: the match rank; then, for matches by name, a shorter name."""
    by_name = level in {NAME, NAME_BEGUN, NEAR_NAME}
    return level, -min(len(unicodedata.normalize("NFC", name).strip()) // 16, 9) if by_name else 0


def _test(place: str, chunks: list[Words], fields: Fields, *, is_quoted: bool, is_begun: bool) -> Callable[[int], bool]:
    """Return a predicate of match ranks: whether the term matches the fields at that rank."""
    folded = [fold(run) for runs in chunks for run in runs]
    whole = "".join(folded)[:LONGEST_WORD]
    ways = [folded]
    if place in {"kind", "doi"}:
        ways, is_begun = [[whole]], False
    elif not is_quoted:
        ways += [["".join(folded)[:LONGEST_WORD]]] + (parts_of(chunks[0][0]) if len(chunks[0]) == 1 else [])
    phrases = [[f":{place}:{word}" if place else word for word in way] for way in ways]
    is_spelt = not (is_quoted or place) and len(folded) == 1 and folded[0].isalpha()

    def is_found(level: int) -> bool:
        names = {LABELS: (0, 1), NAME_BEGUN: (0,), NAME: (0,), NEAR_NAME: (0,)}.get(level, (0, 1, 2))
        searched = [fields[index] for index in ((0, 1, 2) if place else names)]
        goes_on = is_begun and level != NAME
        if any(_has(field, phrase, goes_on=goes_on) for field in searched for phrase in phrases):
            return True
        return (
            level <= NEAR_NAME and is_spelt and any(_is_near(folded[0], word) for field in searched for word in field)
        )

    return is_found


def _has(field: Words, phrase: Words, *, goes_on: bool) -> bool:
    for start in range(len(field) - len(phrase) + 1):
        *first, last = field[start : start + len(phrase)]
        if first == phrase[:-1] and (last == phrase[-1] or (goes_on and last.startswith(phrase[-1]))):
            return True
    return False


def _is_near(asked: str, word: str) -> bool:
    """Return whether the words differ by one insertion, deletion, substitution or transposition."""
    if not word.isalpha() or min(len(asked), len(word)) < 4 or max(len(asked), len(word)) < 5 or asked == word:
        return False
    letters = sorted({*asked, *word})
    for place in range(len(asked) + 1):
        before, after = asked[:place], asked[place:]
        others = [after[1:], after[1:2] + after[:1] + after[2:]]
        others += [letter + rest for letter in letters for rest in (after, after[1:])]
        if any(before + other == word for other in others):
            return True
    return False


def match_ranks(typed: str | None, things: dict[str, Fields]) -> dict[str, int] | None:
    """Return the match rank of each matching object, by its name; None without a query."""
    if typed is None or not typed.strip():
        return None
    told: dict[str, Any] = {name: match_rank(typed, fields) for name, fields in things.items()}
    return {name: level for name, level in told.items() if level is not None}
