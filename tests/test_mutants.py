"""This file is that a fault in `permissions/` fails a test: which faults a source can have, and some that are told."""

import random
import re
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from proofs.mutants import score as mutants
from proofs.mutants.fork_server import UNUSED
from proofs.mutants.mutator import Mutant
from proofs.mutants.mutator import mutants as mutants_of
from proofs.proof import BrokenPromiseError

ENUMS = {"Access": ["LOW", "HIGH", "OWN"]}


@pytest.mark.parametrize(
    ("line", "mutated"),
    [
        ("a == b", ["a != b"]),
        ("a is not b", ["a is b"]),
        ("a in b", ["a not in b"]),
        ("a >= b", ["a < b", "a == b", "a > b"]),
        ("a < b <= c", ["a <= b <= c", "a == b <= c", "a > b <= c", "a < b < c", "a < b == c", "a < b > c"]),
        ("a and b", ["b", "a", "a or b"]),
        ("a or b or c", ["b or c", "a or c", "a and b or c", "a or b", "a or b and c"]),
        ("not a", ["a"]),
        ("~a", ["a"]),
        ("a if b else c", ["a if False else c", "a if True else c"]),
        ("f(a)", ["a"]),
        ("f(*a)", []),
        ("f(a, b)", []),
        ("f(a=b)", ["f()"]),
        ("f(a, b=c)", ["f(a)"]),
        ("a.where(b, c)", ["a.where(c)", "a.where(b)"]),
        ("f(a, b).where(c)", ["f(a, b)"]),
        ("f(a, b).where(c).correlate(d)", ["f(a, b).correlate(d)", "f(a, b).where(c)"]),
        ("and_(a, b)", ["or_(a, b)", "and_(b)", "and_(a)"]),
        ("coalesce(a, b)", ["coalesce(b)", "coalesce(b, a)", "coalesce(a)"]),
        ("true()", ["false()"]),
        ("a.in_(b)", ["b", "a.not_in(b)"]),
        ("Access.LOW", ["Access.HIGH", "Access.OWN"]),
        ("Other.LOW", []),
        ("a.is_admin", ["a.is_signed_in"]),
        ("True", ["False"]),
        ("0", ["1"]),
        ("f(a, 'b')", ["f(a, 'b?')"]),
        ("{a: b, c: d}", ["{c: d}", "{a: d, c: b}", "{a: b}"]),
        ("{a: b, c: d,}", ["{c: d,}", "{a: d, c: b,}", "{a: b,}"]),
        ("[a, b]", ["[b]", "[a]"]),
        ("(a, b)", ["(a,)", "(b,)"]),
        ("(a,)", ["()"]),
    ],
)
def test_an_expression_has_these_faults(line: str, mutated: list[str]) -> None:
    made = mutants_of("file.py", f"x = {line}\n", ENUMS)
    assert sorted(mutant.becomes for mutant in made) == sorted(f"x = {each}" for each in mutated)


SOURCE = '''"""A module."""

import this

NAME: int = given


@first
@second(a, b)
class Thing(Base):
    """A class."""

    kind: str
    SIZE = width

    def told(self, how: str) -> None:
        """Tell."""
        self.how = how
        local = how
        if how:
            raise Wrong
        assert local
        tell()
        return self

    def again(self) -> None:
        tell()
        tell()
        return None
'''


def test_a_statement_has_these_faults_and_is_told_by_its_line() -> None:
    assert [str(mutant) for mutant in mutants_of("file.py", SOURCE, {})] == [
        "file.py Thing: @first  ->  ",
        "file.py Thing: @second(a, b)  ->  ",
        "file.py Thing: kind: str  ->  pass",
        "file.py Thing: SIZE = width  ->  pass",
        "file.py Thing.told: self.how = how  ->  pass",
        "file.py Thing.told: if how:  ->  if False:",
        "file.py Thing.told: if how:  ->  if True:",
        "file.py Thing.told: raise Wrong  ->  pass",
        "file.py Thing.told: assert local  ->  assert False",
        "file.py Thing.told: assert local  ->  assert True",
        "file.py Thing.told: tell()  ->  pass",
        "file.py Thing.told: return self  ->  return None",
        "file.py Thing.again: tell()  ->  pass",
        "file.py Thing.again (2): tell()  ->  pass",
    ]


