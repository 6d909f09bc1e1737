"""Resolver of the deployment: version, settings and limits."""

from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from resolvers.context import Context
from resolvers.limits import LIMITS, VISITOR_LIMITS, Limits, current_server_limits
from store.ids import ID_LENGTH

DEPLOYMENT_ID = "dep_" + "0" * ID_LENGTH
"""Public id of the deployment: the same in each, because each has one."""


class Deployment(NamedTuple):
    """Deployment as its clients see it."""

    id: str
    version: str
    public_sharing: bool
    limits: Limits


def deployment(_root: None, context: Context) -> Deployment:
    """Return the deployment as of the operation's snapshot."""
    rate, live_connections = current_server_limits.get()
    limits = LIMITS._replace(live_connections=live_connections)
    if not context.viewer.is_signed_in:
        limits, rate = VISITOR_LIMITS, rate and rate.of_visitors()
    if rate is not None:
        limits = limits._replace(rate_points=rate.points, rate_burst=rate.burst)
    return Deployment(DEPLOYMENT_ID, installed_version(), context.viewer.public_sharing, limits)


def installed_version() -> str:
    """Return the version of the installed package, or 0 where Atoll runs without being installed."""
    try:
        return version("atoll")
    except PackageNotFoundError:
        return "0"
