"""This file is Authorization headers about a good token: the few that carry it, and those that are no bearer token."""

import base64
from random import Random

from proofs.token_forgery.lookalikes import other_case

NO_SPACES = "\t:=,/\xa0\0"

Header = list[str]
"""The value of each Authorization header of a request."""


def carrying(chance: Random, token: str) -> Header:
    """Return a header that carries the token: the scheme in any case, spaces between the two, blanks around both."""
    before, after = ("".join(chance.choices(" \t", k=chance.choice((0, 0, 0, 1, 5)))) for _ in range(2))
    return [before + other_case(chance, "bearer") + " " * chance.choice((1, 1, 1, 2, 9)) + token + after]


def not_carrying(chance: Random, token: str) -> Header:
    """Return a header, or several, by which nobody is known, though the token be in it."""
    bearer = f"Bearer {token}"
    basic = base64.b64encode(chance.choice([f"user:{token}", f"{token}:", token]).encode()).decode()
    alone = [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Bearer" + " " * chance.randrange(2, 50),
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
    others = [f"{chance.choice(schemes)} {token}", f"Basic {basic}", f"Bearer{chance.choice(NO_SPACES)}{token}"]
    others += [f"Bearer Bearer {token}", f"Bearer {token} {token}", f"Bearer {token},{token}", f'Bearer "{token}"']
    others += [f"Bearer token={token}", f"Bearer {token}; charset=utf-8", f"Bearer \t{token}", f"Bearer \xa0{token}"]
    others += [f"{bearer}, {bearer}", f"Basic {basic}, {bearer}", f"{bearer}, Basic {basic}", f"Bearer,{bearer}"]
    one = chance.choice([chance.choice(alone), *others])
    return chance.choice([[one], [one], [bearer, one], [one, bearer], [bearer, bearer], [bearer, "", bearer]])
