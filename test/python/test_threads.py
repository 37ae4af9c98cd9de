import uuid

import httpx
import pytest


def test_a_thread_is_created_changed_found_and_deleted(client):
    group = str(uuid.uuid4())
    thread = client.threads.create(metadata={"group": group}, graph_id="shout", ttl={"ttl": 60, "strategy": "delete"})
    thread_id = thread["thread_id"]
    assert client.threads.get(thread_id)["metadata"] == {"group": group, "graph_id": "shout"}
    assert client.threads.get(thread_id, include=["ttl"])["ttl"]["strategy"] == "delete"
    client.threads.update(thread_id, metadata={"more": 1})
    client.threads.update(thread_id, metadata={"less": 0}, return_minimal=True)
    [found] = client.threads.search(metadata={"group": group}, sort_by="created_at", sort_order="asc")
    assert found["metadata"] == {"group": group, "graph_id": "shout", "more": 1, "less": 0}
    assert client.threads.count(metadata={"group": group}) == 1
    client.threads.delete(thread_id)
    with pytest.raises(httpx.HTTPStatusError) as failure:
        client.threads.get(thread_id)
    assert failure.value.response.status_code == 404


def test_a_thread_that_exists_is_refused_or_given(client, thread_id):
    with pytest.raises(httpx.HTTPStatusError) as failure:
        client.threads.create(thread_id=thread_id, if_exists="raise")
    assert failure.value.response.status_code == 409
    assert client.threads.create(thread_id=thread_id, if_exists="do_nothing")["thread_id"] == thread_id


def test_the_state_is_read_edited_and_read_at_a_checkpoint(client, thread_id):
    client.runs.wait(thread_id, "counter", input={"messages": [{"role": "user", "content": "hi"}]})
    state = client.threads.get_state(thread_id)
    assert [message["content"] for message in state["values"]["messages"]] == ["hi", "message 1"]
    assert state["next"] == []
    client.threads.update_state(thread_id, {"messages": [{"role": "user", "content": "edited"}]}, as_node="count")
    assert len(client.threads.get_state(thread_id)["values"]["messages"]) == 3
    before = client.threads.get_state(thread_id, checkpoint=state["checkpoint"])
    assert len(before["values"]["messages"]) == 2
    history = client.threads.get_history(thread_id, limit=10)
    assert [entry["metadata"]["source"] for entry in history] == ["update", "loop", "loop", "input"]
    assert len(client.threads.get_history(thread_id, limit=10, before=state["checkpoint"])) == 2


def test_a_thread_is_copied_and_pruned(client, thread_id):
    client.runs.wait(thread_id, "shout", input={"text": "a"})
    copy = client.threads.copy(thread_id)
    assert client.threads.get_state(copy["thread_id"])["values"] == {"text": "a!"}
    assert client.threads.prune([copy["thread_id"]], strategy="keep_latest") == {"pruned_count": 1}
    assert len(client.threads.get_history(copy["thread_id"])) == 1
    assert client.threads.prune([copy["thread_id"]]) == {"pruned_count": 1}
    with pytest.raises(httpx.HTTPStatusError):
        client.threads.get(copy["thread_id"])


def test_a_thread_is_made_of_supersteps(client):
    thread = client.threads.create(
        graph_id="shout",
        supersteps=[{"updates": [{"values": {"text": "given"}, "as_node": "__start__"}]}],
    )
    assert client.threads.get_state(thread["thread_id"])["next"] == ["shout"]


def test_all_runs_of_a_thread_are_followed(client, thread_id):
    def until_done(times, **options):
        parts = []
        for part in client.threads.join_stream(thread_id, **options):
            parts.append(part)
            if sum((part.data or {}).get("status") == "run_done" for part in parts) == times:
                return parts

    first = client.runs.create(thread_id, "shout", input={"text": "a"})
    client.runs.join(thread_id, first["run_id"])
    client.threads.update_state(thread_id, {"text": "edited"}, as_node="shout")
    second = client.runs.create(thread_id, "shout", input={"text": "b"})
    parts = until_done(2, last_event_id="-")
    assert [part.event for part in parts] == ["metadata", "values", "values", "metadata"] * 2
    assert [part.data["run_id"] for part in parts if part.event == "metadata"] == [
        *[first["run_id"]] * 2,
        *[second["run_id"]] * 2,
    ]
    assert until_done(1, last_event_id=parts[4].id) == parts[5:]
    chosen = until_done(2, last_event_id="-", stream_mode=["lifecycle", "state_update"])
    assert [part.event for part in chosen] == ["metadata", "metadata", "state_update", "metadata", "metadata"]
    assert chosen[2].data["state"]["values"] == {"text": "edited"}
