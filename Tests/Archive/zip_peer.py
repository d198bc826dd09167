"""Makes and reads zip archives with Python's zipfile, as the peer of ours."""

import hashlib
import json
import stat
import sys
import zipfile


def listed(path):
    """What an archive has, after all its checksums were looked at."""
    with zipfile.ZipFile(path) as archive:
        broken = archive.testzip()
        if broken is not None:
            raise SystemExit(f"{broken} is damaged")
        for entry in archive.infolist():
            print(json.dumps({
                "path": entry.filename, "size": entry.file_size, "method": entry.compress_type,
                "sha256": hashlib.sha256(archive.read(entry)).hexdigest(), "isFolder": entry.is_dir(),
                "year": entry.date_time[0], "isUTF8": entry.flag_bits & 0x800 != 0,
            }, ensure_ascii=False, sort_keys=True))


def entry(name, mode=stat.S_IFREG | 0o644, method=zipfile.ZIP_DEFLATED):
    info = zipfile.ZipInfo(name, (2024, 2, 29, 12, 30, 2))
    info.create_system = 3
    info.external_attr = mode << 16
    info.compress_type = method
    return info


def renamed(path, old, new):
    """Names that zipfile would not write."""
    with open(path, "rb") as file:
        data = file.read()
    assert len(old) == len(new) and old in data
    with open(path, "wb") as file:
        file.write(data.replace(old, new))


def make(path, kind):
    with zipfile.ZipFile(path, "w") as archive:
        if kind == "good":
            archive.writestr(entry("folder/"), b"")
            archive.writestr(entry("folder/größe 漢字.txt"), "Grüße".encode() * 1000)
            archive.writestr(entry("stored.bin", method=zipfile.ZIP_STORED), bytes(range(256)) * 5000)
            archive.writestr(entry("empty"), b"")
        elif kind == "names":
            for number in range(20_000):
                archive.writestr(entry(f"{number:05}".ljust(1024, "n")), b"")
        elif kind == "comments":
            for number in range(400):
                archive.writestr(entry(f"{number}"), b"")
                archive.infolist()[-1].comment = b"c" * 65_000
        elif kind == "bomb":
            with archive.open(entry("bomb"), "w", force_zip64=True) as file:
                for _ in range(64):
                    file.write(bytes(1 << 20))
        elif kind == "link":
            archive.writestr(entry("link", stat.S_IFLNK | 0o777), b"/etc/passwd")
        elif kind == "device":
            archive.writestr(entry("device", stat.S_IFCHR | 0o600), b"")
        elif kind == "climbing":
            archive.writestr(entry("../../etc/passwd"), b"x")
            archive.writestr(entry("a/../../b"), b"x")
            archive.writestr(entry("/absolute"), b"x")
            archive.writestr(entry("a/back\\slash"), b"x")
            archive.writestr(entry("win\\dows"), b"x")
        elif kind == "twice":
            archive.writestr(entry("same"), b"1")
            archive.writestr(entry("same"), b"2")
        elif kind == "not-utf8":
            archive.writestr(entry("name-xx"), b"x")
        elif kind == "lzma":
            archive.writestr(entry("packed", method=zipfile.ZIP_LZMA), b"x" * 100_000)
        elif kind == "many":
            for number in range(int(sys.argv[4])):
                archive.writestr(entry(f"f{number}"), b"x")
        else:
            raise SystemExit(f"no kind {kind}")
    if kind == "not-utf8":
        renamed(path, b"name-xx", b"name-\xff\xfe")


if sys.argv[1] == "list":
    listed(sys.argv[2])
else:
    make(sys.argv[2], sys.argv[3])
