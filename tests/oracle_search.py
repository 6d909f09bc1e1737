"""Oracle of search: the expected matches and their ranks, computed by plain loops over texts.

Slow and simple on purpose; it shares no code with the product.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.oracle import KINDS, Line, strip_accents
from tests.oracle import fold as fold_text

Words = list[str]
Fields = tuple[Words, Words, Words]  # the name; tags and identifiers; all other text

NEAR, NEAR_NAME, ANYWHERE, LABELS, NAME_BEGUN, EXACT, NAME, WHOLE_NAME = range(8)
PLACES = ("tag", "owner", "kind", "doi")
OPERATORS = ("AND", "OR", "NOT")
APART = ":"  # separator that no phrase spans
SYNONYMS = {"NO_CODE_APP": ["app"], "DATA_ASSET": ["data", "dataset"]}
CALLED = {kind: [kind.replace("_", "").lower(), *SYNONYMS.get(kind, ())] for kind in KINDS}
LONGEST_WORD, MOST_PARTS, MOST_WORDS, MOST_TIMES, MOST_ASKED, SHORT = 80, 6, 10_000, 200, 30, 2


# Words.

PAIRED = ("CJK UNIFIED IDEOGRAPH", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER")
"""Beginnings of the names of characters that are searched by pairs."""


def is_paired(character: str) -> bool:
    """Return whether the character is one of a script without spaces between words."""
    return unicodedata.name(character, "").startswith(PAIRED)


def runs_of(piece: str) -> Words:
    """Return the words of a text without spaces, with their case."""
    runs, run = [], ""
    for character in [*piece, " "]:
        is_mark = unicodedata.category(character).startswith("M")
        is_letter = character.isalnum() and not is_mark
        if run and (is_mark or (is_letter and is_paired(character) == is_paired(run[0]))):
            run += character
            continue
        runs += [run] if run else []
        run = character if is_letter else ""
        runs += [character] if unicodedata.category(character) == "So" else []
    return runs


def fold(word: str) -> str:
    """Return the folded word."""
    return fold_text(word)[:LONGEST_WORD]


def pairs_of(run: str) -> Words:
    """Return the words of a run: itself, or its pairs of characters."""
    if not is_paired(run[0]) or len(run) == 1:
        return [run]
    return [run[at : at + 2] for at in range(len(run) - 1)]


def whole_of(piece: str) -> str:
    """Return the runs of a piece, joined; points between two digits remain."""
    whole, end = "", 0
    for run in runs_of(piece):
        start = piece.index(run, end)
        is_point = piece[end:start] == "." and piece[end - 1 : end].isdecimal() and run[0].isdecimal()
        whole += ("." if whole and is_point else "") + run
        end = start + len(run)
    return fold(whole)


def signed_of(piece: str) -> Words:
    """Return the words of a piece that end with a sign, such as C++, with the sign."""
    found, at = [], 0
    while at < len(piece):
        end = at
        while end < len(piece) and piece[end].isalnum():
            end += 1
        sign = next((each for each in ("++", "+", "#") if end > at and piece.startswith(each, end)), "")
        after = piece[end + len(sign) : end + len(sign) + 1]
        if sign and not (after.isalnum() or (after and after in "_+#")):
            found.append(fold(piece[at:end] + sign))
        at = max(end, at + 1)
    return found


def versions_of(piece: str) -> list[Words]:
    """Return the numbers of each version in a piece that follows a letter: 1 and 2 of v1.2."""
    found = []
    for at in range(1, len(piece)):
        if not (piece[at].isdecimal() and piece[at - 1].isalpha()):
            continue
        end = at
        while end < len(piece) and (
            piece[end].isdecimal()
            or (piece[end] == "." and piece[end - 1].isdecimal() and piece[end + 1 : end + 2].isdecimal())
        ):
            end += 1
        found += [piece[at:end].split(".")] if "." in piece[at:end] else []
    return found


def parts_of(run: str) -> list[Words]:
    """Split a word at capitals and digits; return the parts of each possible split."""
    if run.isdigit() or (run.isalpha() and run[1:].islower()) or is_paired(run[0]):
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


def pieces_of(text: str) -> Words:
    """Return the pieces of text between spaces that have words."""
    return [piece for piece in strip_accents(text).split() if runs_of(piece)]


def exact(piece: str) -> str:
    """Return the text of a piece, for comparing whole names."""
    signed = signed_of(piece)
    return signed[0] if signed and len(runs_of(piece)) == 1 else whole_of(piece)


def compound(text: str) -> str:
    """Return the words of a text, joined."""
    return "".join(map(exact, pieces_of(text)))[:LONGEST_WORD]


def plain_words_of(piece: str) -> Words:
    """Return the words of a piece in order."""
    return [word for run in runs_of(piece) for word in pairs_of(fold(run))]


def words_of(text: str) -> Words:
    """Return all searchable words of a text, in order."""
    pieces = pieces_of(text)
    found = [word for piece in pieces for word in plain_words_of(piece)]
    for piece in pieces:
        runs = runs_of(piece)
        found += [whole_of(piece)] if len(runs) > 1 else []
        found += signed_of(piece)
        found += [part for run in runs for parts in parts_of(run) for part in parts]
        found += [number for version in versions_of(piece) for number in version] if len(runs) > 1 else []
        found += [fold(run)[-1] for run in runs if is_paired(run[0]) and len(fold(run)) > 1]
    kept: Words = []
    for word in found[:MOST_WORDS]:
        kept += [word] if kept.count(word) < MOST_TIMES else []
    return kept


ELEMENT = re.compile(r"</?(p|br|div|ul|li|span|b|i|sub|sup|a)(\s[^<>]*)?/?>", re.IGNORECASE)
JOINING = {"span", "b", "i", "sub", "sup", "a"}


def without_markup(text: str) -> str:
    """Return the text without the elements of HTML that the worlds of tests contain, and without entities."""
    if "<" in text:
        text = ELEMENT.sub(lambda tag: "" if tag[1].lower() in JOINING else " ", text)
    for entity, character in (("&nbsp;", "\xa0"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text


# Searchable fields.


def asset_fields(line: Line, owner: Line) -> Fields:
    """Return the searchable fields of an asset."""
    labels = [*words_of(line["id"]), APART]
    if line.get("doi"):
        labels += [*words_of(line["doi"]), f":doi:{compound(line['doi'])}", APART]
    for tag in line.get("tags", ()):
        labels += [*(f":tag:{word}" for word in words_of(tag)), APART]
    for tag in line.get("tags", ()):
        labels += [*words_of(tag), APART]
    owned = words_of(owner["name"])
    rest = [*owned, APART, *(f":owner:{word}" for word in owned), APART]
    rest += [*(f":kind:{name}" for name in CALLED[line["type"]]), APART]
    texts = [line["type"], *(line.get(name) for name in ("appKind", "dataKind", "version", "language", "framework"))]
    texts += [line.get("license"), without_markup(line.get("description") or "")]
    return _named(line["name"]), labels, [*rest, *words_of(" ".join(filter(None, texts)))]


def heading_fields(line: Line) -> Fields:
    """Return the searchable fields of a collection or a topic."""
    return _named(line["name"]), words_of(line["slug"]), words_of(without_markup(line.get("description") or ""))


def principal_fields(line: Line) -> Fields:
    """Return the searchable fields of a user or a group."""
    return _named(line["name"]), [*words_of(line["id"]), APART, *words_of(line.get("email") or ""), APART], []


def _named(name: str) -> Words:
    name = unicodedata.normalize("NFC", name).strip()
    return [*words_of(name), f":name:{compound(name)}"]


# Queries.


@dataclass(frozen=True)
class Asked:
    """A term of a query."""

    place: str  # the field to search; empty for all
    text: str
    is_quoted: bool = False
    is_last: bool = False
    is_excluded: bool = False
    may_be_operator: bool = False


def terms_of(typed: str) -> Iterator[Asked]:
    """Yield the terms of a query, its operators included."""
    text = typed.rstrip()
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        follows_space = at == 0 or text[at - 1].isspace()
        after = text[at + 1 : at + 2]
        is_excluded = text[at] == "-" and follows_space and (after.isalnum() or after == '"') and after != ""
        at += is_excluded
        place = next((each for each in PLACES if _begins(text, at, f"{each}:")), "")
        at += len(place) + 1 if place else 0
        if text[at] == '"':
            end = text.find('"', at + 1)
            quoted = text[at + 1 : end if end >= 0 else len(text)]
            at = end + 1 if end >= 0 else len(text)
            yield Asked(place, quoted, is_quoted=True, is_excluded=is_excluded)
            continue
        start = at
        while at < len(text) and not text[at].isspace() and text[at] != '"':
            at += 1
        yield Asked(
            place,
            text[start:at],
            is_last=at == len(text),
            is_excluded=is_excluded,
            may_be_operator=not (place or is_excluded) and text[start:at] in OPERATORS,
        )


def _begins(text: str, at: int, with_: str) -> bool:
    rest = text[at + len(with_) :]
    return text[at:].lower().startswith(with_) and bool(rest) and not rest[0].isspace()


def groups_of(asked: list[Asked]) -> tuple[list[list[Asked]], list[Asked]]:
    """Return the groups of alternatives, and the excluded terms; each term is of one piece, or is quoted."""
    groups: list[list[Asked]] = []
    excluded: list[Asked] = []
    joins, excludes, left = False, False, MOST_ASKED
    for each in asked:
        if each.may_be_operator:
            joins |= each.text == "OR" and bool(groups)
            excludes |= each.text == "NOT"
            continue
        for term in _pieces_of_term(each):
            size = (
                1
                if term.place in {"kind", "doi"}
                else sum(len(plain_words_of(piece)) for piece in pieces_of(term.text))
            )
            if left <= 0:
                break
            # What is beyond the limit is left aside; the rest is a phrase.
            kept = term if size <= left else replace(term, text=_first_words(term.text, left), is_quoted=True)
            left -= size
            if each.is_excluded or excludes:
                excluded.append(replace(kept, is_last=False))
            elif joins:
                groups[-1].append(kept)
            else:
                groups.append([kept])
            joins = False
        excludes = False
    alone = [group[0] for group in groups if len(group) == 1 and group[0].place]
    others = [group for group in groups if not (len(group) == 1 and group[0].place)]
    return others + [
        [term for term in alone if term.place == place] for place in {term.place for term in alone}
    ], excluded


def _pieces_of_term(term: Asked) -> list[Asked]:
    pieces = pieces_of(term.text)
    if not pieces or term.is_quoted or term.place in {"kind", "doi"}:
        return [term] if pieces else []
    return [replace(term, text=piece, is_last=term.is_last and piece is pieces[-1]) for piece in pieces]


def _first_words(text: str, count: int) -> str:
    return " ".join([run for piece in pieces_of(text) for run in runs_of(piece)][:count])


def match_rank(typed: str, fields: Fields) -> int | None:
    """Return the match rank of an object with those fields; None without a match."""
    asked = list(terms_of(typed))
    if all(term.may_be_operator for term in asked):
        asked = [replace(term, may_be_operator=False) for term in asked]
    groups, excluded = groups_of(asked)
    if not (groups or excluded) or any(_test(term, fields)(ANYWHERE) for term in excluded):
        return None
    if not groups:
        return ANYWHERE
    tests = [[_test(term, fields) for term in group] for group in groups]

    def is_found(level: int) -> bool:
        return all(any(test(level) for test in group) for group in tests)

    if not is_found(NEAR):
        return None
    name = "".join(compound(term.text) for term in asked if not term.place)
    if f":name:{name[:LONGEST_WORD]}" in fields[0]:
        return WHOLE_NAME
    has_exact = any(_has_exact_words(term) for group in groups for term in group)
    levels: tuple[int, ...] = (NAME, *((EXACT,) if has_exact else ()), NAME_BEGUN, LABELS, ANYWHERE, NEAR_NAME, NEAR)
    return next(level for level in levels if is_found(level))


def _has_exact_words(term: Asked) -> bool:
    """Return whether the exact matches of a word precede all others: a short one, or one with a sign."""
    if term.is_quoted or term.place in {"kind", "doi"}:
        return False
    words = plain_words_of(term.text)
    if len(runs_of(term.text)) == 1 and signed_of(term.text):
        return True
    return term.is_last and not term.place and len(words) == 1 and len(words[0]) <= SHORT and not is_paired(words[0][0])


def relevance_key(level: int, name: str) -> tuple[int, int]:
    """Return a sort key, larger for more relevant: the match rank; then, for matches by name, a shorter name."""
    by_name = level in {NAME, NAME_BEGUN, NEAR_NAME}
    return level, -min(len(unicodedata.normalize("NFC", name).strip()) // 16, 9) if by_name else 0


def _test(term: Asked, fields: Fields) -> Callable[[int], bool]:
    """Return a predicate of match ranks: whether the term matches the fields at that rank."""
    place, pieces = term.place, pieces_of(term.text)
    words = [word for piece in pieces for word in plain_words_of(piece)]
    runs = [run for piece in pieces for run in runs_of(piece)]
    ways, is_begun = [words], term.is_last
    signed: Words = []
    if place in {"kind", "doi"}:
        ways, is_begun = [[compound(term.text)]], False
    elif not term.is_quoted:
        ways += [[whole_of(pieces[0])]] if len(runs) > 1 else []
        ways += parts_of(runs[0]) if len(words) == 1 else []
        signed = signed_of(pieces[0]) if len(runs) == 1 else []
    is_begun = (is_begun and not signed) or (len(ways[0][-1]) == 1 and is_paired(ways[0][-1]))
    is_spelt = not (term.is_quoted or place or signed) and len(words) == 1 and words[0].isalpha()

    def is_found(level: int) -> bool:
        names = {LABELS: (0, 1), NAME_BEGUN: (0,), NAME: (0,), NEAR_NAME: (0,)}.get(level, (0, 1, 2))
        searched = [fields[index] for index in ((0, 1, 2) if place else names)]
        is_whole = level in {NAME, EXACT}
        phrases = [signed] if signed and is_whole else ways
        if place:
            phrases = [[f":{place}:{word}" for word in phrase] for phrase in phrases]
        goes_on = is_begun and not is_whole
        if any(_has(field, phrase, goes_on=goes_on) for field in searched for phrase in phrases):
            return True
        return level <= NEAR_NAME and is_spelt and any(_is_near(words[0], word) for field in searched for word in field)

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
