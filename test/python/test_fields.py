"""Each call of the newest client has a route here, and each field of its body is known there."""

import ast
import inspect
import re
import textwrap

import httpx
import pytest
from langgraph_sdk._sync import assistants, cron, runs, store, threads

OF_QUERIES = {"Last-Event-ID", "stream_mode", "cancel_on_disconnect", "action", "wait", "include", "Prefer"}
OF_ANSWERS = {"assistants", "next"}


def calls():
    for module in (assistants, cron, runs, store, threads):
        for client in (c for c in vars(module).values() if inspect.isclass(c) and c.__module__ == module.__name__):
            for name, method in inspect.getmembers(client, inspect.isfunction):
                tree = ast.parse(textwrap.dedent(inspect.getsource(method)))
                parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
                paths = {path for node in ast.walk(tree) if node not in parts and (path := path_of(node))}
                if paths:
                    yield pytest.param(paths, set(fields_of(tree)), id=f"{client.__name__}.{name}")


def path_of(node):
    """`/threads/{}/runs` for an f-string of that form."""
    if isinstance(node, ast.JoinedStr):
        text = "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    else:
        return None
    return text if re.fullmatch(r"(/[\w{}-]+)+", text) else None


def fields_of(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            yield from (key.value for key in node.keys if isinstance(key, ast.Constant))
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "payload":
            yield node.slice.value


def names_in(schema):
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from names_in(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from names_in(part)


@pytest.mark.parametrize(("paths", "fields"), list(calls()))
def test_every_field_is_known(url, paths, fields):
    operations = {}
    for path, verbs in httpx.get(f"{url}/openapi.json").json()["paths"].items():
        operations[re.sub(r"\{\w+\}", "{}", path)] = verbs
    for path in paths:
        assert path in operations
        known = set(names_in([verb.get("requestBody", {}) for verb in operations[path].values()]))
        assert not known or fields - OF_QUERIES - OF_ANSWERS <= known
