import time

import httpx
import pytest


def test_a_cron_is_created_found_changed_and_deleted(client, thread_id):
    cron = client.crons.create_for_thread(
        thread_id, "shout", schedule="0 8 * * *", input={"text": "morning"}, timezone="Europe/Zurich", metadata={"a": 1}
    )
    assert cron["thread_id"] == thread_id
    [found] = client.crons.search(thread_id=thread_id)
    assert found["schedule"] == "0 8 * * *"
    assert client.crons.count(thread_id=thread_id) == 1
    changed = client.crons.update(cron["cron_id"], schedule="0 9 * * *", enabled=False, metadata={"b": 2})
    assert (changed["schedule"], changed["enabled"], changed["metadata"]) == ("0 9 * * *", False, {"a": 1, "b": 2})
    client.crons.delete(cron["cron_id"])
    assert client.crons.count(thread_id=thread_id) == 0


def test_a_bad_schedule_is_refused(client):
    with pytest.raises(httpx.HTTPStatusError) as failure:
        client.crons.create("shout", schedule="every day")
    assert failure.value.response.status_code == 422


def test_a_cron_fires(client, thread_id):
    cron = client.crons.create_for_thread(thread_id, "shout", schedule="* * * * * *", input={"text": "tick"})
    deadline = time.monotonic() + 60
    while not any(run["status"] == "success" for run in client.runs.list(thread_id)):
        assert time.monotonic() < deadline, "the cron did not fire"
    client.crons.delete(cron["cron_id"])
    assert client.threads.get_state(thread_id)["values"] == {"text": "tick!"}
