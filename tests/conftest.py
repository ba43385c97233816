"""For every test: servers on 127.0.0.1 are asked directly, whatever proxy the machine has."""

import pytest


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
