"""Reports of a run to tensorboard, mlflow or trackio. They stay on this machine unless the tool itself was told otherwise:
tensorboard and mlflow write beside the model, trackio into its own directory (TRACKIO_DIR).
"""

from __future__ import annotations

from pathlib import Path

from encoder.config import TrainConfig

PROJECT = "evidence"
MLFLOW_FILE = "mlflow.db"


def reports_directory(output: Path) -> Path:
    """Where the reports of a run to `output` lie."""
    return output.with_name(f"{output.name}.reports")


def direct_reports(config: TrainConfig, directory: Path) -> None:
    """Give mlflow, if it is asked for, a database in the directory, unless it has a tracking server already."""
    if "mlflow" not in config.report_to:
        return
    import mlflow

    if not mlflow.is_tracking_uri_set():
        directory.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(f"sqlite:///{directory.absolute() / MLFLOW_FILE}")
