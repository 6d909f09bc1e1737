"""Rate limits: buckets with a clock of the test, their keys, and the points that requests to a served world take."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from app import rate_limit
from app.application import create_application
from app.commands.serve import server_options
from app.rate_limit import Buckets, address_key
from app.settings import Executor, SettingError, Settings
from app.token_owners import MAX_TOKENS, TokenOwners
from app.tokens import create_token, revoke_token
from resolvers.limits import Rate
from store.database import Database
from tests.conftest import PATIENT_SECONDS, World
from tests.http_server import World as SmallWorld
from tests.http_server import run_server as run_small_server

SMALL = "{ deployment { version } }"
PAGE = "{ assets(first: 100) { nodes { __typename } } }"


class Clock:
    """Clock that stands still until it is advanced."""

    def __init__(self) -> None:
        self.now = 10**15

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * 10**9)


@pytest.fixture
def clock() -> Clock:
    return Clock()


# Buckets


def test_a_bucket_holds_its_burst_and_is_refilled_at_its_rate(clock: Clock) -> None:
    buckets = Buckets(Rate(10, 100), clock)
    assert buckets.count_left("a") == 100
    assert [buckets.take("a", 60), buckets.count_left("a")] == [0, 40]
    clock.advance(3)
    assert buckets.count_left("a") == 70
    clock.advance(60)
    assert buckets.count_left("a") == 100, "no more than the burst"


@pytest.mark.parametrize("rate", [Rate(10, 100), Rate(300, 60_000), Rate(7, 97), Rate(86_400, 86_400)])
@pytest.mark.parametrize("share", [0.001, 0.5, 1])
def test_an_operation_passes_after_the_time_that_it_is_told_and_not_a_second_before(
    clock: Clock, rate: Rate, share: float
) -> None:
    buckets, points = Buckets(rate, clock), max(int(rate.burst * share), 1)
    assert buckets.take("a", rate.burst) == 0
    clock.advance(0.0001)
    seconds = buckets.take("a", points)
    assert seconds == buckets.seconds_until("a", points) == -(-points // rate.points)
    clock.advance(seconds - 1)
    assert buckets.take("a", points) == 1
    clock.advance(1)
    assert buckets.take("a", points) == 0


def test_a_refused_operation_takes_nothing(clock: Clock) -> None:
    buckets = Buckets(Rate(10, 100), clock)
    buckets.take("a", 95)
    assert {buckets.take("a", 20) for _ in range(100)} == {2}
    assert buckets.take("a", 5) == 0


def test_an_operation_of_more_points_than_the_burst_takes_a_full_bucket(clock: Clock) -> None:
    buckets = Buckets(Rate(10, 100), clock)
    assert buckets.take("a", 5_000) == 0
    assert buckets.take("a", 5_000) == 10


def test_buckets_are_independent(clock: Clock) -> None:
    buckets = Buckets(Rate(10, 100), clock)
    buckets.take("a", 100)
    assert buckets.take("b", 100) == 0


def test_points_are_taken_up_to_a_debt_of_a_second_and_given_back(clock: Clock) -> None:
    buckets = Buckets(Rate(10, 100), clock)
    assert buckets.take("a", 100) == 0
    assert buckets.has_credit("a")
    for _ in range(3):
        buckets.take_up_to("a", 80)
    assert (buckets.count_left("a"), buckets.has_credit("a"), buckets.seconds_until("a", 1)) == (0, False, 2)
    clock.advance(0.1)
    assert buckets.has_credit("a")
    buckets.give_back("a", 80)
    assert buckets.count_left("a") == 71
    buckets.give_back("unknown", 80)
    assert len(buckets) == 1


def test_many_addresses_do_not_take_memory(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MAX_BUCKETS", 100)
    buckets = Buckets(Rate(10, 100), clock)
    for number in range(1_000):
        buckets.take(number.to_bytes(4), 1)
        clock.advance(0.02)
    assert len(buckets) <= 100
    buckets.take(b"empty", 100)
    for number in range(1_000):  # none of them is full again before the last
        buckets.take(number.to_bytes(4), 20)
    assert len(buckets) <= 100
    assert buckets.count_left(b"empty") == 0, "the fullest are dropped"


def test_a_full_bucket_is_dropped_and_no_other(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MAX_BUCKETS", 10)
    buckets = Buckets(Rate(10, 100), clock)
    for name in "abcd":
        buckets.take(name, 50)
    for name in "efghij":
        buckets.take(name, 1)
    clock.advance(1)
    buckets.take("k", 1)
    assert (len(buckets), buckets.count_left("a"), buckets.count_left("k")) == (5, 60, 99)


def test_addresses_have_keys_of_their_own_and_networks_of_ipv6_one() -> None:
    assert address_key("192.0.2.1") != address_key("192.0.2.2")
    assert address_key("::ffff:192.0.2.1") == address_key("192.0.2.1")
    assert address_key("2001:db8::1") == address_key("2001:db8:0:0:ffff::2%eth0")
    assert address_key("2001:db8::1") != address_key("2001:db8:0:1::1")
    assert address_key("") == address_key("unix:") == address_key("1" * 100_000) == b""


def test_owners_of_tokens_are_bounded() -> None:
    owners = TokenOwners()
    for number in range(MAX_TOKENS + 1):
        owners.add(b"%d" % number, "usr")
    assert (owners.get(b"0"), owners.get(b"1")) == (None, "usr")
    owners.discard(b"1")
    owners.discard(b"never known")
    assert owners.get(b"1") is None


# A served world


@dataclass
class Client:
    """Client of an application with a rate limit and the clock of the test."""

    world: World
    clock: Clock
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.database = Database(self.world.url, operation_seconds=PATIENT_SECONDS)
        limits = {"rate_points": 20, "rate_burst": 80, "operation_seconds": PATIENT_SECONDS}
        settings = Settings(database_url=self.world.url, **limits | self.settings)
        self.app = create_application(settings, database=self.database, clock=self.clock)

    async def post(
        self, query: str, token: str | None = None, address: str = "192.0.2.1", **variables: Any
    ) -> httpx.Response:
        """Send an operation from the address, with the token if there is one."""
        transport = httpx.ASGITransport(self.app, client=(address, 1))
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://atoll") as client:
            return await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)

    async def count(self, query: str, token: str | None = None, **variables: Any) -> int:
        """Return how many times in a row the operation passes, which must answer with data or be refused."""
        for passed in range(1_000):
            response = await self.post(query, token, **variables)
            if response.status_code == 429:
                return passed
            assert response.json()["data"] is not None, response.text
        raise AssertionError("never refused")

    async def close(self) -> None:
        await self.app.state.memory.stop() if self.app.state.memory else None
        await self.database.close()


WAYS: dict[str, dict[str, Any]] = {
    "memory": {},
    "engine": {"index": False},
    "reference": {"engine": Executor.REFERENCE},
}


@pytest.fixture(params=WAYS)
async def client(request: pytest.FixtureRequest, own_world: World, clock: Clock) -> AsyncIterator[Client]:
    """Yield a client for each way to answer queries."""
    opened = Client(own_world, clock, WAYS[request.param])
    if opened.app.state.memory:
        await opened.app.state.memory.refresh()
    yield opened
    await opened.close()


@pytest.fixture
async def usual(own_world: World, clock: Clock) -> AsyncIterator[Client]:
    """Yield a client of the usual way to answer queries."""
    opened = Client(own_world, clock)
    yield opened
    await opened.close()


async def test_an_operation_is_refused_until_its_points_are_there(client: Client) -> None:
    mei = client.world.tokens["mei"]
    assert (await client.post(PAGE, mei)).json()["extensions"]["cost"]["objects"] == 101
    assert await client.count(PAGE, mei) == 15, "16 pages of 101/20,000 of the limit take 5 points each"
    response = await client.post(PAGE, mei)
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "RATE_LIMITED"}
    assert error["message"] == (
        "You have 0 points left, and this one takes 5. Retry after 1 seconds, ask for less, or send fewer requests:"
        " 20 points are added each second, up to 80."
    )
    client.clock.advance(1)
    assert await client.count(PAGE, mei) == 4


async def test_retry_after_is_exact_for_an_empty_bucket(client: Client) -> None:
    mei, large = (
        client.world.tokens["mei"],
        "{ topics(first: 100) { nodes { collections(first: 12) { nodes { id } } } } }",
    )
    assert await client.count(PAGE, mei) == 16
    response = await client.post(large, mei)
    seconds = int(response.headers["retry-after"])
    assert seconds > 1, "the points of the document's parsing included"
    client.clock.advance(seconds - 1)
    assert (await client.post(large, mei)).headers["retry-after"] == "1"
    client.clock.advance(1)
    assert (await client.post(large, mei)).status_code == 200


async def test_every_operation_takes_a_point(client: Client) -> None:
    assert await client.count(SMALL, client.world.tokens["mei"]) == 80


async def test_users_do_not_share_points_and_tokens_of_a_user_do(client: Client) -> None:
    mei, other = client.world.tokens["mei"], await create_token(client.database, "mei", 3_600)
    assert await client.count(PAGE, mei) == 16
    assert (await client.post(SMALL, other)).status_code == 429
    assert (await client.post(SMALL, client.world.tokens["sam"])).status_code == 200
    assert (await client.post(SMALL)).status_code == 200


async def test_visitors_share_a_quarter_by_their_address(client: Client) -> None:
    assert await client.count(SMALL) == 20
    response = await client.post(SMALL)
    assert response.json()["errors"][0]["message"].startswith("Requests from your address have 0 points left, and this")
    assert (await client.post(SMALL, address="192.0.2.2")).status_code == 200
    client.clock.advance(1)
    assert await client.count(SMALL) == 5


async def test_mutations_take_points_for_the_items_of_their_input(usual: Client) -> None:
    mutation = """mutation($ids: [ID!]!) { collectionAssetsRemove(input: {collectionId: "x", assetIds: $ids}) {
        userErrors { code } } }"""
    olu = usual.world.tokens["olu"]
    assert await usual.count(mutation, olu, ids=["a"] * 400) == 4, "20 points for the items"
    usual.clock.advance(20)
    assert await usual.count(mutation, olu, ids=["a"] * 1_001) == 1, "50 points for a job"
    usual.clock.advance(20)
    assert await usual.count(mutation, olu, ids=["a"]) == 80


@pytest.mark.parametrize(
    ("query", "points"),
    [("{", 1), ("{ nothing }", 1), ("{" + " nothing" * 100 + " }", 9), ("{ assets(first: 1000000) { nodes { id", 1)],
)
async def test_a_document_with_errors_takes_a_point_for_each_hundred_characters(
    usual: Client, query: str, points: int
) -> None:
    for number in range(20 // points):
        response = await usual.post(query.replace("nothing", f"nothin{number % 10}"))
        assert response.json()["errors"][0]["extensions"]["code"] != "RATE_LIMITED"
    assert await usual.count(SMALL) == 20 % points


async def test_a_document_that_is_known_takes_no_points_for_its_length(usual: Client) -> None:
    sam = usual.world.tokens["sam"]
    assert await usual.count("#" + " " * 3_000 + "\n" + SMALL, sam) == 1 + 80 - 31


async def test_an_operation_that_costs_too_much_takes_a_point(usual: Client) -> None:
    lists = "collections(first: 100) { nodes { topic { collections(first: 100) { nodes { id } } } } }"
    large = f"{{ topics(first: 100) {{ nodes {{ {lists} }} }} }}"
    for _ in range(10):
        assert (await usual.post(large)).json()["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert await usual.count(SMALL) == 20 - 11, "and one more for the length of the document"


async def test_invalid_tokens_take_points_of_the_address_but_keep_no_user_out(client: Client) -> None:
    for number in range(25):
        assert (await client.post(SMALL, f"atoll_{number}")).status_code == 401, "5 of them as a debt"
    assert (await client.post(SMALL, "atoll_x")).status_code == 429
    assert (await client.post(SMALL)).status_code == 429
    for _ in range(2):
        assert (await client.post(SMALL, client.world.tokens["mei"])).status_code == 200, "a token that is new here"
    client.clock.advance(1)
    assert (await client.post(SMALL, "atoll_x")).status_code == 401


async def exhaust(client: Client, token: str | None) -> None:
    """Use up all points of the payer, with the debt of a second."""
    await client.count(SMALL, token)
    for _ in range(20 if token else 5):
        await client.post("{", token)


async def test_a_user_without_points_gets_none_with_a_new_token_at_an_address_without_points(usual: Client) -> None:
    await exhaust(usual, usual.world.tokens["mei"])
    await exhaust(usual, None)
    other = await create_token(usual.database, "mei", 3_600)
    refused = await usual.post(SMALL, other)
    assert refused.status_code == 429
    assert refused.json()["errors"][0]["message"].startswith("You have 0 points")


async def test_a_revoked_token_takes_no_points_of_its_user(client: Client) -> None:
    old = await create_token(client.database, "mei", 3_600)
    assert (await client.post(SMALL, old)).status_code == 200
    await revoke_token(client.database, old)
    for _ in range(20):
        assert (await client.post(SMALL, old)).status_code == 401
    assert (await client.post(SMALL)).status_code == 429, "the address paid"
    assert await client.count(SMALL, client.world.tokens["mei"]) == 79


@pytest.mark.parametrize("who", ["mei", None])
async def test_the_rate_is_part_of_the_limits(client: Client, who: str | None) -> None:
    query = "{ deployment { limits { ratePoints rateBurst } } }"
    response = await client.post(query, client.world.tokens[who] if who else None)
    expected = {"ratePoints": 20, "rateBurst": 80} if who else {"ratePoints": 5, "rateBurst": 20}
    assert response.json()["data"]["deployment"]["limits"] == expected


async def test_without_a_rate_nothing_is_refused(own_world: World, clock: Clock) -> None:
    client = Client(own_world, clock, {"rate_points": 0, "rate_burst": 1})
    for _ in range(5):
        assert (await client.post(SMALL)).status_code == 200
    query = "{ deployment { limits { ratePoints rateBurst } } }"
    limits = (await client.post(query)).json()["data"]["deployment"]["limits"]
    assert limits == {"ratePoints": None, "rateBurst": None}
    await client.close()


def test_the_defaults_let_an_analyst_pull_a_hundred_large_pages() -> None:
    rate = Settings().rate
    assert rate is not None
    assert rate.burst >= 100 * -(-1_000 * 10_302 // 20_000)
    assert rate.points >= 5 * 50, "five dashboards a second"


# The address of a client


@pytest.fixture
def small_world(clock: Clock) -> SmallWorld:
    return SmallWorld(rate=rate_limit.RateLimit(Rate(4, 4), clock))


def statuses(port: int, *forwarded: str) -> list[int]:
    """Return the status of a request for each header, from loopback."""
    url = f"http://127.0.0.1:{port}/graphql"
    return [
        httpx.post(url, json={"query": "{ hello }"}, headers={"x-forwarded-for": each}).status_code
        for each in forwarded
    ]


@pytest.mark.parametrize("trusted", [[], ["10.0.0.1", "192.168.0.0/16"]])
def test_a_client_does_not_choose_its_address(small_world: SmallWorld, trusted: list[str]) -> None:
    with run_small_server(small_world.app, proxy_headers=bool(trusted), forwarded_allow_ips=trusted) as port:
        assert statuses(port, "192.0.2.1", "192.0.2.2", "10.0.0.1") == [200, 429, 429]


def test_a_trusted_proxy_names_the_address_that_it_saw(small_world: SmallWorld) -> None:
    with run_small_server(small_world.app, forwarded_allow_ips=["127.0.0.1"]) as port:
        assert statuses(port, "192.0.2.1", "192.0.2.2") == [200, 200]
        assert statuses(port, "198.51.100.1, 192.0.2.1", "192.0.2.2") == [429, 429], "the client's own part is ignored"


@pytest.mark.parametrize(("proxies", "expected"), [("", 429), ("10.0.0.1", 429), ("127.0.0.0/8", 200), (None, 200)])
def test_the_setting_says_whose_headers_count(
    small_world: SmallWorld, monkeypatch: pytest.MonkeyPatch, proxies: str | None, expected: int
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # uvicorn's own variable
    settings = Settings.from_environment({} if proxies is None else {"ATOLL_TRUSTED_PROXIES": proxies})
    options = server_options(settings, "127.0.0.1", 1)
    served = {name: options[name] for name in ("http", "proxy_headers", "forwarded_allow_ips")}
    with run_small_server(small_world.app, **served) as port:
        assert statuses(port, "192.0.2.1", "192.0.2.2") == [200, expected]


@pytest.mark.parametrize("text", ["*", "proxy.internal", "10.0.0.1/8", "10.0.0.1,,x"])
def test_an_invalid_proxy_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match=r"Invalid ATOLL_TRUSTED_PROXIES .*Use addresses and networks"):
        Settings.from_environment({"ATOLL_TRUSTED_PROXIES": text})
