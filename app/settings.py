"""Settings: environment variables named `ATOLL_…`, each with a default."""

import os
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from enum import StrEnum
from ipaddress import ip_network
from typing import Any, Self

from app.cors import is_origin
from app.oidc_claims import ClaimNames, Provisioning
from app.scim.user_id import UserId
from resolvers.limits import Rate
from store.database import OPERATION_SECONDS, POOL_SIZE
from store.url import UNSAFE_SCHEMES, URL_SCHEMES, is_scheme

PREFIX = "ATOLL_"
TOOL_PREFIXES = ("ATOLL_REQUIRE_", "ATOLL_WITHOUT_")  # variables of tests and builds
MAX_NUMBER = 86_400
TRUE, FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


class SettingError(ValueError):
    """A setting that is unknown or has an invalid value; the message names it and the valid names or values."""


class Executor(StrEnum):
    """Executor of queries: the engine, or graphql-core alone."""

    ON = "on"
    REFERENCE = "reference"


class LogFormat(StrEnum):
    """Format of lines in the log."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """Lowest level of lines in the log."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Settings:
    """Settings of a deployment."""

    database_url: str = "sqlite+aiosqlite:///atoll.db"
    graphiql: bool = False
    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    oidc_provisioning: Provisioning = Provisioning.OFF
    oidc_name_claim: str = ClaimNames.name
    oidc_email_claim: str = ClaimNames.email
    oidc_groups_claim: str = ClaimNames.groups
    oidc_admin_group: str | None = None
    scim_token: str | None = field(default=None, metadata={"is_secret": True})
    scim_token_file: str | None = None  # that holds the token, instead of the environment
    scim_user_id: UserId = UserId.EXTERNAL_ID
    engine: Executor = Executor.ON
    index: bool = True  # without the engine, it is not used
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    root_path: str = ""
    documents: tuple[str, ...] = ()  # files
    documents_only: bool = False
    export_folder: str | None = None  # None: no exports by `exportCreate`
    url_schemes: tuple[str, ...] = URL_SCHEMES  # of URLs in catalogue files and `assetsRegister`
    operation_seconds: int = OPERATION_SECONDS
    idle_seconds: int = 75  # a little more than the 60 seconds after which most proxies close idle connections
    log: LogFormat = LogFormat.TEXT
    log_level: LogLevel = LogLevel.INFO
    slow_ms: int = 1_000
    metrics: str | None = None
    traces: bool = False
    drain_seconds: int = field(default=5, metadata={"least": 0})
    pool_size: int = POOL_SIZE  # connections to PostgreSQL
    migrate: bool = True  # at the start of `atoll serve`
    rate_points: int = field(default=300, metadata={"least": 0})  # of a user in a second; 0 for no rate limit
    rate_burst: int = 60_000
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    max_connections: int = 1_000  # fewer if the process may not open as many files
    max_operations: int = 200  # at the same time
    max_live_connections: int = 1_000  # WebSockets and event streams of a process
    max_live_connections_of_user: int = 20
    federation: bool = False
    federation_common_fields: bool = False  # without federation, they are always served

    @property
    def rate(self) -> Rate | None:
        """Rate limit of a user; None if there is none."""
        return Rate(self.rate_points, self.rate_burst) if self.rate_points else None

    @property
    def claim_names(self) -> ClaimNames:
        """Claims of the issuer's tokens that sign-ins take over."""
        return ClaimNames(
            self.oidc_provisioning,
            self.oidc_name_claim,
            self.oidc_email_claim,
            self.oidc_groups_claim,
            self.oidc_admin_group,
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings from the environment.

        Raises SettingError for an invalid value, and for an unknown name, which is likely a misspelt one.
        """
        known = {PREFIX + each.name.upper(): each for each in fields(cls)}
        for name in environment:
            if name.startswith(PREFIX) and name not in known and not name.startswith(TOOL_PREFIXES):
                raise SettingError(f"Unknown setting {name}. The settings are: {', '.join(known)}.")
        settings = cls(
            **{each.name: _read(name, environment[name], each) for name, each in known.items() if name in environment}
        )
        for proxy in settings.trusted_proxies:
            _require_network(proxy)
        for origin in settings.cors_origins:
            _require_origin(origin)
        _require_schemes(settings.url_schemes)
        _require_root_path(settings.root_path)
        if settings.documents_only and not settings.documents:
            raise SettingError(
                f"{PREFIX}DOCUMENTS_ONLY is on, but {PREFIX}DOCUMENTS is not set, so that no request would be answered."
                " Set it to the manifests of your clients."
            )
        return settings

    def describe(self, environment: Mapping[str, str] = os.environ) -> list[tuple[str, str, str]]:
        """Return the name, value and source of each setting, with secrets, also those in URLs, masked."""
        rows = []
        for each in fields(self):
            name, value = PREFIX + each.name.upper(), getattr(self, each.name)
            value = "***" if value is not None and each.metadata.get("is_secret") else value
            shown = ", ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
            rows.append(
                (name, _without_password(shown or "(none)"), "environment" if name in environment else "default")
            )
        return rows


def _read(name: str, text: str, setting: Field[Any]) -> Any:
    default = setting.default
    if isinstance(default, StrEnum):
        return _read_choice(name, text, default)
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if isinstance(default, int) and not isinstance(default, bool):
        return _read_number(name, text or str(default), setting.metadata.get("least", 1))
    if not isinstance(default, bool):
        return text or default
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise SettingError(f"Invalid {name} {text!r}. Use 1 or 0.")


def _read_number(name: str, text: str, least: int) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_NUMBER)) else -1
    if not least <= number <= MAX_NUMBER:
        raise SettingError(f"Invalid {name} {text!r}. Use a number from {least} to {MAX_NUMBER:,}.")
    return number


def _require_network(text: str) -> None:
    """Raise SettingError unless the text is an address or a network."""
    try:
        ip_network(text)
    except ValueError:
        raise SettingError(
            f"Invalid {PREFIX}TRUSTED_PROXIES {text!r}. Use addresses and networks, such as 10.0.0.5,192.168.7.0/24."
        ) from None


def _require_origin(text: str) -> None:
    """Raise SettingError unless the text is an origin."""
    if not is_origin(text):
        raise SettingError(
            f"Invalid {PREFIX}CORS_ORIGINS {text!r}. Use origins, such as https://app.example.org,http://localhost:3000,"
            " without a path, or * for all."
        )


def _require_schemes(schemes: tuple[str, ...]) -> None:
    """Raise SettingError unless these are schemes in lower case, at least one, and all of them safe."""
    name, example = f"{PREFIX}URL_SCHEMES", f"Use names such as {','.join(URL_SCHEMES)}."
    invalid = [scheme for scheme in schemes if not is_scheme(scheme) or scheme != scheme.lower()]
    if invalid or not schemes:
        raise SettingError(f"Invalid {name} {invalid[0] if invalid else ''!r}. {example}")
    if unsafe := sorted(UNSAFE_SCHEMES.intersection(schemes)):
        raise SettingError(
            f"{name} names {unsafe[0]!r}, which is unsafe: a browser that opens such a URL runs its text as code, or"
            f" reads files of its user. {example}"
        )


def _require_root_path(text: str) -> None:
    """Raise SettingError unless the text is the beginning of a path, or empty."""
    if not re.fullmatch(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*", text):
        raise SettingError(
            f"Invalid {PREFIX}ROOT_PATH {text!r}. Use a path such as /atoll, without a slash at its end."
        )


def _read_choice(name: str, text: str, default: StrEnum) -> StrEnum:
    try:
        return type(default)(text or default)
    except ValueError:
        raise SettingError(f"Invalid {name} {text!r}. Use {' or '.join(type(default))}.") from None


def _without_password(text: str) -> str:
    """Mask the passwords in a URL, well-formed or not."""
    text = re.sub(r"([?&]password=)[^&]*", r"\1***", text)
    return re.sub(r"^([\w+.-]*:?//)?([^:@/]*):(?!//).*@", r"\1\2:***@", text)