def test_a_mutant_is_the_whole_file_with_one_fault() -> None:
    source = "# \u00e9\n\n\ndef f(a):\n    return {'\u00e9': a}, true()\n"
    (mutant,) = [each for each in mutants_of("file.py", source, {}) if "false" in each.becomes]
    assert mutant.source == source.replace("true", "false")


# In what, and what a line of it becomes.
CHOSEN = {
    ("_uses", "asset_exists(sql.asset, viewer),"),
    ("Viewer.is_signed_in", "return self.user_pk is None"),
    ("holds_on", "return held > ACCESS_OF[permission]"),
    ("permission.apply", "pass"),
}


async def test_some_faults_of_the_room_are_told() -> None:
    seed = random.randrange(2**32)
    print(f"Mutants chosen by the seed {seed}.")  # noqa: T201 - to see the same again
    every = mutants.every_mutant()
    listed = mutants.equivalent_lines(every)
    told = [mutant for mutant in every if (mutant.where, mutant.becomes) in CHOSEN]
    assert {(mutant.where, mutant.becomes) for mutant in told} == CHOSEN
    told += random.Random(seed).sample([each for each in every if each not in told and str(each) not in listed], 2)
    done: list[tuple[int, int]] = []
    found = await mutants.score(lambda *counts: done.append(counts), [every.index(mutant) for mutant in told])
    assert (set(found.killed), found.equivalent, found.survived) == (set(told), [], [])
    assert done[-1] == (len(told), len(told))


def ending(monkeypatch: pytest.MonkeyPatch, of_all: int, of_mutant: int) -> None:
    """Let the tests end with these codes: without any mutant, and with one."""

    async def work(_tree: Path, waiting: deque[Mutant], codes: mutants.Codes, _done: Callable[[], None]) -> None:
        while waiting:
            mutant = waiting.popleft()
            codes[mutant] = of_mutant if mutant.where else of_all

    monkeypatch.setattr(mutants, "_work", work)


async def test_what_no_test_tells_survives_unless_it_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    ending(monkeypatch, 0, 0)
    every = mutants.every_mutant()
    listed = mutants.equivalent_lines(every)
    chosen = [mutant for mutant in every if mutant.where == "_grants"]
    found = await mutants.score(lambda *_: None, [every.index(mutant) for mutant in chosen])
    assert found.killed == []
    assert found.equivalent == [mutant for mutant in chosen if str(mutant) in listed] != []
    assert found.survived == [mutant for mutant in chosen if str(mutant) not in listed] != []


@pytest.mark.parametrize(
    ("of_all", "of_mutant", "message"),
    [
        (1, 1, "The tests fail without any mutant."),
        (0, 1, "These are listed as equivalent, and yet a test tells them:"),
        (0, UNUSED, "The tests came to no verdict on these:"),
        (0, -9, "The tests came to no verdict on these:"),
    ],
)
async def test_a_score_that_tells_nothing_is_none(
    monkeypatch: pytest.MonkeyPatch, of_all: int, of_mutant: int, message: str
) -> None:
    ending(monkeypatch, of_all, of_mutant)
    every = mutants.every_mutant()
    listed = mutants.equivalent_lines(every)
    number = next(number for number, mutant in enumerate(every) if mutant.where and str(mutant) in listed)
    with pytest.raises(BrokenPromiseError, match=re.escape(message)):
        await mutants.score(lambda *_: None, [number])


def test_every_mutant_is_one_of_its_own_that_compiles() -> None:
    every = mutants.every_mutant()
    assert len(every) == len(set(every)) == len({mutant.source for mutant in every}) > 500
    for mutant in every:
        compile(mutant.source, mutant.file, "exec")


def test_the_list_of_equivalents_names_only_mutants_that_there_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    every = mutants.every_mutant()
    assert mutants.equivalent_lines(every)
    listed = tmp_path / "equivalent.toml"
    listed.write_text('[[equivalent]]\nreason = "It is gone."\nmutants = ["permissions/visible.py f: a  ->  b"]\n')
    monkeypatch.setattr(mutants, "EQUIVALENT", listed)
    with pytest.raises(BrokenPromiseError, match="there are no such mutants:\n  permissions"):
        mutants.equivalent_lines(every)
