"""The Hub on two origins, as the real one has them: the site, and the storage of large files."""

import hashlib
import json
import math
import re
import socket
import struct
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub import protocol
from tests.hub.faults import CUT, ENDED, LOST, WRONG, Calls
from tests.hub.store import Refusal, Store

_ID = r"(?P<repo>[\w.-]+/[\w.-]+)"
_API = rf"/api/models/{_ID}"
ROUTES = [
    ("create", "POST", r"/api/repos/create"),
    ("validate-yaml", "POST", r"/api/validate-yaml"),
    ("harnesses", "GET", r"/api/agent-harnesses"),
    ("whoami", "GET", r"/api/whoami-v2"),
    ("refs", "GET", rf"{_API}/refs"),
    ("discussions", "GET", rf"{_API}/discussions"),
    ("tree", "GET", rf"{_API}/tree/(?P<rev>[^/]+)"),
    ("paths-info", "POST", rf"{_API}/paths-info/(?P<rev>[^/]+)"),
    ("preupload", "POST", rf"{_API}/preupload/(?P<rev>[^/]+)"),
    ("commit", "POST", rf"{_API}/commit/(?P<rev>[^/]+)"),
    ("branch", "POST", rf"{_API}/branch/(?P<rev>[^/]+)"),
    ("delete-branch", "DELETE", rf"{_API}/branch/(?P<rev>[^/]+)"),
    ("tag", "POST", rf"{_API}/tag/(?P<rev>[^/]+)"),
    ("info", "GET", rf"{_API}(?:/revision/(?P<rev>[^/]+))?"),
    ("batch", "POST", rf"/{_ID}\.git/info/lfs/objects/batch"),
    ("verify", "POST", rf"/lfs/verify/{_ID}"),
    ("complete", "POST", r"/lfs/complete/(?P<oid>\w+)"),
    ("head", "HEAD", rf"/{_ID}/resolve/(?P<rev>[^/]+)/(?P<path>.+)"),
    ("get", "GET", rf"/{_ID}/resolve/(?P<rev>[^/]+)/(?P<path>.+)"),
    ("put", "PUT", r"/upload/(?P<oid>\w+)(?:/(?P<part>\d+))?"),
    ("download", "GET", r"/object/(?P<oid>\w+)"),
]
WRITES = {"preupload", "commit", "branch", "delete-branch", "tag", "batch", "verify"}
STORAGE = {"put", "download"}


@dataclass
class HubServer:
    """A running Hub. `url` is the site's origin, `storage` the other one's."""

    store: Store = field(default_factory=Store)
    calls: Calls = field(default_factory=Calls)
    url: str = ""
    storage: str = ""
    part_size: int | None = None
    """Objects above this size are uploaded in parts."""

    def upload_actions(self, repo_id):
        def actions(oid, size):
            verify = {"href": f"{self.url}/lfs/verify/{repo_id}"}
            address = f"{self.storage}/upload/{oid}"
            if self.part_size is None or size <= self.part_size:
                return {"upload": {"href": f"{address}?signature=secret"}, "verify": verify}
            parts = range(1, math.ceil(size / self.part_size) + 1)
            header = {"chunk_size": str(self.part_size)}
            header |= {str(n): f"{address}/{n}?signature=secret" for n in parts}
            upload = {"href": f"{self.url}/lfs/complete/{oid}", "header": header}
            return {"upload": upload, "verify": verify}

        return actions


