"""doccano JSON Lines through doccano's own parser and label classes.

Run with doccano's own Python: python check_doccano.py FOLDER (made by `benchmarks.exchange_peers.make`).
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from pathlib import Path


def main(folder: Path) -> None:
    import backend

    sys.path.insert(0, str(Path(backend.__file__).parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
    import django

    django.setup()
    from data_import.pipeline.labels import SpanLabel
    from data_import.pipeline.parsers import JSONLParser
    from projects.models import Project

    truth = {tuple(row[:4]): row[4] for row in json.loads((folder / "truth.json").read_text("utf-8"))}
    parser, count = JSONLParser(), 0
    for row in parser.parse(str(folder / "doccano.jsonl")):
        count += 1
        for given in row["label"]:
            label = SpanLabel.parse("example", given)
            assert label is not None
            quote = truth.pop((row["post_id"], label.label, label.start_offset, label.end_offset))
            assert row["text"][label.start_offset : label.end_offset] == quote
    assert not parser.errors
    assert not truth, "spans are missing"
    assert Project is not None
    print(json.dumps({"doccano": importlib.metadata.version("doccano"), "examples": count}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
