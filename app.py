"""Starts the app: `python app.py [--data-dir DIR] [--host HOST] [--port PORT]`. Also what a Hugging Face Space runs.

The composition root: settings are read here, and the parts are put together in `annotator.server`.
"""

from __future__ import annotations

import sys

from annotator.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
