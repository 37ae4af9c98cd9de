"""What Schemathesis must not ask for, as it would wait for it: runs that begin in a year, and streams without an end."""

import schemathesis


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and isinstance(body.get("after_seconds"), (int, float)):
        return {**body, "after_seconds": min(body["after_seconds"], 0)}
    return body
