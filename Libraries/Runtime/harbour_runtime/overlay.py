"""The cluster's own packages over the shared environment: `%pip` installs here and nowhere else.

The overlay is a virtual environment that sees the shared one through a .pth file. pip therefore takes what is there as
installed, but finds it outside of its own environment and never changes it.
"""

import importlib
import os
import shlex
import site
import sys
import sysconfig
import venv

from .errors import ShellError

_COMMANDS = ("install", "uninstall", "list", "show", "freeze", "check", "download", "index", "inspect")


def site_packages(overlay):
    """Where the overlay's packages are."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return os.path.join(overlay, "lib", name, "site-packages")


def activate():
    """Puts the overlay before the shared packages, for this process and for the Python workers of its jobs."""
    overlay = os.environ.get("HARBOUR_OVERLAY")
    if not overlay:
        return
    folder = site_packages(overlay)
    # Made before anybody looks: Python remembers folders that were missing.
    os.makedirs(folder, exist_ok=True)
    at = next((at for at, path in enumerate(sys.path) if path.endswith("site-packages")), len(sys.path))
    sys.path.insert(at, folder)
    site.addsitedir(folder)
    os.environ["HARBOUR_OVERLAY_SITE"] = folder


def prepare(overlay):
    """Makes the environment where it is missing; returns its Python."""
    python = os.path.join(overlay, "bin", "python")
    if not os.path.exists(python):
        venv.EnvBuilder(with_pip=False, symlinks=True).create(overlay)
        with open(os.path.join(site_packages(overlay), "_shared.pth"), "w", encoding="utf-8") as file:
            file.write(sysconfig.get_path("purelib") + "\n")
    return python


def pip(arguments):
    """Runs pip in the overlay."""
    from . import shell

    overlay = os.environ.get("HARBOUR_OVERLAY")
    if not overlay:
        raise ShellError("%pip needs a cluster: this kernel has no place of its own for packages.")
    words = shlex.split(arguments)
    if not words or words[0] not in _COMMANDS:
        raise ShellError(f"%pip knows: {', '.join(_COMMANDS)}. For example: %pip install some-package")
    python = prepare(overlay)
    if words[0] == "uninstall" and "-y" not in words:
        words.append("-y")
    shell.run([python, "-m", "pip", "--disable-pip-version-check", "--no-input", *words], "pip")
    importlib.invalidate_caches()


def main(arguments):
    """`python -m harbour_runtime.overlay pip WORDS...` or `fetch URL FILE`, for the driver."""
    if arguments[0] == "fetch":
        import urllib.request

        os.makedirs(os.path.dirname(arguments[2]), exist_ok=True)
        urllib.request.urlretrieve(arguments[1], arguments[2])
        return
    python = prepare(os.environ["HARBOUR_OVERLAY"])
    os.execv(python, [python, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments[1:]])


if __name__ == "__main__":
    main(sys.argv[1:])
