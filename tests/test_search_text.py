"""Search in texts of many scripts, versions, markup, long texts and words with signs."""

from collections.abc import Sequence

import pytest

from store.search.document import MAX_LABEL_TOKENS
from store.search.markup import strip_markup
from store.search.tokens import MAX_TOKENS, join_text, tokenize
from tests.conftest import GraphQLClient
from tests.test_search import search, update_assets


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("データ解析2", "デー ータ タ解 解析 2 データ解析2 析"),
        ("基因组", "基因 因组 组"),
        ("分", "分"),
        ("데이터 분석", "데이 이터 분석 터 석"),
        ("ข้อมูล", "ข้ ้อ อม มู ูล ล"),
        ("ຂໍ້ມູນ", "ຂໍ ໍ້ ້ມ ມູ ູນ ນ"),
        ("ទិន្នន័យ", "ទិ ិន ន្ ្ន នន ន័ ័យ យ"),
        ("كِتابُ عـــلم ٱلله", "كتاب علم الله"),
        ("\u0623\u0625\u0622 مكتبة على", "\u0627\u0627\u0627 مكتبه علي"),
        ("שָׁלוֹם", "שלום"),
        ("ガ", "ガ"),
        ("soft\u00adware", "software"),
        ("v3.14.0", "v3 14 0 v3.14.0 v 3 3 14 0"),
        ("1.1 11 1,1", "1 1 11 1 1 1.1 11"),
        ("C++ C# F#. c+d", "c c f c d c++ c# f# cd"),
        ("C/C++", "c c cc c++"),
    ],
)
def test_tokens_of_scripts_versions_and_signs(text: str, tokens: str) -> None:
    assert tokenize(text) == tokens.split()


def test_digits_are_not_joined_across_a_point() -> None:
    assert [join_text(text) for text in ("1.1", "v1.1", "a.1", "1 1")] == ["1.1", "v1.1", "a1", "11"]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<p class="x">One</p><P>two</P>', " One  two "),
        ("H<sub>2</sub>O <br/>x", "H2O  x"),
        ("a&nbsp;&amp;&lt;b&gt;", "a\xa0&<b>"),
        ("x <!-- span --> y --> z", "x   y   z"),
        ("List<Read> p<0.05 and a > b & c", "List<Read> p<0.05 and a > b & c"),
    ],
)
def test_markup_is_not_text(html: str, text: str) -> None:
    assert strip_markup(html) == text


@pytest.mark.parametrize("piece", ["<a ", "<!--", "-->", '<a x="', "&", "<"])
def test_stripping_markup_takes_linear_time(piece: str) -> None:
    strip_markup(piece * 500_000)  # quadratic time would exceed the timeout of the test


FOUND: Sequence[tuple[dict[str, object], Sequence[str]]] = (
    ({"name": "データ解析パイプライン"}, ("解析", "パイプライン", "データ解析", "析", '"解析"', "パイプ")),
    ({"name": "基因组组装流程"}, ("组装", "基因组", "流")),
    ({"name": "การวิเคราะห์ข้อมูล"}, ("ข้อมูล", "วิเคราะห์")),
    ({"name": "ຂໍ້ມູນ"}, ("ມູນ",)),
    ({"name": "ទិន្នន័យ"}, ("ន័យ",)),
    ({"name": "كِتابُ البيانات"}, ("كتاب", "البيانات", "كِتاب")),
    ({"name": "أطلس الخلايا"}, ("اطلس", "أطلس")),
    ({"name": "שָׁלוֹם"}, ("שלום", "שָׁלוֹם")),
    ({"name": "nf-core rnaseq v3.14.0"}, ("3.14.0", "rnaseq 3.14.0", "v3.14.0", "3.14", "v3.14", "14.0")),
    ({"name": "x", "version": "7.8.9"}, ("7.8.9", "7.8", "x 7.8.9")),
    ({"name": "x", "tags": [f"tag{number}" for number in range(3_000)]}, ("tag:tag5", "tag:tag900", "align")),
    ({"name": "x", "doi": "10.1/abc", "tags": ["t"] * 3_000}, ("doi:10.1/abc", "10.1/abc")),
    ({"name": "x", "description": f"{'one two ' * 3_300}finally"}, ("finally", '"two finally"')),
    ({"name": "x", "description": "<p><span>Wo</span>rd&nbsp;R&amp;D</p>"}, ("word", "word d")),
)
NOT_FOUND: Sequence[tuple[dict[str, object], Sequence[str]]] = (
    ({"name": "データ解析"}, ("析解", "解タ", "データ析", "理")),
    ({"name": "a11"}, ("1.1", "a1.1")),
    ({"name": "1.1"}, ("11",)),
    ({"name": "x", "description": "<p><span>Word</span>&nbsp;R&amp;D</p>"}, ("span", "nbsp", "amp")),
)


@pytest.mark.parametrize(("values", "queries"), FOUND, ids=range(len(FOUND)))
async def test_texts_are_found(ask_own: GraphQLClient, values: dict[str, object], queries: Sequence[str]) -> None:
    await update_assets(ask_own, align=values)
    for query in queries:
        assert await search(ask_own, "olu", query) == [values["name"]], query


@pytest.mark.parametrize(("values", "queries"), NOT_FOUND, ids=range(len(NOT_FOUND)))
async def test_other_texts_are_not_found(
    ask_own: GraphQLClient, values: dict[str, object], queries: Sequence[str]
) -> None:
    await update_assets(ask_own, align=values)
    for query in queries:
        assert await search(ask_own, "olu", query) == [], query


def test_a_description_of_many_words_is_indexed_whole() -> None:
    assert MAX_TOKENS >= 10_000 > MAX_LABEL_TOKENS
    assert "last" in tokenize(f"{'a b ' * 4_999}last")


async def test_the_exact_word_comes_first(ask_own: GraphQLClient) -> None:
    names = {"align": "Recount", "blast": "C", "count": "Compiler", "draft": "Zebra", "explore": "Rapid", "junk": "x"}
    others: dict[str, object] = {"language": None, "description": None, "tags": [], "doi": None, "is_gold": 0}
    languages = {"draft": "R", "count": "C++", "explore": "C#"}
    await update_assets(
        ask_own,
        **{asset: others | {"name": name, "language": languages.get(asset)} for asset, name in names.items()},
    )
    assert (await search(ask_own, "ada", "R"))[:1] == ["Zebra"]
    assert await search(ask_own, "ada", "C++") == ["Compiler", "C", "Rapid"]
    assert await search(ask_own, "ada", "C#") == ["Rapid", "C", "Compiler"]
    assert (await search(ask_own, "ada", "C"))[:3] == ["C", "Rapid", "Compiler"]
