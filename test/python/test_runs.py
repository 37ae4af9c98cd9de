import asyncio
import http.server
import json
import queue
import threading
import uuid

import httpx
import pytest
from langgraph_sdk import get_client, get_sync_client

from cutting_proxy import cutting_proxy


def test_a_run_is_waited_for(client, thread_id):
    assert client.runs.wait(thread_id, "shout", input={"text": "a"}) == {"text": "a!"}
    assert client.runs.wait(None, "shout", input={"text": "b"}) == {"text": "b!"}


def test_a_run_in_the_background_is_joined_listed_and_deleted(client, thread_id):
    run = client.runs.create(thread_id, "shout", input={"text": "a"}, metadata={"why": "test"})
    assert run["status"] == "pending"
    assert client.runs.join(thread_id, run["run_id"]) == {"text": "a!"}
    [listed] = client.runs.list(thread_id, status="success", select=["run_id", "status"])
    assert listed == {"run_id": run["run_id"], "status": "success"}
    assert client.runs.get(thread_id, run["run_id"])["metadata"]["why"] == "test"
    client.runs.delete(thread_id, run["run_id"])
    assert client.runs.list(thread_id) == []


def test_a_stream_says_what_the_graph_does(client, thread_id):
    parts = list(client.runs.stream(thread_id, "shout", input={"text": "a"}, stream_mode=["values", "updates"]))
    assert [part.event for part in parts] == ["metadata", "values", "updates", "values"]
    assert parts[2].data == {"shout": {"text": "a!"}}


def test_messages_arrive_token_by_token(client, thread_id):
    question = {"messages": [{"role": "user", "content": "hi"}]}
    parts = client.runs.stream(thread_id, "talking", input=question, stream_mode="messages-tuple")
    assert "".join(part.data[0]["content"] for part in parts if part.event == "messages") == "Hello"


def test_a_stream_is_joined_from_its_beginning(client, thread_id):
    run = client.runs.create(thread_id, "shout", input={"text": "a"}, stream_mode="updates", stream_resumable=True)
    client.runs.join(thread_id, run["run_id"])
    parts = list(client.runs.join_stream(thread_id, run["run_id"], last_event_id="-1"))
    assert {"shout": {"text": "a!"}} in [part.data for part in parts]


def test_subgraphs_are_streamed(client, thread_id):
    parts = client.runs.stream(thread_id, "nested", input={"text": "a"}, stream_mode="updates", stream_subgraphs=True)
    names = [part.event.split("|")[0] + ("|sub" if "|sub:" in part.event else "") for part in parts]
    assert names == ["metadata", "updates|sub", "updates", "updates"]


def test_an_interrupt_is_answered(client, thread_id):
    stopped = client.runs.wait(thread_id, "asking", input={"text": "hi"})
    assert stopped["__interrupt__"][0]["value"] == {"question": "hi"}
    assert client.threads.get(thread_id)["status"] == "interrupted"
    assert client.runs.wait(thread_id, "asking", command={"resume": "there"}) == {"text": "hi there"}


def test_a_run_is_cancelled(client, thread_id):
    run = client.runs.create(thread_id, "abortable", input={"text": "a"})
    client.runs.cancel(thread_id, run["run_id"], wait=True)
    assert client.runs.get(thread_id, run["run_id"])["status"] == "interrupted"
    with pytest.raises(httpx.HTTPStatusError) as failure:
        client.runs.cancel(thread_id, str(uuid.uuid4()))
    assert failure.value.response.status_code == 404


def test_many_runs_are_created_and_cancelled(client, thread_id):
    batch = client.runs.create_batch([{"assistant_id": "shout", "input": {"text": str(n)}} for n in range(3)])
    assert len({run["run_id"] for run in batch}) == 3
    late = client.runs.create(thread_id, "shout", input={"text": "a"}, after_seconds=3600)
    client.runs.cancel_many(thread_id=thread_id, run_ids=[late["run_id"]])
    assert client.runs.get(thread_id, late["run_id"])["status"] == "interrupted"


def test_a_busy_thread_refuses_a_run(client, thread_id):
    run = client.runs.create(thread_id, "abortable", input={"text": "a"})
    with pytest.raises(httpx.HTTPStatusError) as failure:
        client.runs.create(thread_id, "shout", input={"text": "b"}, multitask_strategy="reject")
    assert failure.value.response.status_code == 409
    client.runs.cancel(thread_id, run["run_id"], wait=True, action="rollback")


def test_a_run_that_fails_says_so(client, thread_id):
    with pytest.raises(Exception, match="graph_failed"):
        client.runs.wait(thread_id, "failing", input={"text": "a"})
    [run] = client.runs.list(thread_id)
    assert run["status"] == "error"
    parts = list(client.runs.stream(thread_id, "failing", input={"text": "a"}))
    assert parts[-1].event == "error"


def test_a_run_starts_from_a_checkpoint(client, thread_id):
    client.runs.wait(thread_id, "nested", input={"text": "a"})
    history = client.threads.get_history(thread_id)
    [before_last] = [state for state in history if state["next"] == ["last"]]
    again = client.runs.wait(thread_id, "nested", input=None, checkpoint=before_last["checkpoint"])
    assert again["text"] == "a, within, last"


def test_a_webhook_is_called(client, thread_id):
    received: queue.Queue = queue.Queue()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            received.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hook = f"http://127.0.0.1:{server.server_port}/done"
        run = client.runs.create(thread_id, "shout", input={"text": "a"}, webhook=hook)
        told = received.get(timeout=30)
        server.shutdown()
    assert told["run_id"] == run["run_id"]
    assert told["status"] == "success"
    assert told["values"] == {"text": "a!"}


def test_a_run_whose_answer_is_cut_off_is_asked_for_again_at_its_location(url, thread_id):
    with cutting_proxy(url) as proxied, get_sync_client(url=proxied.url) as client:
        with pytest.warns(UserWarning, match="attempting reconnect to Location"):
            assert client.runs.wait(thread_id, "slow", input={"text": "a"}) == {"text": "a, slowly"}
        [run] = client.runs.list(thread_id)
    assert run["status"] == "success"
    assert proxied.cut == [f"POST /api/threads/{thread_id}/runs/wait"]


def test_a_stream_that_is_cut_off_goes_on_where_it_was(url, thread_id):
    with cutting_proxy(url) as proxied, get_sync_client(url=proxied.url) as client:
        parts = list(client.runs.stream(thread_id, "slow", input={"text": "a"}, stream_mode="values"))
    assert [part.data for part in parts if part.event == "values"] == [{"text": "a"}, {"text": "a, slowly"}]
    assert [part.event for part in parts] == ["metadata", "values", "values"]
    assert proxied.cut == [f"POST /api/threads/{thread_id}/runs/stream"]


def test_the_asynchronous_client_runs_many_at_once(url):
    async def shouted(client, text):
        return await client.runs.wait(None, "shout", input={"text": text})

    async def main():
        async with get_client(url=url) as client:
            return await asyncio.gather(*(shouted(client, str(n)) for n in range(10)))

    assert asyncio.run(main()) == [{"text": f"{n}!"} for n in range(10)]
