"""The part of the stand-in Hub that lists large files and removes them for good, out of the history too."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.hub.repos import Commit, StoredFile
from tests.hub.standin import StandIn
from tests.hub.web import Request, Response, answer


def add_large_files(hub: StandIn) -> None:
    """Let the stand-in answer `list_lfs_files` and `permanently_delete_lfs_files` for datasets."""
    path = "/api/datasets/([^/]+/[^/]+)/lfs-files"

    def listed(request: Request) -> Response:
        repo = hub.readable(request, "dataset", request.groups[0])
        named = {f.sha256: (name, f) for c in repo.commits for name, f in c.files.items() if f.large}
        return answer([_entry(name, file) for name, file in named.values()])

    def removed(request: Request) -> Response:
        repo = hub.writable(request, "dataset", request.groups[0])
        gone = set(request.json()["deletions"]["sha"])
        for sha256 in [s for s in hub.blobs if _oid(s) in gone]:
            del hub.blobs[sha256]
        kept = [{n: f for n, f in c.files.items() if _oid(f.sha256) not in gone} for c in repo.commits]
        repo.commits[:] = [Commit(c.id, c.summary, files) for c, files in zip(repo.commits, kept, strict=True)]
        return answer({})

    hub.route("GET", path, listed)
    hub.route("POST", path + "/batch", removed)


def _entry(name: str, file: StoredFile) -> dict[str, Any]:
    return {
        "fileOid": _oid(file.sha256),
        "filename": name,
        "oid": file.sha256,
        "pushedAt": "2026-01-01T00:00:00.000Z",
        "ref": "main",
        "size": len(file.content),
    }


def _oid(sha256: str) -> str:
    """How the Hub calls the object, which is not the hash of its content."""
    return hashlib.sha1(sha256.encode()).hexdigest()
