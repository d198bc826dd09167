"""How long an event takes from its making to each of many WebSocket clients, and what a client costs in memory.

    python3 Tests/Benchmarks/live/clients.py BINARIES RUNTIME [CLIENTS] [EVENTS]

Starts a platform of its own from the built programs. The clients are bare sockets that note when bytes come, so that
they take little of the machine that they measure. They are those of ordinary users, ten of each, for whom it is looked
up what they may see.
"""

import asyncio
import base64
import json
import os
import pathlib
import resource
import secrets
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Browser"))
from harbour import Platform  # noqa: E402

CLIENTS = int(sys.argv[3]) if len(sys.argv) > 3 else 500
EVENTS = int(sys.argv[4]) if len(sys.argv) > 4 else 100
CLIENTS_OF_A_USER = 10


def frame(text):
    """A masked text frame of less than 126 bytes (RFC 6455 section 5.2); a mask of zeros leaves it as it is."""
    payload = text.encode()
    assert len(payload) < 126
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload


class Client(asyncio.Protocol):
    def __init__(self, key, request, topic):
        self.key, self.request, self.topic = key, request, topic
        self.times, self.size, self.isOpen, self.wakes = [], 0, asyncio.get_running_loop().create_future(), None

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data):
        now = time.time()
        if not self.isOpen.done():
            if b"SUBSCRIBED" in data:
                self.isOpen.set_result(None)
            elif b"HELLO" in data:
                self.transport.write(frame(json.dumps({"type": "SUBSCRIBE", "topic": self.topic})))
            return
        self.times.append(now)
        self.size += len(data)


def make_users(platform):
    """The tokens of as many users as the clients need."""
    tokens = []
    for number in range(-(-CLIENTS // CLIENTS_OF_A_USER)):
        name = f"reader{number}"
        platform.call("POST", "/api/v1/users", {"user_name": name})
        made = platform.call("POST", "/api/v1/token/create", {"comment": "benchmark", "user_name": name})
        tokens.append(made["token_value"])
    return tokens


def memory(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise RuntimeError("no memory is told")


def pid_of(platform, program):
    return next(int(line.split()[2]) for line in platform.harbour("status").splitlines()
                if line.split()[:1] == [program])


async def measure(platform):
    loop = asyncio.get_running_loop()
    document = {"cells": [{"cell_type": "code", "id": "c0", "metadata": {}, "source": "0", "outputs": [],
                           "execution_count": None}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    content = base64.b64encode(json.dumps(document).encode()).decode()
    made = platform.call("POST", "/api/v1/workspace/import",
                         {"path": "/Shared/live", "content": content, "format": "JUPYTER"})
    number, revision = made["object_id"], made["revision_id"]
    pid = pid_of(platform, "workspace")
    tokens = make_users(platform)
    before = memory(pid)
    clients = []
    for place in range(CLIENTS):
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        head = (f"GET /api/v1/live HTTP/1.1\r\nhost: 127.0.0.1:{platform.port}\r\nconnection: upgrade\r\n"
                f"upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n"
                f"authorization: Bearer {tokens[place % len(tokens)]}\r\n\r\n").encode()
        _, client = await loop.create_connection(lambda k=key, h=head: Client(k, h, f"notebooks/{number}"),
                                                 "127.0.0.1", platform.port)
        clients.append(client)
        await client.isOpen
    await asyncio.sleep(1)
    each = (memory(pid) - before) / CLIENTS
    latencies, lasts = [], []
    for event in range(EVENTS):
        for client in clients:
            client.times.clear()
        document["cells"][0]["source"] = str(event + 1)
        body = {"base_revision_id": revision, "document": document}
        sent = time.time()
        saved = await loop.run_in_executor(
            None, lambda: platform.call("PUT", f"/api/v1/notebooks/{number}", body))
        revision = saved["revision_id"]
        while not all(client.times for client in clients):
            await asyncio.sleep(0.005)
        times = sorted((client.times[0] - sent) * 1000 for client in clients)
        latencies += times
        lasts.append(times[-1])
    latencies.sort()
    lasts.sort()
    print(f"{CLIENTS} clients, {EVENTS} events; {each:.1f} KiB of memory a client in workspace")
    print(f"from asking for the save to a client: median {latencies[len(latencies) // 2]:.1f} ms, "
          f"99 of 100 {latencies[len(latencies) * 99 // 100]:.1f} ms, the last {latencies[-1]:.1f} ms")
    print(f"until all have it: median {lasts[len(lasts) // 2]:.1f} ms")
    for client in clients:
        client.transport.close()


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    platform = Platform(sys.argv[1], os.devnull, sys.argv[2])
    platform.up()
    try:
        asyncio.run(measure(platform))
    finally:
        platform.down()


main()
