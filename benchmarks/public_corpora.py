"""Ten public corpora by name, each with the command line that imports it whole; times those that lie in a folder.

    python -m benchmarks.public_corpora                 # the list, with where each is found and its command
    python -m benchmarks.public_corpora FOLDER          # imports each that is there (FOLDER/<name>…) into a project of its own

Nothing is downloaded: each corpus has its own terms. Prints JSON lines: name, seconds, posts, answers, rows refused, left out.
"""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from annotator.commands.exchange import import_options
from annotator.exchange.use_cases import import_file
from annotator.project import open_project
from annotator.settings import from_environment


@dataclass(frozen=True)
class Corpus:
    """name: of the file or folder. where: where its authors give it out. options: of `evidence import`."""

    name: str
    where: str
    options: str


CORPORA = (
    Corpus("squad_v2", "huggingface.co/datasets/rajpurkar/squad_v2", "--new-criteria --labels-as ignore"),
    Corpus("conll2003", "huggingface.co/datasets/eriktks/conll2003 (Parquet)", "--new-criteria"),
    Corpus("wnut_17", "huggingface.co/datasets/leondz/wnut_17 (Parquet)", "--new-criteria"),
    Corpus("go_emotions", "huggingface.co/datasets/google-research-datasets/go_emotions", "--source Reddit"),
    Corpus(
        "toxic_spans",
        "github.com/ipavlopoulos/toxic_spans (CSV, places of characters)",
        "--label spans=TOXIC --new-criteria",
    ),
    Corpus("bionlp_2011_ge", "BioNLP shared task 2011, GENIA events (.txt, .a1, .a2)", "--new-criteria"),
    Corpus("genia_term", "geniaproject.org, term corpus in brat standoff", "--new-criteria"),
    Corpus("redsm5", "ReDSM5 (on request from its authors)", ""),
    Corpus("dreaddit", "huggingface.co/datasets/asoria/dreaddit (CSV)", "--column text=text --column post_id=id"),
    Corpus("depression_submissions.zst", "academictorrents.com, dumps of Reddit by subreddit", "--unescape"),
)


def found_in(folder: Path, name: str) -> Path | None:
    """The file or folder of the corpus, whatever it is packed as."""
    return next(iter(sorted([*folder.glob(name), *folder.glob(f"{name}.*")])), None)


def measured(corpus: Corpus, path: Path) -> dict[str, object]:
    """Import the corpus into an empty project; what became of it, and the seconds it took."""
    with tempfile.TemporaryDirectory() as place:
        project = open_project(from_environment({"data_dir": Path(place), "empty": True}))
        began = time.perf_counter()
        report = import_file(project, path, **import_options(shlex.split(corpus.options)))
        seconds = time.perf_counter() - began
        left = sum(e["count"] for e in report["ledger"] if e["outcome"] == "left out")
        kept = {k: report[k] for k in ("format", "rows", "imported", "annotations", "rejected_count")}
        return {"name": corpus.name, "seconds": round(seconds, 2), **kept, "left_out": left}


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    for corpus in CORPORA:
        path = found_in(folder, corpus.name) if folder is not None else None
        if path is not None:
            sys.stdout.write(json.dumps(measured(corpus, path)) + "\n")
        elif folder is None:
            command = f"evidence import {corpus.name} {corpus.options}".strip()
            sys.stdout.write(f"{corpus.where}\n    {command}\n")


if __name__ == "__main__":
    main()
