"""websockets_peer.py URL: the client of PyPI's websockets against an echo server of ours that first says hello."""
import asyncio
import os
import sys

import websockets

# A busy machine may be silent for longer than the client's own patience. Pings are sent where they are tested.
PATIENT = {"ping_interval": None, "open_timeout": 120, "close_timeout": 120}


async def one(url, number):
    async with websockets.connect(url, max_size=None, compression=None, **PATIENT) as socket:
        assert (await socket.recv()).startswith("hello")
        for size in (0, 1, 125, 126, 65535, 65536, 1_000_000):
            data = os.urandom(size)
            await socket.send(data)
            assert await socket.recv() == data, size
            text = ("\u00e9\u4e2d\U0001f600" * size)[:size]
            await socket.send(text)
            assert await socket.recv() == text, size
        await socket.send(["frag", "ment", "", "ed \U0001f600"])
        assert await socket.recv() == "fragmented \U0001f600"
        await socket.send([b"a", b"", b"b" * 70_000])
        assert await socket.recv() == b"a" + b"b" * 70_000
        for payload in (b"", b"x" * 125):
            await asyncio.wait_for(await socket.ping(payload), 120)
        if number % 2:
            await socket.close(4001, "enough")
            assert socket.close_code == 4001, socket.close_code


async def main(url):
    await asyncio.gather(*(one(url, number) for number in range(10)))
    # Extensions that are offered are not taken.
    async with websockets.connect(url, **PATIENT) as socket:
        assert (await socket.recv()).startswith("hello")
        await socket.send("compressed?")
        assert await socket.recv() == "compressed?"
    # A page of another site is kept out.
    try:
        async with websockets.connect(url, origin="https://evil.example", **PATIENT):
            raise AssertionError("another origin was let in")
    except websockets.exceptions.InvalidStatus as refused:
        assert refused.response.status_code == 403, refused
    print("all well")


asyncio.run(main(sys.argv[1]))
