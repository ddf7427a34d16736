"""Fixtures every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photographs, or a skip that says how to provide it."""
    root = Path(os.environ.get("FLAWSMITH_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"no real photographs at {root}: set FLAWSMITH_DATA")
    return root
