import uuid
from typing import TypedDict

import pytest
from langgraph.graph import START, StateGraph
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


def test_a_remote_graph_streams_its_subgraphs(url):
    chunks = list(RemoteGraph("nested", url=url).stream({"text": "a"}, stream_mode="updates", subgraphs=True))
    assert [tuple(part.split(":")[0] for part in namespace) for namespace, _ in chunks] == [("sub",), (), ()]
    assert [next(iter(update)) for _, update in chunks] == ["within", "sub", "last"]


def test_a_remote_graph_streams_several_modes_until_it_is_interrupted(url, client, config):
    client.threads.create(thread_id=config["configurable"]["thread_id"])
    graph = RemoteGraph("asking", url=url)
    chunks = list(graph.stream({"text": "hi"}, config, stream_mode=["values", "updates"]))
    assert ("values", {"text": "hi"}) in [(mode, data) for mode, data, *_ in chunks]
    [interrupt] = [data["__interrupt__"] for mode, data, *_ in chunks if mode == "updates"]
    assert interrupt[0]["value"] == {"question": "hi"}
    assert graph.get_state(config).next == ("ask",)


def test_a_remote_graph_is_part_of_another(url):
    class State(TypedDict):
        text: str

    graph = StateGraph(State).add_node("remote", RemoteGraph("shout", url=url)).add_edge(START, "remote").compile()
    assert graph.invoke({"text": "a"}) == {"text": "a!"}


def test_a_remote_graph_is_drawn(url):
    drawing = RemoteGraph("nested", url=url).get_graph()
    assert set(drawing.nodes) == {"__start__", "sub", "last", "__end__"}