@contextmanager
def running_hub():
    """A Hub in threads of this process, on free ports of `localhost` and `127.0.0.1`."""
    hub = HubServer()
    handler = type("Handler", (_Handler,), {"hub": hub})
    servers = [_Server(("127.0.0.1", 0), handler) for _ in range(2)]
    hub.url = f"http://localhost:{servers[0].server_port}"
    hub.storage = f"http://127.0.0.1:{servers[1].server_port}"
    threads = [Thread(target=server.serve_forever, args=(0.05,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that hangs up is what some tests are about; anything else is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer

    def log_message(self, *_):
        pass

    def _serve(self):
        parts = urlsplit(self.path)
        # A dataset's addresses are a model's with a word more; here both are repositories.
        path = re.sub(
            r"^/(api/)?datasets/", lambda at: "/api/models/" if at[1] else "/", parts.path
        )
        route, names = _route(self.command, path)
        fault = self.hub.calls.note(route, f"{self.command} {self.path}", self.headers)
        length = int(self.headers.get("Content-Length") or 0)
        if fault:
            fault.before()
        if fault and fault.kind == CUT and route != "download":
            self.rfile.read(length // 2)
            return self._hang_up()
        body = self._chunks() if self.headers.get("Transfer-Encoding") else self.rfile.read(length)
        try:
            if fault and isinstance(fault.kind, int):
                raise Refusal(fault.kind, fault.error, retry_after=fault.retry_after)
            status, headers, content = self._answer(
                route, names, parse_qs(parts.query), body, fault
            )
        except Refusal as refusal:
            status, headers, content = _refused(refusal)
        if fault and fault.kind == LOST:
            return self._hang_up()
        is_short = fault is not None and fault.kind in (CUT, ENDED)
        self._send(
            status, headers, content[: len(content) // 2] if is_short else content, len(content)
        )
        if fault and fault.kind == CUT:
            self._hang_up()
        self.close_connection = self.close_connection or is_short

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _serve

    def _chunks(self):
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, status, headers, content, length):
        self.send_response(status)
        for name, value in ({"Content-Length": length} | headers).items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _hang_up(self):
        self.wfile.flush()
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)  # a reset at once instead of a polite end
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def _answer(self, route, names, query, body, fault):
        """Status, headers and content."""
        if route == "unknown":
            raise Refusal(404, f"{self.command} {self.path}: this Hub does not know it")
        is_wrong = bool(fault and fault.kind == WRONG)
        if route in STORAGE:
            return self._of_storage(route, names, body, is_wrong)
        if route in ("head", "get"):
            return self._of_file(names, is_wrong)
        value = self._of_site(route, names, query, body, is_wrong)
        return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()

    def _of_site(self, route, names, query, body, is_wrong):
        store, account = self.hub.store, self._account()
        rev = unquote(names.get("rev") or "main")
        if route == "harnesses":  # programs that the client tells from people
            return {}
        if route == "validate-yaml":
            return protocol.validate_yaml(json.loads(body))
        if route == "complete":
            return _complete(store, json.loads(body))
        if account is None and (route in WRITES or route in ("create", "whoami")):
            raise Refusal(401, "Invalid username or password.")
        if route == "whoami":
            return {"type": "user", "name": account, "orgs": [], "auth": {}}
        if route == "create":
            answer = protocol.create(store, account, json.loads(body))
            return {"url": self.hub.url + answer["url"]}
        # Whoever may read may propose; large files are nobody's before a commit names them.
        is_free = "create_pr" in query or route in ("batch", "verify")
        repo = self._repo(names["repo"], account, is_write=route in WRITES and not is_free)
        if route == "paths-info":
            return protocol.paths_info(repo, rev, body)
        if route == "commit":
            return protocol.commit(store, repo, rev, body, create_pr="create_pr" in query)
        return self._of_repo(route, repo, rev, query, json.loads(body or b"{}"), is_wrong)

    def _of_repo(self, route, repo, rev, query, body, is_wrong):
        answers = {
            "info": lambda: protocol.info(repo, rev),
            "discussions": lambda: protocol.discussions(repo),
            "refs": lambda: protocol.refs(repo, "include_prs" in query),
            "tree": lambda: protocol.tree(repo, rev, is_wrong=is_wrong),
            "preupload": lambda: protocol.preupload(repo, rev, body),
            "branch": lambda: protocol.make_branch(repo, rev, body),
            "delete-branch": lambda: protocol.drop_branch(repo, rev),
            "tag": lambda: protocol.make_tag(repo, rev, body),
            "batch": lambda: protocol.batch(self.hub.store, body, self.hub.upload_actions(repo.id)),
            "verify": lambda: protocol.verify(self.hub.store, body),
        }
        return answers[route]()

    def _account(self):
        given = self.headers.get("Authorization")
        if given is None:
            return None
        account = self.hub.store.tokens.get(given.removeprefix("Bearer "))
        if account is None:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return account

    def _repo(self, repo_id, account, *, is_write=False):
        repo = self.hub.store.repos.get(repo_id)
        owns = account is not None and repo_id.partition("/")[0] == account
        if repo is None or (repo.private and not owns):
            status = 401 if account is None else 404
            raise Refusal(status, "Repository not found", "RepoNotFound")
        if is_write and not owns:
            raise Refusal(403, f"You have no write access to {repo_id}")
        return repo

    def _of_file(self, names, is_wrong):
        store, account = self.hub.store, self._account()
        repo = self._repo(names["repo"], account)
        if repo.gated and account not in store.readers.get(repo.id, ()):
            status = 401 if account is None else 403
            message = f"Access to model {repo.id} is restricted. Visit {repo.id} to ask for access."
            raise Refusal(status, message, "GatedRepo")
        commit, stored = protocol.file_at(repo, unquote(names["rev"]), unquote(names["path"]))
        headers = {"X-Repo-Commit": commit.sha}
        if stored.oid is None:
            data = _flipped(stored.data) if is_wrong else stored.data
            return 200, headers | {"ETag": f'"{stored.blob_id}"'}, data
        location = f"{self.hub.storage}/object/{stored.oid}?signature=secret"
        headers |= {"Location": location, "X-Linked-Size": stored.size}
        return 302, headers | {"X-Linked-Etag": f'"{stored.oid}"'}, b""

    def _of_storage(self, route, names, body, is_wrong):
        store, oid = self.hub.store, names["oid"]
        if route == "put":
            return 200, {"ETag": '"part"'}, _put(store, oid, names["part"], body, is_wrong)
        data = _flipped(store.objects[oid]) if is_wrong else store.objects[oid]
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not asked:
            return 200, {}, data
        start = int(asked[1])
        return 206, {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}, data[start:]


def _route(method, path):
    for name, wanted, pattern in ROUTES:
        if wanted == method and (found := re.fullmatch(pattern, path)):
            return name, found.groupdict()
    return "unknown", {}


def _refused(refusal):
    more = dict(refusal.more)
    wait = more.pop("retry_after", None)
    headers = {"Content-Type": "application/json", "X-Error-Message": refusal.message}
    if refusal.code:
        headers["X-Error-Code"] = refusal.code
    if wait is not None:
        headers["Retry-After"] = wait
    return refusal.status, headers, json.dumps({"error": refusal.message} | more).encode()


def _put(store, oid, part, body, is_wrong):
    data = _flipped(body) if is_wrong else body
    if part:
        store.parts[oid, int(part)] = data
    elif store.refuses_wrong_objects and hashlib.sha256(data).hexdigest() != oid:
        store.refused.append(data)
        raise Refusal(400, "BadDigest: what arrived has another sha256")
    else:
        store.objects[oid] = data
    return b""


def _complete(store, body):
    numbers = [part["partNumber"] for part in body["parts"]]
    data = b"".join(store.parts[body["oid"], number] for number in numbers)
    if store.refuses_wrong_objects and hashlib.sha256(data).hexdigest() != body["oid"]:
        store.refused.append(data)
        raise Refusal(400, "BadDigest: what arrived has another sha256")
    store.objects[body["oid"]] = data
    return {}


def _flipped(data):
    return data[:-1] + bytes([data[-1] ^ 1])
