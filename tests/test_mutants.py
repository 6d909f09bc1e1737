"""Mutation testing: the mutants of a source file, and a few mutants of `permissions/` that tests must kill."""

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from proofs.mutants import score as mutants
from proofs.mutants.fork_server import EXIT_UNUSED
from proofs.mutants.mutator import make_mutants
from proofs.proof import BrokenPromiseError

ENUMS = {"Access": ["LOW", "HIGH", "OWN"]}


@pytest.mark.parametrize(
    ("expression", "mutated"),
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
def test_an_expression_has_these_mutants(expression: str, mutated: list[str]) -> None:
    made = make_mutants("file.py", f"x = {expression}\n", ENUMS)
    assert sorted(mutant.replacement for mutant in made) == sorted(f"x = {line}" for line in mutated)


SOURCE = '''"""A module."""

import this

NAME: int = given


@first
@second(a, b)
class Thing(Base):
    """A class."""

    kind: str
    SIZE = width

    def set(self, value: str) -> None:
        """Set."""
        self.value = value
        local = value
        if value:
            raise Wrong
        assert local
        notify()
        return self

    def repeat(self) -> None:
        notify()
        notify()
        return None
'''


def test_a_statement_has_these_mutants_named_by_their_lines() -> None:
    assert [str(mutant) for mutant in make_mutants("file.py", SOURCE, {})] == [
        "file.py Thing: @first  ->  ",
        "file.py Thing: @second(a, b)  ->  ",
        "file.py Thing: kind: str  ->  pass",
        "file.py Thing: SIZE = width  ->  pass",
        "file.py Thing.set: self.value = value  ->  pass",
        "file.py Thing.set: if value:  ->  if False:",
        "file.py Thing.set: if value:  ->  if True:",
        "file.py Thing.set: raise Wrong  ->  pass",
        "file.py Thing.set: assert local  ->  assert False",
        "file.py Thing.set: assert local  ->  assert True",
        "file.py Thing.set: notify()  ->  pass",
        "file.py Thing.set: return self  ->  return None",
        "file.py Thing.repeat: notify()  ->  pass",
        "file.py Thing.repeat (2): notify()  ->  pass",
    ]


def test_a_mutant_is_the_whole_file_with_one_fault() -> None:
    source = "# \u00e9\n\n\ndef f(a):\n    return {'\u00e9': a}, true()\n"
    (mutant,) = [mutant for mutant in make_mutants("file.py", source, {}) if "false" in mutant.replacement]
    assert mutant.source == source.replace("true", "false")


# Class or function, and the mutated line.
CHOSEN = {
    ("_uses", "asset_exists(sql.asset, viewer),"),
    ("Viewer.is_signed_in", "return self.user_pk is None or self.is_operator"),
    ("has_asset_permission", "return asset.viewer_access > ACCESS_BY_PERMISSION[permission]"),
    ("permission.apply", "pass"),
}

# Functions that were added or changed since the last whole score in docs/proofs.md, and code outside functions. The
# tests of a score may not kill all of their mutants: none of these is drawn until a whole score is made.
UNSCORED = re.compile(
    r"operator_viewer|audience_viewer|viewer_by_\w+|_read_viewer|_select_viewer|_fetch_\w+|Viewer\.\w+|_api_tokens"
    r"|_imported_lines|_group_members|is_group_member|_is_held_on|_is_about_\w+|_changes|change_exists|_subject_access"
    r"|_principals|_grants|_former_places|permission\.\w+|^$|^access$|^has_access$"
    r"|_touches_visible_assets|Permission|HasPk"
)


async def test_some_mutants_of_permissions_are_killed() -> None:
    seed = random.randrange(2**32)
    print(f"Mutants chosen by the seed {seed}.")  # noqa: T201 - needed to repeat a failure
    every = mutants.list_mutants()
    equivalent = mutants.load_equivalents(every)
    chosen = [mutant for mutant in every if (mutant.where, mutant.replacement) in CHOSEN]
    assert {(mutant.where, mutant.replacement) for mutant in chosen} == CHOSEN
    scored = [mutant for mutant in every if not UNSCORED.search(mutant.where)]
    others = [mutant for mutant in scored if mutant not in chosen and str(mutant) not in equivalent]
    chosen += random.Random(seed).sample(others, 2)
    progress: list[tuple[int, int]] = []
    numbers = [every.index(mutant) for mutant in chosen]
    score = await mutants.score_mutants(lambda *counts: progress.append(counts), numbers)
    assert (set(score.killed), score.equivalent, score.survived) == (set(chosen), [], [])
    assert progress[-1] == (len(chosen), len(chosen))


def stub_exit_codes(monkeypatch: pytest.MonkeyPatch, unchanged: int, mutated: int) -> None:
    """Stub the test runs: they exit with `unchanged` for unmodified sources and with `mutated` for a mutant."""

    async def run_queue(
        _tree: Path, waiting: mutants.Waiting, codes: mutants.ExitCodes, _done: Callable[[], None]
    ) -> None:
        while waiting:
            mutant, _ = waiting.popleft()
            codes[mutant] = mutated if mutant.where else unchanged

    monkeypatch.setattr(mutants, "_run_queue", run_queue)


async def test_a_mutant_that_no_test_kills_survives_unless_it_is_listed_as_equivalent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stub_exit_codes(monkeypatch, 0, 0)
    every = mutants.list_mutants()
    equivalent = mutants.load_equivalents(every)
    chosen = [mutant for mutant in every if mutant.where == "asset_exists"]
    score = await mutants.score_mutants(lambda *_: None, [every.index(mutant) for mutant in chosen])
    assert score.killed == []
    assert score.equivalent == [mutant for mutant in chosen if str(mutant) in equivalent] != []
    assert score.survived == [mutant for mutant in chosen if str(mutant) not in equivalent] != []


@pytest.mark.parametrize(
    ("unchanged", "mutated", "message"),
    [
        (1, 1, "The tests fail without a mutant."),
        (0, 1, "Listed as equivalent in equivalent.toml, but killed by a test:"),
        (0, EXIT_UNUSED, "The tests gave no verdict on these mutants:"),
        (0, -9, "The tests gave no verdict on these mutants:"),
    ],
)
async def test_a_score_without_verdicts_is_an_error(
    monkeypatch: pytest.MonkeyPatch, unchanged: int, mutated: int, message: str
) -> None:
    stub_exit_codes(monkeypatch, unchanged, mutated)
    every = mutants.list_mutants()
    equivalent = mutants.load_equivalents(every)
    number = next(number for number, mutant in enumerate(every) if mutant.where and str(mutant) in equivalent)
    with pytest.raises(BrokenPromiseError, match=re.escape(message)):
        await mutants.score_mutants(lambda *_: None, [number])


@pytest.mark.parametrize("pattern", mutants.TESTS_BY_FUNCTION)
def test_each_pattern_of_functions_selects_existing_tests(pattern: str) -> None:
    matching = [mutant for mutant in mutants.list_mutants() if re.fullmatch(pattern, mutant.where)]
    assert matching
    for mutant in matching:
        tests = mutants.select_tests(mutant)
        assert set(mutants.TESTS_BY_FUNCTION[pattern]) <= set(tests)
        assert all((mutants.ROOT / test).is_file() for test in tests)


def test_every_mutant_is_unique_and_compiles() -> None:
    every = mutants.list_mutants()
    assert len(every) == len(set(every)) == len({mutant.source for mutant in every}) > 500
    for mutant in every:
        compile(mutant.source, mutant.file, "exec")


def test_the_list_of_equivalent_mutants_names_existing_ones_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    every = mutants.list_mutants()
    assert mutants.load_equivalents(every)
    listed = tmp_path / "equivalent.toml"
    listed.write_text(
        '[[equivalent]]\nreason = "It no longer exists."\nmutants = ["permissions/visible.py f: a  ->  b"]\n'
    )
    monkeypatch.setattr(mutants, "EQUIVALENT", listed)
    with pytest.raises(BrokenPromiseError, match="there are no such mutants:\n  permissions"):
        mutants.load_equivalents(every)
