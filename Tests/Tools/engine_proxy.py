#!/usr/bin/env python3
"""Stands between a cluster service and its Docker engine and kills the service at one step of what it asks for.

engine_proxy.py LISTEN ENGINE FOLDER

LISTEN and ENGINE are paths of unix sockets. Each request that changes something is a step; steps are counted from the
moment that FOLDER/arm is written: `NUMBER before PID` kills the process as it asks for that step, which does not reach the
engine; `NUMBER after PID` when the engine has done it, and the process has not heard of it; another signal than KILL may
follow. FOLDER/killed then names the step. Everything else is passed on as it is. FOLDER/arm is read at each step, so that a new one counts from the start.
"""
import os
import signal
import socket
import sys
import threading
import time


class Trap:
    """Counts steps and kills once."""

    def __init__(self, folder):
        self.folder = folder
        self.lock = threading.Lock()
        self.armed, self.count = None, 0

    def step(self, words):
        """What is to happen at this step: nothing, `before` or `after`."""
        with self.lock:
            try:
                with open(f"{self.folder}/arm", encoding="utf-8") as file:
                    text = file.read()
            except FileNotFoundError:
                return None
            if text != self.armed:
                self.armed, self.count = text, 0
            number, when, *_ = text.split()
            self.count += 1
            return when if self.count == int(number) else None

    def kill(self, words):
        # The process's end is seen at once, and then this file is looked for.
        with open(f"{self.folder}/killed.new", "w", encoding="utf-8") as file:
            file.write(words)
        os.rename(f"{self.folder}/killed.new", f"{self.folder}/killed")
        _, _, pid, name = (self.armed + " KILL").split()[:4]
        os.kill(int(pid), signal.Signals[f"SIG{name}"])
        while os.path.exists(f"/proc/{pid}/exe"):
            time.sleep(0.02)


def read_head(stream):
    """A request's head with its end, or nothing when there is none any more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return b""
        head += line
    return head


def body_length(head):
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


def pump(source, target, gate):
    """Passes an engine's answers on, unless the gate is shut by then."""
    try:
        while data := source.recv(65536):
            gate["answered"].set()
            if not gate["shut"]:
                target.sendall(data)
    except OSError:
        pass
    gate["answered"].set()
    # A client that is to hear nothing more would ask again.
    if not gate["shut"]:
        try:
            target.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(client, engine_path, trap):
    engine = socket.socket(socket.AF_UNIX)
    try:
        engine.connect(engine_path)
    except OSError:
        client.close()
        return
    gate = {"answered": threading.Event(), "shut": False}
    threading.Thread(target=pump, args=(engine, client, gate), daemon=True).start()
    stream = client.makefile("rb")
    try:
        while head := read_head(stream):
            words = head.split(b"\r\n")[0].decode()
            when = None if words.startswith("GET ") else trap.step(words)
            if when == "before":
                trap.kill(f"before {words}")
                return
            if when == "after":
                gate["shut"] = True
            gate["answered"].clear()
            engine.sendall(head + stream.read(body_length(head)))
            if when == "after":
                gate["answered"].wait(60)
                trap.kill(f"after {words}")
                return
    except OSError:
        pass
    finally:
        for end in (client, engine):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


def main(listen, engine, folder):
    trap = Trap(folder)
    server = socket.socket(socket.AF_UNIX)
    server.bind(listen)
    server.listen(64)
    while True:
        client, _ = server.accept()
        threading.Thread(target=serve, args=(client, engine, trap), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
