"""Has nbformat read, validate and write again the notebooks named on the command line; says which fail."""
import sys

import nbformat

failed = 0
for path in sys.argv[1:]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        notebook = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
        nbformat.validate(notebook)
        written = nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"
        if written != text:
            raise ValueError("nbformat writes it differently")
    except Exception as error:
        failed += 1
        print(f"{path}: {type(error).__name__}: {error}")
sys.exit(1 if failed else 0)
