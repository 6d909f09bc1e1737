"""Requirements that a machine may lack: the tests concerned are skipped with the reason, or fail if required."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

REAL_CATALOGUE = Path(__file__).parents[2] / "shared" / "catalog" / "catalog.jsonl"
# No registry has the file, so these tests are never required.
needs_real_catalogue = pytest.mark.skipif(
    not REAL_CATALOGUE.exists(), reason="NOT TESTED: there is no ../shared/catalog/catalog.jsonl beside this checkout"
)


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the running test for the reason; fail it under `ATOLL_REQUIRE_ALL=1`, which `.ci/run` sets."""
    if os.environ.get("ATOLL_REQUIRE_ALL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(f"NOT TESTED: {reason}")
