import os
import uuid

import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.errors import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    LangGraphError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
)


def test_what_is_not_there(client):
    with pytest.raises(NotFoundError, match="not found"):
        client.threads.get(str(uuid.uuid4()))
    with pytest.raises(NotFoundError):
        client.assistants.get(str(uuid.uuid4()))


def test_what_is_there_already(client, thread_id):
    with pytest.raises(ConflictError, match="exists already"):
        client.threads.create(thread_id=thread_id)


def test_a_field_that_is_wrong_is_named(client, thread_id):
    with pytest.raises(UnprocessableEntityError, match="stream_mode") as failure:
        client.runs.create(thread_id, "shout", input={"text": "a"}, stream_mode="everything")
    assert failure.value.status_code == 422


def test_an_id_that_is_none(client):
    with pytest.raises(BadRequestError, match="printable ASCII"):
        client.threads.get("\u00e9")


def test_all_of_them_are_the_clients_own(client):
    with pytest.raises(LangGraphError):
        client.runs.get(str(uuid.uuid4()), str(uuid.uuid4()))


def test_a_caller_without_a_key_with_too_small_a_one_and_one_who_asks_too_often():
    def caller(**headers):
        return get_sync_client(url=os.environ["GUARDED_URL"], headers=headers)

    with caller() as client, pytest.raises(AuthenticationError, match="function key"):
        client.threads.create()
    with caller(**{"x-functions-key": "function-key"}) as client:
        with pytest.raises(PermissionDeniedError):
            client.runs.create(None, "guarded", input={"text": "a"})
        with pytest.raises(RateLimitError) as failure:
            for _ in range(3):
                client.threads.create()
    assert int(failure.value.response.headers["retry-after"]) > 0
