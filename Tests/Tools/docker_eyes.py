#!/usr/bin/env python3
"""Eyes and hands in a Docker engine for tests, apart from the backend's own: `docker_eyes.py SOCKET COMMAND [WORD...]`.

ping            says the version of the API; fails when nobody answers
images          makes the two images that tests need, when they are missing: `dataharbour/hostbind:test`, which is the
                machine's own /usr seen through a mount, and `dataharbour/empty:test`, which has nothing in it
kill ID         kills the container of that cluster's driver
kill ID NODE    kills the one of `worker-0`, ...
remains ID      what is left of a cluster, one a line
publish NAME N  makes the tests' first image with N MiB more in it, pushes it to its registry and forgets it here
listing         all that the engine tells about containers, networks and volumes of DataHarbour
"""
import http.client
import io
import json
import os
import socket
import sys
import tarfile
import urllib.parse

HOSTBIND, EMPTY = "dataharbour/hostbind:test", "dataharbour/empty:test"


class Engine(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None, **query):
        url = path + ("?" + urllib.parse.urlencode(query) if query else "")
        self.request(method, url, body, {"Content-Type": "application/x-tar"} if body else {})
        answer = self.getresponse()
        text = answer.read()
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return answer.status, json.loads(text) if is_json and text and b"\r\n{" not in text else text

    def labelled(self, kind, label, **query):
        _, found = self.ask("GET", f"/{kind}", filters=json.dumps({"label": [label]}), **query)
        return found.get("Volumes") or [] if isinstance(found, dict) else found or []

    def containers(self, label):
        return self.labelled("containers/json", label, all=1)


def hostbind():
    """The folders and links that let a mounted /usr work as a whole system."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name in ("usr", "opt", "tmp", "proc", "sys", "dev", "root", "run", "var/tmp", "etc"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name.endswith("tmp") else 0o755
            archive.addfile(folder)
        for name in ("bin", "sbin", "lib", "lib64"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            archive.addfile(link)
        for name in ("passwd", "group", "nsswitch.conf", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives"):
            if os.path.exists(f"/etc/{name}"):
                archive.add(f"/etc/{name}", f"etc/{name}")
        for name in os.listdir("/etc"):
            if name.startswith(("java-", "python3", "mime.types")):
                archive.add(f"/etc/{name}", f"etc/{name}")
    return data.getvalue()


def empty():
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        folder = tarfile.TarInfo("empty")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    return data.getvalue()


def make_images(engine):
    for name, content in ((HOSTBIND, hostbind), (EMPTY, empty)):
        if engine.ask("GET", f"/images/{name}/json")[0] == 404:
            repository, tag = name.split(":")
            status, answer = engine.ask("POST", "/images/create", content(), fromSrc="-", repo=repository, tag=tag)
            if status != 200:
                sys.exit(f"{name} could not be made: {answer}")


def publish(engine, name, mebibytes):
    """As one layer with `hostbind`, so that its download has a size that is worth telling."""
    data = io.BytesIO(hostbind())
    with tarfile.open(fileobj=data, mode="a") as archive:
        ballast = tarfile.TarInfo("var/ballast")
        content = os.urandom(int(mebibytes) << 20)
        ballast.size = len(content)
        archive.addfile(ballast, io.BytesIO(content))
    repository, _, tag = name.rpartition(":")
    status, answer = engine.ask("POST", "/images/create", data.getvalue(), fromSrc="-", repo=repository, tag=tag)
    if status == 200:
        engine.request("POST", f"/images/{repository}/push?tag={tag}", headers={"X-Registry-Auth": "e30="})
        response = engine.getresponse()
        answer = response.read()
        status = 500 if b"errorDetail" in answer else response.status
    if status != 200:
        sys.exit(f"{name} could not be pushed: {answer}")
    engine.ask("DELETE", f"/images/{name}", force=1)


def kill(engine, cluster, node="driver"):
    for container in engine.containers(f"org.dataharbour.cluster={cluster}"):
        labels = container["Labels"]
        if node in (labels["org.dataharbour.role"], "worker-" + labels.get("org.dataharbour.worker", "")):
            engine.ask("POST", f"/containers/{container['Id']}/kill")


def remains(engine, cluster):
    label = f"org.dataharbour.cluster={cluster}"
    for container in engine.containers(label):
        print("container", *container["Names"])
    for network in engine.labelled("networks", label):
        print("network", network["Name"])
    for volume in engine.labelled("volumes", label):
        print("volume", volume["Name"])


def listing(engine):
    for container in engine.containers("org.dataharbour.cluster"):
        print(json.dumps(engine.ask("GET", f"/containers/{container['Id']}/json")[1]))
        print(json.dumps(engine.ask("GET", f"/containers/{container['Id']}/top")[1]))
    for network in engine.labelled("networks", "org.dataharbour.cluster"):
        print(json.dumps(network))


def main(path, command, *words):
    engine = Engine(path)
    match command:
        case "ping":
            print(engine.ask("GET", "/version")[1]["ApiVersion"])
        case "images":
            make_images(engine)
        case "publish":
            publish(engine, *words)
        case "kill":
            kill(engine, *words)
        case "remains":
            remains(engine, *words)
        case "listing":
            listing(engine)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
