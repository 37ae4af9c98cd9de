import uuid


def test_items_are_put_read_searched_and_deleted(client):
    user = str(uuid.uuid4())
    client.store.put_item(["users", user], "profile", {"name": "Ada", "age": 36})
    client.store.put_item(["users", user], "settings", {"theme": "dark"}, ttl=60)
    item = client.store.get_item(["users", user], "profile")
    assert item["value"] == {"name": "Ada", "age": 36}
    assert item["namespace"] == ["users", user]
    found = client.store.search_items(["users", user], filter={"theme": "dark"})
    assert [item["key"] for item in found["items"]] == ["settings"]
    assert client.store.list_namespaces(prefix=["users", user])["namespaces"] == [["users", user]]
    client.store.delete_item(["users", user], "profile")
    assert client.store.get_item(["users", user], "profile") is None
