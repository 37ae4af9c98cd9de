import uuid

import pytest
from langgraph.pregel.remote import RemoteGraph
from langgraph.types import Command


@pytest.fixture
def config():
    return {"configurable": {"thread_id": str(uuid.uuid4())}}


def test_a_remote_graph_is_invoked_and_streamed(url):
    graph = RemoteGraph("shout", url=url)
    assert graph.invoke({"text": "a"}) == {"text": "a!"}
    assert list(graph.stream({"text": "a"}, stream_mode="updates")) == [{"shout": {"text": "a!"}}]


def test_a_remote_graph_keeps_its_state(url, client, config):
    client.threads.create(thread_id=config["configurable"]["thread_id"])
    graph = RemoteGraph("shout", url=url)
    graph.invoke({"text": "a"}, config)
    assert graph.get_state(config).values == {"text": "a!"}
    graph.update_state(config, {"text": "edited"}, as_node="shout")
    assert graph.get_state(config).values == {"text": "edited"}
    assert len(list(graph.get_state_history(config))) == 4


def test_a_remote_graph_is_interrupted_and_resumed(url, client, config):
    client.threads.create(thread_id=config["configurable"]["thread_id"])
    graph = RemoteGraph("asking", url=url)
    stopped = graph.invoke({"text": "hi"}, config)
    assert stopped["__interrupt__"][0]["value"] == {"question": "hi"}
    assert graph.invoke(Command(resume="there"), config) == {"text": "hi there"}


def test_a_remote_graph_is_drawn(url):
    drawing = RemoteGraph("nested", url=url).get_graph()
    assert set(drawing.nodes) == {"__start__", "sub", "last", "__end__"}
