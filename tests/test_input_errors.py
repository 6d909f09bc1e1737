"""Errors of invalid arguments name the place, in the document and in the variables."""

import json
from typing import Any

import pytest

from tests.conftest import GraphQLClient

TIME = "Use RFC 3339 with a time zone, for example 2026-11-23T06:29:00.000Z."
HINT = "Did you mean the enum value 'MODEL'?"
URL = "The URL must begin with the scheme of a page or of a stored object, such as https://."
ONE_OF = (
    "Within OneOf Input Object type '{}', exactly one field must be specified,"
    " and the value for that field must be non-null."
)
REGISTER = "mutation($of: [AssetRegistration!]!) { assetsRegister(input: {assets: $of}) { userErrors { code } } }"
GRANTS = "mutation($of: AssetGrantsUpdateInput!) { assetGrantsUpdate(input: $of) { userErrors { code } } }"
ASSET = {"externalId": "a", "kind": "MODEL", "name": "A", "ownerId": "usr_1"}


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        (
            '{ assets(filter: {createdAt: {from: "x"}, updatedAt: {until: "y"}}) { totalCount } }',
            [(TIME, 37), (TIME, 62)],
        ),
        (
            f"{{ topics(first: {'9' * 5_000}) {{ totalCount }} }}",
            [("Int cannot represent a number of 5,000 digits.", 17)],
        ),
        ('{ topics(first: "1") { totalCount } }', [('Int cannot represent non-integer value: "1"', 17)]),
        ("{ assets(filter: {tags: [1]}) { totalCount } }", [("String cannot represent a non string value: 1", 26)]),
        (
            "{ assets(filter: {ids: [[1]]}) { totalCount } }",
            [("ID cannot represent a non-string and non-integer value: [1]", 26)],
        ),
        (
            "{ assets(filter: {tags: [{a: 1}]}) { totalCount } }",
            [("String cannot represent a non string value: { a: 1 }", 30)],
        ),
        (
            "{ assets(filter: {kinds: [[MODEL]]}) { totalCount } }",
            [(f"Enum 'AssetKind' cannot represent non-enum value: [MODEL]. {HINT}", 28)],
        ),
        ('{ topic(by: {id: "a", slug: "b"}) { name } }', [(ONE_OF.format("TopicRef"), 13)]),
        ("{ topic(by: {id: null}) { name } }", [(ONE_OF.format("TopicRef"), 13)]),
    ],
    ids=[
        "times",
        "digits",
        "text for a number",
        "number for a text",
        "list for a text",
        "object for a text",
        "list for an enum",
        "two of one",
        "null of one",
    ],
)
async def test_an_invalid_literal_is_located(ask: GraphQLClient, query: str, errors: list[tuple[str, int]]) -> None:
    body = (await ask.response("eve", query)).json()
    found = [(error["message"], *error["locations"]) for error in body["errors"]]
    assert found == [(message, {"line": 1, "column": column}) for message, column in errors]
    assert {error["extensions"]["code"] for error in body["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}


@pytest.mark.parametrize(
    ("query", "value", "message"),
    [
        (REGISTER, [ASSET, ASSET | {"url": "ftp:"}], f"at [1].url: {URL}"),
        (REGISTER, [ASSET | {"url": "javascript://x/%0aalert(1)"}], f"at [0].url: {URL}"),
        (REGISTER, [ASSET | {"url": 1}], "at [0].url: Use a URL, such as https://example.org/1."),
        (REGISTER, [ASSET | {"sizeBytes": 1.5}], "at [0].sizeBytes: A Long is a signed integer of at most 64 bits."),
        (
            GRANTS,
            {"assetId": "a", "set": [{"to": to, "access": "VIEWER"} for to in ({"everyone": True}, {})]},
            f"at .set[1].to: {ONE_OF.format('PrincipalRef')}",
        ),
    ],
    ids=["URL", "unsafe URL", "number for a URL", "Long", "one of"],
)
async def test_an_invalid_variable_names_the_element(ask: GraphQLClient, query: str, value: Any, message: str) -> None:
    [error] = (await ask.response("ada", query, of=value)).json()["errors"]
    assert error["message"] == f"Variable '$of' has invalid value {message}"
    assert (error["extensions"]["code"], error["locations"]) == ("BAD_USER_INPUT", [{"line": 1, "column": 10}])


async def test_no_message_tells_of_pythons_settings(ask: GraphQLClient) -> None:
    for number in ("9" * 4_301, "-" + "9" * 60_000, "1" + "0" * 5_000 + ".5", "1e99999"):
        for field in (
            "topics(first: %s) { totalCount }",
            "collection(by: {slug: %s}) { id }",
            "__type(name: %s) { name }",
        ):
            text = json.dumps((await ask.response("eve", f"{{ {field % number} }}")).json())
            assert "errors" in text
            assert "sys." not in text
            assert "encountered error" not in text
