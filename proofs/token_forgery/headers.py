"""Authorization headers built from a valid token: valid ones, and ones that carry no bearer token."""

import base64
from random import Random

from proofs.token_forgery.lookalikes import random_case

WRONG_SEPARATORS = "\t:=,/\xa0\0"

HeaderValues = list[str]
"""Values of the Authorization headers of one request."""


def valid_header(random: Random, token: str) -> HeaderValues:
    """Return a valid header: the scheme in any case, one or more spaces, and optional whitespace around both."""
    before, after = ("".join(random.choices(" \t", k=random.choice((0, 0, 0, 1, 5)))) for _ in range(2))
    return [before + random_case(random, "bearer") + " " * random.choice((1, 1, 1, 2, 9)) + token + after]


def invalid_headers(random: Random, token: str) -> HeaderValues:
    """Return one or more headers that must not authenticate, even if they contain the token."""
    bearer = f"Bearer {token}"
    basic = base64.b64encode(random.choice([f"user:{token}", f"{token}:", token]).encode()).decode()
    alone = [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Bearer" + " " * random.randrange(2, 50),
        "bearer\t",
        token,
        "\0",
        "\xa0",
        ",",
    ]
    schemes = [
        "Basic",
        "Digest",
        "Token",
        "JWT",
        "OAuth",
        "DPoP",
        "Negotiate",
        "Bearer:",
        "Bearer=",
        "Bear",
        "BearerToken",
        "",
    ]
    others = [f"{random.choice(schemes)} {token}", f"Basic {basic}", f"Bearer{random.choice(WRONG_SEPARATORS)}{token}"]
    others += [f"Bearer Bearer {token}", f"Bearer {token} {token}", f"Bearer {token},{token}", f'Bearer "{token}"']
    others += [f"Bearer token={token}", f"Bearer {token}; charset=utf-8", f"Bearer \t{token}", f"Bearer \xa0{token}"]
    others += [f"{bearer}, {bearer}", f"Basic {basic}, {bearer}", f"{bearer}, Basic {basic}", f"Bearer,{bearer}"]
    one = random.choice([random.choice(alone), *others])
    return random.choice([[one], [one], [bearer, one], [one, bearer], [bearer, bearer], [bearer, "", bearer]])
