"""The server is started by python.test.ts, which tells where it is."""

import os
import uuid

import pytest
from langgraph_sdk import get_sync_client


@pytest.fixture(scope="session")
def url() -> str:
    return os.environ["LANGGRAPH_URL"]


@pytest.fixture
def client(url):
    with get_sync_client(url=url) as client:
        yield client


@pytest.fixture
def thread_id(client) -> str:
    return client.threads.create(thread_id=str(uuid.uuid4()))["thread_id"]
