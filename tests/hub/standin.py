"""A stand-in for the Hugging Face Hub over real HTTP, for what `huggingface_hub` calls here.

Accounts by token, repositories (models, datasets, Spaces) with commits of ordinary and large files, downloads with etag and
ranges, and the settings of Spaces. Xet storage is not there: clients must have HF_HUB_DISABLE_XET set. Failures: `fail`, `cut`.
Further parts of the Hub join in with `route`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

from tests.hub.repos import Commit, Repo, StoredFile, git_blob_id, is_large, tree
from tests.hub.spaces import SpaceRoutes
from tests.hub.web import Refused, Request, Response, WebServer, answer, refuse

TOKEN = "hf_standin"
USER = "ana"
_KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
_API = r"/api/(models|datasets|spaces)/([^/]+/[^/]+)"


class StandIn(WebServer):
    """The Hub with one user, `ana`, whose token is TOKEN, and the organization `lab`. `accounts` may be added to."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, dict[str, Any]] = {
            TOKEN: {"type": "user", "name": USER, "fullname": "Ana", "orgs": [{"name": "lab"}]}
        }
        self.repos: dict[tuple[str, str], Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.buckets: dict[str, bool] = {}  # id -> private
        self._route_all()

    # --- for tests

    def add(self, kind: str, id: str, files: dict[str, bytes | str] | None = None, **more: Any) -> Repo:
        """A repository that is there already."""
        repo = self.repos[kind, id] = Repo(kind, id, **more)
        if files:
            repo.put(files)
        return repo

    def repo(self, kind: str, id: str) -> Repo:
        return self.repos[kind, id]

    # --- who may

    def account(self, request: Request) -> dict[str, Any] | None:
        if request.token is None:
            return None
        if request.token not in self.accounts:
            raise Refused(refuse(401, "Invalid credentials in Authorization header"))
        return self.accounts[request.token]

    def signed_in(self, request: Request) -> dict[str, Any]:
        account = self.account(request)
        if account is None:
            raise Refused(refuse(401, "Invalid username or password."))
        return account

    def readable(self, request: Request, kind: str, id: str) -> Repo:
        """The repository. Without a token a missing and a private one look the same (401), as on the Hub."""
        account = self.account(request)
        repo = self.repos.get((kind, id))
        if repo is not None and (not repo.private or (account and id.split("/")[0] in self._names(account))):
            return repo
        # huggingface_hub tells this 401 from others by an https address; over http only by the code
        if account is None:
            raise Refused(refuse(401, "Invalid username or password.", "RepoNotFound"))
        raise Refused(refuse(404, "Repository not found", "RepoNotFound"))

    def writable(self, request: Request, kind: str, id: str) -> Repo:
        account = self.signed_in(request)
        repo = self.readable(request, kind, id)
        if id.split("/")[0] not in self._names(account):
            raise Refused(refuse(403, f"You don't have write access to {id}"))
        return repo

    @staticmethod
    def _names(account: dict[str, Any]) -> set[str]:
        return {account["name"], *(o["name"] for o in account.get("orgs", []))}

    # --- routes

    def _route_all(self) -> None:
        self.route("GET", "/api/whoami-v2", lambda r: answer(self.signed_in(r)))
        self.route("POST", "/api/repos/create", self._create)
        self.route("DELETE", "/api/repos/delete", self._delete)
        self.route("POST", "/api/validate-yaml", lambda _: answer({"errors": [], "warnings": []}))
        SpaceRoutes(self).add()
        self.route("PUT", f"{_API}/settings", self._settings)
        self.route("GET", f"{_API}/auth-check", lambda r: answer(bool(self._repo(r))))
        self.route("GET", f"{_API}/refs", self._refs)
        self.route("GET", f"{_API}/commits/([^/]+)", self._commits)
        self.route("GET", f"{_API}(?:/revision/([^/]+))?", self._info)
        self.route("GET", f"{_API}/tree/([^/]+)(?:/(.+))?", self._tree)
        self.route("POST", f"{_API}/paths-info/([^/]+)", self._paths_info)
        self.route("POST", f"{_API}/preupload/([^/]+)", self._preupload)
        self.route("POST", f"{_API}/commit/([^/]+)", self._commit)
        prefix = "/(?:(datasets|spaces)/)?"
        self.route("POST", prefix + r"([^/]+/[^/]+)\.git/info/lfs/objects/batch", self._lfs_batch)
        self.route("PUT", "/lfs/([0-9a-f]{64})", self._lfs_put)
        self.route("POST", "/lfs/([0-9a-f]{64})/verify", self._lfs_verify)
        self.route("GET", prefix + "([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self._resolve)

    def _repo(self, request: Request) -> Repo:
        return self.readable(request, _KINDS[request.groups[0] or "models"], request.groups[1])

    def _create(self, request: Request) -> Response:
        account, given = self.signed_in(request), request.json()
        owner = given.get("organization") or account["name"]
        if owner not in self._names(account):
            return refuse(403, f"You don't have the rights to create a repository under {owner!r}")
        kind, id = given.get("type") or "model", f"{owner}/{given['name']}"
        url = f"{self.endpoint}/{'' if kind == 'model' else kind + 's/'}{id}"
        if (kind, id) in self.repos:
            return answer({"error": f"You already created this {kind} repo", "url": url}, 409)
        private = given.get("visibility") == "private" or bool(given.get("private"))
        repo = self.add(kind, id, private=private, sdk=given.get("sdk"))
        repo.space.hardware = given.get("hardware") or repo.space.hardware
        repo.space.secrets = {s["key"]: s["value"] for s in given.get("secrets") or []}
        repo.space.variables = {v["key"]: v["value"] for v in given.get("variables") or []}
        repo.space.volumes = given.get("volumes") or []
        return answer({"url": url, "name": id, "id": hashlib.sha1(url.encode()).hexdigest()[:24]})

    def _delete(self, request: Request) -> Response:
        given = request.json()
        owner = given.get("organization") or self.signed_in(request)["name"]
        repo = self.writable(request, given.get("type") or "model", f"{owner}/{given['name']}")
        del self.repos[repo.kind, repo.id]
        return answer({})

    def _settings(self, request: Request) -> Response:
        repo = self.writable(request, _KINDS[request.groups[0]], request.groups[1])
        given = request.json()
        if "visibility" in given or "private" in given:
            repo.private = given.get("visibility") == "private" or bool(given.get("private"))
        repo.gated = bool(given.get("gated", repo.gated))
        return answer({"private": repo.private})

    # --- reading

    def _commit_of(self, repo: Repo, revision: str) -> Commit:
        commit = repo.at(revision)
        if commit is None:
            raise Refused(refuse(404, f"Invalid rev id: {revision}", "RevisionNotFound"))
        return commit

    def _info(self, request: Request) -> Response:
        repo = self._repo(request)
        commit = self._commit_of(repo, request.groups[2])
        value = {
            "_id": repo.id,
            "id": repo.id,
            "author": repo.id.split("/")[0],
            "sha": commit.id,
            "private": repo.private,
            "gated": "manual" if repo.gated else False,
            "disabled": False,
            "tags": [],
            "siblings": [{"rfilename": path} for path in sorted(commit.files)],
            "lastModified": "2026-01-01T00:00:00.000Z",
        }
        if repo.kind == "space":
            value |= {"sdk": repo.sdk, "runtime": repo.space.runtime()}
        return answer(value)

    def _refs(self, request: Request) -> Response:
        branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": self._repo(request).head.id}
        return answer({"branches": [branch], "tags": [], "converts": []})

    def _commits(self, request: Request) -> Response:
        commits = reversed(self._repo(request).commits)
        rows = [{"id": c.id, "title": c.summary, "message": "", "date": "2026-01-01T00:00:00.000Z"} for c in commits]
        return answer([{**row, "authors": [{"user": USER}]} for row in rows])

    def _tree(self, request: Request) -> Response:
        commit, folder = self._commit_of(self._repo(request), request.groups[2]), request.groups[3]
        listed = tree(commit, folder, recursive=request.query.get("recursive", "").lower() in ("true", "1"))
        if folder and not listed:
            return refuse(404, f"{folder} does not exist", "EntryNotFound")
        return answer(listed)

    def _paths_info(self, request: Request) -> Response:
        commit = self._commit_of(self._repo(request), request.groups[2])
        given = request.json() if "json" in request.headers.get("content-type", "") else _form_lists(request)
        paths = [p.rstrip("/") for p in given["paths"]]
        everything = {e["path"]: e for e in tree(commit, "", recursive=True)}
        return answer([everything[p] for p in paths if p in everything])

    def _resolve(self, request: Request) -> Response:
        repo = self._repo(request)
        if repo.gated:
            status = 403 if request.token else 401
            return refuse(status, f"Access to model {repo.id} is restricted.", "GatedRepo")
        commit = self._commit_of(repo, request.groups[2])
        file = commit.files.get(request.groups[3])
        about = {"X-Repo-Commit": commit.id, "Accept-Ranges": "bytes"}
        if file is None:
            return refuse(404, "Entry not found", "EntryNotFound", X_Repo_Commit=commit.id)
        about |= {"ETag": f'"{file.etag}"', "Content-Type": "application/octet-stream"}
        if file.large:
            about |= {"X-Linked-Etag": f'"{file.etag}"', "X-Linked-Size": str(len(file.content))}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if wanted is None:
            return Response(file.content, 200, about | {"Content-Length": str(len(file.content))})
        start, size = int(wanted[1]), len(file.content)
        end = min(int(wanted[2] or size - 1), size - 1)
        if start >= size:
            return Response(b"", 416, {"Content-Range": f"bytes */{size}"})
        about["Content-Range"] = f"bytes {start}-{end}/{size}"
        return Response(file.content[start : end + 1], 206, about)

    # --- writing

    def _preupload(self, request: Request) -> Response:
        repo = self.writable(request, _KINDS[request.groups[0]], request.groups[1])
        there = self._commit_of(repo, request.groups[2]).files
        files = [
            {
                "path": f["path"],
                "uploadMode": "lfs" if is_large(f["path"], f["size"]) else "regular",
                "shouldIgnore": False,
                "oid": there[f["path"]].etag if f["path"] in there else None,
            }
            for f in request.json()["files"]
        ]
        return answer({"files": files})

    def _commit(self, request: Request) -> Response:
        repo = self.writable(request, _KINDS[request.groups[0]], request.groups[1])
        files, summary = dict(self._commit_of(repo, request.groups[2]).files), ""
        for line in filter(None, request.body.split(b"\n")):
            item = json.loads(line)
            value = item["value"]
            match item["key"]:
                case "header":
                    summary = value["summary"]
                    if value.get("parentCommit", repo.head.id) != repo.head.id:
                        return refuse(412, "A commit has happened since. Please refresh and try again.")
                case "file":
                    files[value["path"]] = StoredFile(base64.b64decode(value["content"]))
                case "lfsFile" if value["oid"] not in self.blobs:
                    return refuse(400, f"The content of {value['path']} was never uploaded")
                case "lfsFile":
                    files[value["path"]] = StoredFile(self.blobs[value["oid"]], large=True)
                case "deletedFile":
                    files.pop(value["path"], None)
                case "deletedFolder":
                    files = {p: f for p, f in files.items() if not p.startswith(value["path"].rstrip("/") + "/")}
        made = repo.commit(files, summary)
        return answer(
            {"success": True, "commitOid": made.id, "commitUrl": f"{self.endpoint}/{repo.id}/commit/{made.id}"}
        )

    def _lfs_batch(self, request: Request) -> Response:
        self.writable(request, _KINDS[request.groups[0] or "models"], request.groups[1])
        objects = []
        for wanted in request.json()["objects"]:
            entry: dict[str, Any] = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self.blobs:
                href = f"{self.endpoint}/lfs/{wanted['oid']}"
                entry["actions"] = {"upload": {"href": href}, "verify": {"href": f"{href}/verify"}}
            objects.append(entry)
        return answer({"transfer": "basic", "objects": objects})

    def _lfs_put(self, request: Request) -> Response:
        if hashlib.sha256(request.body).hexdigest() != request.groups[0]:
            return refuse(400, "The content is not what its hash says")
        self.blobs[request.groups[0]] = request.body
        return Response(headers={"ETag": f'"{git_blob_id(request.body)}"'})

    def _lfs_verify(self, request: Request) -> Response:
        given = request.json()
        if len(self.blobs.get(given["oid"], b"")) != given["size"]:
            return refuse(400, "The upload is not complete")
        return answer({})


def _form_lists(request: Request) -> dict[str, list[str]]:
    from urllib.parse import parse_qs

    return parse_qs(request.body.decode())
