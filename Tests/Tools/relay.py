#!/usr/bin/env python3
"""Passes connections to a port of this machine on to 127.0.0.1:PORT of another network: `relay.py NETWORK PORT`.

NETWORK is a file of a network namespace, such as /proc/PID/ns/net. The address is printed; connections are served until
the process is killed.
"""
import ctypes
import os
import socket
import sys
import threading


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main(network, port):
    # A socket stays in the network that it was made in, so this one is made before the process goes over.
    server = socket.create_server(("127.0.0.1", 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(os.open(network, os.O_RDONLY), 0) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    print("127.0.0.1:%d" % server.getsockname()[1], flush=True)
    while True:
        client, _ = server.accept()
        try:
            engine = socket.create_connection(("127.0.0.1", int(port)), timeout=10)
        except OSError:
            client.close()
            continue
        engine.settimeout(None)
        for ends in ((client, engine), (engine, client)):
            threading.Thread(target=pump, args=ends, daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
