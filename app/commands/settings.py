"""Settings of a command."""

import os
from importlib.util import find_spec
from pathlib import Path

from app.metrics_server import parse_address
from app.oidc import create_issuer
from app.scim.token import read_token
from app.settings import SettingError, Settings


def read_settings() -> Settings:
    """Return the environment's settings; raise SettingError for any that cannot be used."""
    settings = Settings.from_environment()
    try:
        read_token(settings)
        create_issuer(settings.oidc_issuer, settings.oidc_audience, settings.claim_names)
        if settings.metrics is not None:
            parse_address(settings.metrics)
    except ValueError as error:
        raise SettingError(str(error)) from error
    folder = settings.export_folder
    if folder is not None and not (Path(folder).is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK)):
        raise SettingError(f"ATOLL_EXPORT_FOLDER {folder} is not a folder that Atoll can write to. Create it first.")
    if settings.traces and find_spec("opentelemetry") is None:
        raise SettingError("ATOLL_TRACES needs OpenTelemetry. Run: pip install 'atoll[otel]'")
    return settings
