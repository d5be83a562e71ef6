"""Fixtures for every system test. A node and its origins are in node.py."""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "tools")]


# Run a second time with the sanitizers: what makes the program work hard or fail. The others judge times or texts.
SANITIZED = {"cli_test.py", "config_test.py", "steer_test.py", "survive_test.py", "tell_test.py"}


def pytest_configure(config):
    config.addinivalue_line("markers", "sanitize: also run with the address and undefined behaviour sanitizers")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.name in SANITIZED:
            item.add_marker(pytest.mark.sanitize)


@pytest.fixture(scope="session")
def build():
    """The build folder under test."""
    return pathlib.Path(os.environ.get("HOLDFAST_BUILD", ROOT / "build" / "plain")).resolve()


@pytest.fixture(scope="session")
def holdfast(build):
    """The program under test."""
    path = pathlib.Path(os.environ.get("HOLDFAST", build / "holdfast")).resolve()
    if not path.exists():
        pytest.fail(f"{path} is missing: `make` builds it, HOLDFAST names another one")
    return path
