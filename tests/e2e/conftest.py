import pytest

import tarn


def pytest_sessionstart(session):
    if not tarn.BINARY.exists():
        pytest.exit(f"{tarn.BINARY} is missing: run make first", returncode=2)


@pytest.fixture
def server(tmp_path):
    """A server with three metrics, no authentication, on a free port."""
    with tarn.Server(tmp_path, tarn.config()) as s:
        yield s
