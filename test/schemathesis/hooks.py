"""
What Schemathesis cannot know: the names of things that there are, of which most of its valid requests get one, as
otherwise there would be nothing but 404; and that nobody waits for a run which begins in a year.
"""

import json
import os
import zlib

import schemathesis
from schemathesis.generation import GenerationMode

KNOWN = json.loads(os.environ["KNOWN_THINGS"])


def known(name, given):
    """One of the known things in place of what was given, the same each time; three times out of four."""
    number = zlib.crc32(str(given).encode("utf-8", "surrogatepass"))
    return given if number % 4 == 0 else KNOWN[name][number % len(KNOWN[name])]


def replaced(fields):
    return {name: known(name, value) if name in KNOWN else value for name, value in fields.items()}


@schemathesis.hook
def before_call(context, case, kwargs):
    # In JSON-RPC, what is no JSON is answered with an error in a response whose status is 200.
    if case.operation.path == "/a2a/{assistant_id}" and isinstance(case.body, bytes):
        case.body = {"jsonrpc": "2.0", "id": 1, "method": "unknown"}
    body = case.body
    if isinstance(body, dict) and isinstance(body.get("after_seconds"), (int, float)):
        case.body = {**body, "after_seconds": min(body["after_seconds"], 0)}
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if case.method.upper() != "DELETE" and case.path_parameters:
        case.path_parameters = replaced(case.path_parameters)
    if isinstance(case.body, dict):
        case.body = replaced(case.body)
    if isinstance(case.body, list):
        case.body = [replaced(one) if isinstance(one, dict) else one for one in case.body]
