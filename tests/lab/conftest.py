"""Parts of the lab that many tests share, in a state folder of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from http_backend import Backend, running_backend
from lab_parts import running, start_aws

from lab.state import State


@pytest.fixture(scope="session")
def state(tmp_path_factory) -> State:
    return State.open(root=tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def aws(state) -> Iterator[State]:
    """ministack, answering at the state's port."""
    with running(start_aws(state)):
        yield state


@pytest.fixture
def backend() -> Iterator[Backend]:
    with running_backend() as backend:
        yield backend
