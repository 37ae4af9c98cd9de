export const text = `# Connection pools and short-lived processes

A database connection is expensive to open and cheap to keep. PostgreSQL starts a separate process for each
connection, checks the credentials, negotiates TLS and allocates several megabytes of memory before the first query
can run. A connection pool pays this price once: it keeps a small number of connections open and lends them to
requests, one after the other. In a server that runs for weeks, the pool is warm after the first minute and nobody
thinks about it again.

## What changes with functions

Serverless functions break the assumption behind the pool, which is that one process serves many requests. A platform
that scales by starting instances gives each instance its own pool. Ten instances with a pool of ten connections hold
a hundred connections, and a burst of traffic that starts two hundred instances asks the database for two thousand.
Most databases refuse long before that:

| memory of the server | usual connection limit |
| -------------------- | ---------------------- |
| 1 GB                 | about 80               |
| 4 GB                 | about 400              |
| 16 GB                | about 1,700            |

The failure is unpleasant because it is global. The instance that opens one connection too many is not the only one
that suffers: from that moment every new client is turned away, including the administrator who wants to look.

## Three remedies

1. **Keep the pool of each instance tiny.** An instance that handles one request at a time needs one connection, or
   two when it sends a heartbeat while it works. Set the maximum explicitly, as library defaults were chosen for
   long-running servers.
2. **Put a shared pooler in between.** A pooler such as PgBouncer accepts thousands of clients and maps them to a few
   dozen connections. In transaction mode a connection is lent for one transaction only, so session state does not
   survive: prepared statements, advisory locks and \`SET\` commands need care.
3. **Limit how far the platform scales.** A queue absorbs a burst at no cost. If the database can serve fifty
   concurrent jobs, there is no benefit in starting two hundred.

A pool for a function therefore looks modest:

~~~ts
const pool = new Pool({ max: 2, idleTimeoutMillis: 5_000, connectionTimeoutMillis: 3_000 });
~~~

## The frozen connection

One more trap is specific to functions. Between two invocations the platform may freeze the instance: the process is
still in memory, but no code runs. Meanwhile the database, or a firewall on the way, closes the idle connection. When
the instance thaws, its pool hands out a socket that looks healthy and fails on first use. A pool should therefore
test a connection that has been idle for more than a few seconds, or retry the first statement once when the socket
turns out to be closed. Retrying is safe only before the first write of a transaction; after that the client cannot
know whether the server committed.
`;
