"""Model versions in the store, and which of them was in service when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.connection import Connections
from storage.records import InvalidRecord, ModelStatus, ModelVersion, NotFound, utc_now
from storage.rows import model_from_row, to_json


class ModelStore(Connections):
    """Questions and events about model versions."""

    def add_model(self, model: ModelVersion) -> None:
        """Register a model version. Raises InvalidRecord if the id is taken."""
        with self.write() as db:
            if any(db.query("SELECT 1 FROM model_version WHERE id = ?", [model.id])):
                raise InvalidRecord(f"There is a model version {model.id!r} already.")
            db.conn.execute(
                "INSERT INTO model_version (id, path, status, parent, base, metrics, config, data_sha256, examples,"
                " size_bytes, job_id, note, created_by, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    model.id,
                    model.path,
                    str(model.status),
                    model.parent,
                    model.base,
                    to_json(dict(model.metrics)),
                    to_json(dict(model.config)),
                    model.data_sha256,
                    model.examples,
                    model.size_bytes,
                    model.job_id,
                    model.note,
                    model.created_by,
                    model.created_at or utc_now(),
                ],
            )

    def model(self, model_id: str) -> ModelVersion:
        with self.read() as db:
            for row in db.query("SELECT * FROM model_version WHERE id = ?", [model_id]):
                return model_from_row(row)
        raise NotFound(f"There is no model version {model_id!r}.")

    def models(self, *, with_deleted: bool = False) -> list[ModelVersion]:
        """Model versions, newest first."""
        with self.read() as db:
            rows = db.query("SELECT * FROM model_version ORDER BY created_at DESC, rowid DESC")
            models = [model_from_row(row) for row in rows]
        return [m for m in models if with_deleted or m.status is not ModelStatus.DELETED]

    def next_model_id(self) -> str:
        """`v1`, `v2`, ...: never one that was used before, deleted versions included."""
        with self.read() as db:
            numbers = [
                int(row["id"][1:])
                for row in db.query("SELECT id FROM model_version WHERE id GLOB 'v[0-9]*'")
                if row["id"][1:].isdigit()
            ]
        return f"v{max(numbers, default=0) + 1}"

    def update_model(
        self,
        model_id: str,
        *,
        status: ModelStatus | None = None,
        metrics: Mapping[str, Any] | None = None,
        note: str | None = None,
    ) -> None:
        """Change what is known about a version; what is None stays."""
        with self.write() as db:
            cursor = db.conn.execute(
                "UPDATE model_version SET status = coalesce(?, status), metrics = coalesce(?, metrics),"
                " note = coalesce(?, note) WHERE id = ?",
                [status and str(status), None if metrics is None else to_json(dict(metrics)), note, model_id],
            )
            if cursor.rowcount == 0:
                raise NotFound(f"There is no model version {model_id!r}.")

    def active_model(self) -> ModelVersion | None:
        """The version in service, or None in a store that has no model yet."""
        with self.read() as db:
            rows = db.query(
                "SELECT m.* FROM model_activation a JOIN model_version m ON m.id = a.model_version"
                " ORDER BY a.id DESC LIMIT 1"
            )
            return next((model_from_row(row) for row in rows), None)

    def activate_model(self, model_id: str, *, by: str | None, note: str = "") -> None:
        """Put a version in service. Raises NotFound, or InvalidRecord if its files were deleted."""
        with self.write() as db:
            if self.model(model_id).status is ModelStatus.DELETED:
                raise InvalidRecord(f"Model version {model_id} was deleted and cannot be put in service.")
            db.conn.execute(
                "INSERT INTO model_activation (model_version, activated_by, activated_at, note) VALUES (?, ?, ?, ?)",
                [model_id, by, utc_now(), note],
            )

    def activations(self) -> list[dict[str, Any]]:
        """What was in service when, newest first: model_version, activated_by, activated_at, note."""
        with self.read() as db:
            return list(db.query("SELECT * FROM model_activation ORDER BY id DESC"))
