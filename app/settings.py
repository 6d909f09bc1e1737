"""This file is the settings: environment variables named `ATOLL_…`, each with a default, a meaning and a source."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

PREFIX = "ATOLL_"
TRUE, FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


class SettingError(ValueError):
    """A setting has a value that nothing can be made of; the message names it and says what would do."""


@dataclass(frozen=True)
class Settings:
    """What a deployment can choose."""

    database_url: str = "sqlite+aiosqlite:///atoll.db"
    graphiql: bool = False
    oidc_issuer: str | None = None
    oidc_audience: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the settings of the environment.

        Raises BadSetting for a value out of its kind and for an unknown name, which would be a typing error unseen.
        """
        known = {PREFIX + field.name.upper(): field for field in fields(cls)}
        for name in environment:
            if name.startswith(PREFIX) and name not in known and not name.startswith("ATOLL_REQUIRE_"):
                raise SettingError(f"{name} is no setting of Atoll. They are: {', '.join(known)}.")
        return cls(
            **{
                field.name: _read(name, environment[name], field.default)
                for name, field in known.items()
                if name in environment
            }
        )

    def describe(self, environment: Mapping[str, str] = os.environ) -> list[tuple[str, str, str]]:
        """Return name, value and source of each setting; passwords in addresses are left out."""
        rows = []
        for field in fields(self):
            name, value = PREFIX + field.name.upper(), getattr(self, field.name)
            shown = "(none)" if value is None else str(value)
            rows.append((name, _without_password(shown), "environment" if name in environment else "default"))
        return rows


def _read(name: str, text: str, default: Any) -> Any:
    if not isinstance(default, bool):
        return text or default
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise SettingError(f"{name} is {text!r}; it must be 1 or 0.")


def _without_password(text: str) -> str:
    """Return an address without its passwords, be it well formed or not."""
    text = re.sub(r"([?&]password=)[^&]*", r"\1***", text)
    return re.sub(r"^([\w+.-]*:?//)?([^:@/]*):(?!//).*@", r"\1\2:***@", text)
