"""doccano JSON Lines through doccano's own importer, into a database of its own: reader, parser, makers, label and span models.

Run with doccano's own Python: python check_doccano.py FOLDER (made by `benchmarks.exchange_peers.make`).
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import tempfile
from pathlib import Path


def main(folder: Path) -> None:
    import backend

    with tempfile.TemporaryDirectory() as data:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings.production",
            "DATABASE_URL": f"sqlite:///{data}/doccano.db",
            "SECRET_KEY": "for this check only",
        }
        sys.path.insert(0, str(Path(backend.__file__).parent))
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        imported = load(folder / "doccano.jsonl")
    truth = {tuple(row[:4]): row[4] for row in json.loads((folder / "truth.json").read_text("utf-8"))}
    for post_id, text, label, start, end in imported["spans"]:
        assert text[start:end] == truth.pop((post_id, label, start, end)), (post_id, label)
    assert not truth, "spans are missing"
    version = importlib.metadata.version("doccano")
    print(json.dumps({"doccano": version, "examples": imported["examples"], "spans": len(imported["spans"])}))


def load(file: Path) -> dict:
    """What doccano has stored after importing the file into a project that allows overlapping spans."""
    from data_import.datasets import load_dataset
    from data_import.pipeline.catalog import JSONL
    from data_import.pipeline.readers import FileName
    from django.contrib.auth import get_user_model
    from examples.models import Example
    from labels.models import Span
    from projects.models import ProjectType, SequenceLabelingProject

    user = get_user_model().objects.create_user("ana", password="for this check only")
    project = SequenceLabelingProject.objects.create(
        name="check", project_type=ProjectType.SEQUENCE_LABELING, created_by=user, allow_overlapping=True
    )
    named = FileName(full_path=str(file), generated_name=file.name, upload_name=file.name)
    dataset = load_dataset(
        ProjectType.SEQUENCE_LABELING, JSONL, [named], project, encoding="utf_8"
    )  # its guess fails for emoji
    dataset.save(user, batch_size=1000)
    assert not dataset.errors, dataset.errors
    spans = [
        (s.example.meta["post_id"], s.example.text, s.label.text, s.start_offset, s.end_offset)
        for s in Span.objects.select_related("example", "label")
    ]
    return {"examples": Example.objects.count(), "spans": spans}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
