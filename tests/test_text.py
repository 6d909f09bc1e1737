"""Names, slugs, DOIs and URLs: how texts are normalized, compared and refused."""

import pytest

from store.doi import normalize_doi
from store.slug import make_slug
from store.text import MAX_NAME_KEY_LENGTH, clean_name, fold_name
from store.url import UNSAFE_SCHEMES, normalize_url


@pytest.mark.parametrize(
    "name", ["\u200b", "\u3164", "RNA\u200b", "R\u202eNA", "a\u00adb", "a\u200db", "\u2800", "1\ufe0f"]
)
def test_invisible_characters_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^contains the invisible character U\+[0-9A-F]{4}; remove it$"):
        clean_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian
        "\u0915\u094d\u200d\u0937",  # Devanagari
        "\U0001f469\u200d\U0001f52c",  # an emoji of two
        "\u2764\ufe0f",
        "1\ufe0f\u20e3",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # a flag
        "\u845b\U000e0100",  # a variant of a Han character
    ],
)
def test_invisible_characters_that_change_how_a_name_looks_stay(name: str) -> None:
    assert clean_name(name) == name


def test_white_space_within_a_name_becomes_one_space() -> None:
    assert clean_name(" RNA \u00a0 seq\u3000") == "RNA seq"


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("RNA", "\uff32\uff2e\uff21"),
        ("RNA", "rna"),
        ("RNA seq", "RNA  seq"),
        ("Stra\u00dfe", "STRASSE"),
        ("\u2764", "\u2764\ufe0f"),
        ("\u00e9", "e\u0301"),
        ("\ufb01", "FI"),
    ],
)
def test_names_that_look_alike_have_the_same_key(name: str, other: str) -> None:
    assert fold_name(name) == fold_name(other)


def test_keys_fit_into_an_index() -> None:
    assert len(fold_name("\ufdfa" * 200)) == MAX_NAME_KEY_LENGTH


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("基因组学", "jiyinzuxue"),
        ("Łódź", "lodz"),
        ("Smørrebrød", "smorrebrod"),
        ("Größe", "grosse"),
        ("RNA-seq (2)", "rna-seq-2"),
        ("!!!", "collection"),
    ],
)
def test_slugs_are_made_of_names_in_any_script(name: str, slug: str) -> None:
    assert make_slug(name, "collection") == slug


@pytest.mark.parametrize(
    ("text", "doi"),
    [
        ("https://doi.org/10.5281/ZENODO.77", "10.5281/zenodo.77"),
        ("http://dx.doi.org/10.1000%2F1", "10.1000/1"),
        ("doi:10.5281/zenodo.77", "10.5281/zenodo.77"),
        ("DOI: 10.5281/zenodo.77", "10.5281/zenodo.77"),
        ("DOI 10.5281/zenodo.77", "10.5281/zenodo.77"),
        ("doi.org/10.5281/zenodo.77", "10.5281/zenodo.77"),
        ("https://www.doi.org/10.5281/zenodo.77", "10.5281/zenodo.77"),
        ("info:doi/10.5281/zenodo.77", "10.5281/zenodo.77"),
        ("10.5281/zenodo.77", "10.5281/zenodo.77"),
        ("no DOI available", None),
        ("n/a", None),
    ],
)
def test_dois_are_stored_in_one_form(text: str, doi: str | None) -> None:
    assert normalize_doi(text) == doi


@pytest.mark.parametrize(
    "text",
    [
        "not a doi",
        "10.5281",
        "https://example.org/10.5281/zenodo.77",
        "10.5281/a b",
        "doi10.5281/a",
        "https://doi.org/",
    ],
)
def test_other_texts_are_no_dois(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a DOI such as 10\.5281/zenodo\.77$"):
        normalize_doi(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("HTTPS://Example.org/A", "https://Example.org/A"),
        ("ftp://example.org", "ftp://example.org"),
        ("az://container/blob", "az://container/blob"),
    ],
)
def test_schemes_of_urls_are_compared_without_case(text: str, url: str) -> None:
    assert normalize_url(text) == url


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("javascript:alert(1)", "must begin with https://"),
        ("file:///etc/passwd", "must begin with https://"),
        ("https://", "must name a page or an object after https://"),
        ("https://a\u200bb", r"must not contain the invisible character U\+200B"),
        ("https:// spaces", "must not contain white space"),
        ("https://example.org/a\u00a0b", "must not contain white space"),
    ],
)
def test_other_urls_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}"):
        normalize_url(text)


def test_urls_have_one_of_the_given_schemes() -> None:
    assert normalize_url("DX://project/file", ("https", "dx")) == "dx://project/file"
    with pytest.raises(ValueError, match=r"^must begin with https:// or dx://$"):
        normalize_url("ftp://example.org", ("https", "dx"))
    with pytest.raises(ValueError, match=r"^must begin with dx://$"):
        normalize_url("dx:project", ("dx",))


@pytest.mark.parametrize("scheme", sorted(UNSAFE_SCHEMES))
def test_no_url_has_an_unsafe_scheme(scheme: str) -> None:
    assert normalize_url("DX://project/file", None) == "dx://project/file"
    for text in (f"{scheme}://x", f"{scheme.upper()}://x", f"{scheme}:x", f" {scheme}://x", f"\t{scheme}://x", "://x"):
        with pytest.raises(ValueError, match=r"^must begin with the scheme of a page"):
            normalize_url(text, None)
