"""Label Studio tasks through its SDK: the labelling configuration, each task, annotation and prediction, and its Converter.

Run with the SDK's own Python: python check_label_studio.py FOLDER (made by `benchmarks.exchange_peers.make`).
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import tempfile
from pathlib import Path

from label_studio_sdk.converter import Converter
from label_studio_sdk.label_interface import LabelInterface


def main(folder: Path) -> None:
    config = (folder / "label-studio.config.xml").read_text("utf-8")
    tasks = json.loads((folder / "label-studio.json").read_text("utf-8"))
    interface = LabelInterface(config)
    interface.validate()
    truth = {tuple(row[:4]): row[4] for row in json.loads((folder / "truth.json").read_text("utf-8"))}
    for task in tasks:
        assert interface.validate_task({"data": task["data"]})
        for annotation in task["annotations"]:
            assert interface.validate_annotation(annotation), annotation
            for result in annotation["result"]:
                if result["type"] == "labels":
                    value = result["value"]
                    quote = truth.pop((task["data"]["post_id"], value["labels"][0], value["start"], value["end"]))
                    assert task["data"]["text"][value["start"] : value["end"]] == quote == value["text"]
        for prediction in task["predictions"]:
            assert interface.validate_prediction(prediction), prediction
    assert not truth, "spans are missing"
    with tempfile.TemporaryDirectory() as out:
        Converter(config, out, download_resources=False).convert_to_json(
            str(folder / "label-studio.json"), out, is_dir=False
        )
        converted = json.loads((Path(out) / "result.json").read_text("utf-8"))
    assert len(converted) == len(tasks)
    version = importlib.metadata.version("label-studio-sdk")
    print(json.dumps({"label-studio-sdk": version, "tasks": len(tasks), "converted": len(converted)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
