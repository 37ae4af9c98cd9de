import uuid

import httpx
import pytest


def test_a_graph_has_an_assistant_of_its_own(client):
    [assistant] = client.assistants.search(graph_id="shout")
    assert assistant["assistant_id"] == str(uuid.uuid5(uuid.NAMESPACE_DNS, "shout"))
    assert assistant["metadata"]["created_by"] == "system"
    assert client.assistants.get("shout")["assistant_id"] == assistant["assistant_id"]


def test_an_assistant_is_created_changed_versioned_and_deleted(client):
    created = client.assistants.create(
        "reporting", config={"configurable": {"color": "red"}}, metadata={"team": "a"}, name="Reporter"
    )
    assistant_id = created["assistant_id"]
    assert created["version"] == 1

    updated = client.assistants.update(assistant_id, config={"configurable": {"color": "blue"}}, metadata={"more": 1})
    assert updated["version"] == 2
    assert updated["metadata"] == {"team": "a", "more": 1}
    assert [version["version"] for version in client.assistants.get_versions(assistant_id)] == [2, 1]

    report = client.runs.wait(None, assistant_id, input={"text": "a"})["report"]
    assert report["configurable"]["color"] == "blue"
    client.assistants.set_latest(assistant_id, 1)
    report = client.runs.wait(None, assistant_id, input={"text": "a"})["report"]
    assert report["configurable"]["color"] == "red"

    client.assistants.delete(assistant_id)
    with pytest.raises(httpx.HTTPStatusError) as failure:
        client.assistants.get(assistant_id)
    assert failure.value.response.status_code == 404


def test_assistants_are_searched_and_counted(client):
    group = str(uuid.uuid4())
    for name in ["Alpha", "Beta", "alphabet"]:
        client.assistants.create("shout", name=name, metadata={"group": group})
    found = client.assistants.search(metadata={"group": group}, name="alpha", sort_by="name", sort_order="asc")
    assert sorted(assistant["name"] for assistant in found) == ["Alpha", "alphabet"]
    page = client.assistants.search(metadata={"group": group}, limit=2, response_format="object")
    assert len(page["assistants"]) == 2
    assert page["next"] == "2"
    assert client.assistants.count(metadata={"group": group}) == 3


def test_a_graph_is_drawn_and_described(client):
    drawing = client.assistants.get_graph("nested", xray=True)
    assert {"source", "target"} <= drawing["edges"][0].keys()
    assert "__start__" in [node["id"] for node in drawing["nodes"]]
    schemas = client.assistants.get_schemas("typed")
    assert schemas["input_schema"]["properties"]["number"]["type"] == "number"
    assert list(client.assistants.get_subgraphs("nested", recurse=True)) == ["sub"]
