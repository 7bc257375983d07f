"""The client against servers of other people's making, plain and over TLS."""

import hashlib
import shutil
import sys
from dataclasses import dataclass

import gevent
import pytest
from http_peers import free_port, no_leaks, process_on

BUNDLE = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(BUNDLE).hexdigest()

# All servers speak alike: /check (JSON), /bundle.js, /moved (302), /echo (the body), /gone (404),
# /none (204), /same (304), /slices (the bundle without a length), /bye (closes its connection).
UVICORN = """
import hashlib
BUNDLE = bytes(range(256)) * 4096
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    path, body, status, headers = scope["path"], b"", 200, []
    more = True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    if path == "/check":
        body, headers = b'{"updateAvailable":false}', [(b"content-type", b"application/json")]
    elif path == "/bundle.js":
        body, headers = BUNDLE, [(b"content-length", b"%d" % len(BUNDLE))]
    elif path == "/slices":
        body = BUNDLE
    elif path == "/none":
        status, body = 204, b""
    elif path == "/same":
        status, body = 304, b""
    elif path == "/bye":
        body, headers = b"bye", [(b"connection", b"close")]
    elif path == "/moved":
        status, headers, body = 302, [(b"location", b"/check")], b""
    elif path == "/gone":
        status, body = 404, b"none"
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for at in range(0, len(body), 100_000):  # without a length: chunked
        await send(
            {"type": "http.response.body", "body": body[at:at + 100_000], "more_body": True}
        )
    await send({"type": "http.response.body", "body": b""})
"""

PYTHON = r"""
import ssl, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
BUNDLE = bytes(range(256)) * 4096
class Handler(BaseHTTPRequestHandler):
    protocol_version = sys.argv[2]
    wbufsize = -1
    def log_message(self, *_): pass
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        status, location = 200, None
        if self.path == "/check": body = b'{"updateAvailable":false}'
        elif self.path in ("/bundle.js", "/slices"): body = BUNDLE
        elif self.path == "/none": status, body = 204, b""
        elif self.path == "/same": status, body = 304, b""
        elif self.path == "/bye": body, self.close_connection = b"bye", True
        elif self.path == "/moved": status, location, body = 302, "/check", b""
        elif self.path == "/gone": status, body = 404, b"none"
        self.send_response(status)
        if location: self.send_header("Location", location)
        chunks = self.path == "/slices" and self.protocol_version == "HTTP/1.1"
        if chunks: self.send_header("Transfer-Encoding", "chunked")
        elif self.path != "/slices" and status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        if self.path == "/bye": self.send_header("Connection", "close")
        self.end_headers()
        if chunks:
            pieces = [body[at:at + 100_000] for at in range(0, len(body), 100_000)]
            body = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces)
            body += b"0\r\n\r\n"
        if self.command != "HEAD": self.wfile.write(body)
    do_GET = do_POST = do_HEAD = do_PUT = answer
ThreadingHTTPServer.request_queue_size = 128
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
if sys.argv[3:]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[3:])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""

NODE = """
const fs = require("fs");
const [port, cert, key] = process.argv.slice(2);
const bundle = Buffer.alloc(1 << 20);
for (let i = 0; i < bundle.length; i++) bundle[i] = i % 256;
function answer(request, response) {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    if (request.url === "/check") {
      response.setHeader("content-type", "application/json");
      response.end('{"updateAvailable":false}');
    } else if (request.url === "/bundle.js") response.end(bundle);
    else if (request.url === "/slices") {
      for (let i = 0; i < bundle.length; i += 100000)
        response.write(bundle.subarray(i, i + 100000));
      response.end();
    } else if (request.url === "/none") response.writeHead(204).end();
    else if (request.url === "/same") response.writeHead(304).end();
    else if (request.url === "/bye") response.writeHead(200, { connection: "close" }).end("bye");
    else if (request.url === "/moved") response.writeHead(302, { location: "/check" }).end();
    else if (request.url === "/gone") response.writeHead(404).end("none");
    else { for (const piece of pieces) response.write(piece); response.end(); }
  });
}
const server = cert
  ? require("https").createServer(
      { cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, answer)
  : require("http").createServer(answer);
server.keepAliveTimeout = 300;
server.listen(Number(port), "127.0.0.1");
"""

NGINX = """
daemon off; master_process off; pid {root}/nginx.pid; error_log {root}/error.log crit;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 20m; default_type application/json; gzip on;
  gzip_types application/javascript application/json; gzip_min_length 1;
  client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
  uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
  server {{
    listen 127.0.0.1:{port} {tls};
    {certificate}
    root {root};
    location = /check {{ return 200 '{{"updateAvailable":false}}'; }}
    location = /moved {{ return 302 /check; }}
    location = /gone {{ return 404 'none'; }}
    location = /none {{ return 204; }}
    location = /same {{ return 304; }}
    location = /bye {{ keepalive_timeout 0; return 200 'bye'; }}
    location = /slices {{ ssi on; ssi_types *; alias {root}/bundle.js; }}
  }}
}}
"""


@dataclass(frozen=True)
class Server:
    base: str
    echoes: bool = True
    ca_file: str | None = None
    idle_s: float = 0.0  # after which it closes a kept connection, if that is soon
    keeps: bool = True
    compresses: bool = False


def _needs(command):
    if shutil.which(command) is None:
        pytest.skip(f"{command} is not installed: the client was not tested against it")


def _tls_options(tls, certificates):
    folder = certificates.folder
    return [str(folder / "good.pem"), str(folder / "good.key")] if tls else []


@pytest.fixture(
    scope="module",
    params=[
        "uvicorn",
        "uvicorn+tls",
        "http.server",
        "http.server+tls",
        "http.server 1.0",
        "nginx",
        "nginx+tls",
        "node",
        "node+tls",
    ],
)
def server(request, tmp_path_factory, certificates):
    name, _, tls = request.param.partition("+")
    root = tmp_path_factory.mktemp("server")
    port = free_port()
    files = _tls_options(tls, certificates)
    base = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
    ca_file = str(certificates.ca) if tls else None
    if name == "uvicorn":
        (root / "app.py").write_text(UVICORN)
        command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)]
        command += ["--timeout-keep-alive", "1", "--log-level", "critical"]
        if files:
            command += ["--ssl-certfile", files[0], "--ssl-keyfile", files[1]]
        made = Server(base, ca_file=ca_file, idle_s=1.0)
    elif name.startswith("http.server"):
        version = "HTTP/1.0" if name.endswith("1.0") else "HTTP/1.1"
        (root / "app.py").write_text(PYTHON)
        command = [sys.executable, "app.py", str(port), version, *files]
        made = Server(base, ca_file=ca_file, keeps=version == "HTTP/1.1")
    elif name == "node":
        _needs("node")
        (root / "app.js").write_text(NODE)
        command = ["node", "app.js", str(port), *files]
        made = Server(base, ca_file=ca_file, idle_s=0.3)
    else:
        _needs("nginx")
        (root / "bundle.js").write_bytes(BUNDLE)
        lines = f"ssl_certificate {files[0]}; ssl_certificate_key {files[1]};" if files else ""
        (root / "nginx.conf").write_text(
            NGINX.format(root=root, port=port, tls="ssl" if tls else "", certificate=lines)
        )
        command = ["nginx", "-p", str(root), "-c", str(root / "nginx.conf")]
        made = Server(base, echoes=False, ca_file=ca_file, compresses=True)
    with process_on(port, command, cwd=root):
        yield made


@pytest.fixture
def user(server, lean):
    return lean(server.base, tls_ca_file=server.ca_file)


def test_a_check_is_answered_and_the_connection_kept(server, user):
    with no_leaks():
        for _ in range(20):
            response = user.client.get("/check")
            assert response.cause is None
            assert response.json() == {"updateAvailable": False}
        user.client.close()
    assert user.client.connects == (1 if server.keeps else 20)
    assert user.causes == [None] * 20


@pytest.mark.parametrize("keep", [True, False])
def test_a_bundle_arrives_whole(server, user, keep):
    for _ in range(3):
        response = user.client.get("/bundle.js", keep_body=keep, digest="sha256")
        assert (response.cause, response.digest) == (None, DIGEST)
        assert response.body_bytes == len(BUNDLE)
        assert response.content == (BUNDLE if keep else b"")


def test_a_dropped_bundle_leaves_the_connection_in_order(server, user):
    for _ in range(3):
        assert user.client.get("/bundle.js", keep_body=False).body_bytes == len(BUNDLE)
        assert user.client.get("/check").json() == {"updateAvailable": False}
    assert user.causes == [None] * 6


def test_a_body_without_a_length_arrives_whole(server, user):
    for _ in range(2):
        response = user.client.get("/slices", digest="sha256")
        assert (response.cause, response.digest) == (None, DIGEST)
        assert "content-length" not in response.headers
        assert response.content == BUNDLE
    assert user.client.connects == (1 if server.keeps else 2)


@pytest.mark.parametrize(("path", "status"), [("/none", 204), ("/same", 304)])
def test_a_status_without_a_body_leaves_the_connection_in_order(path, status, server, user):
    response = user.client.get(path)
    assert (response.cause, response.status_code, response.content) == (None, status, b"")
    assert user.client.get("/check").json() == {"updateAvailable": False}
    assert user.client.connects == (1 if server.keeps else 2)


def test_a_server_that_says_goodbye_is_connected_to_again(server, user):
    for _ in range(2):
        response = user.client.post("/bye", data=b"")
        assert (response.cause, response.content) == (None, b"bye")
    assert user.client.get("/check").cause is None
    assert user.client.connects == 3


def test_a_redirect_is_followed(server, user):
    response = user.client.get("/moved", name="moved")
    assert response.json() == {"updateAvailable": False}
    assert user.names == ["moved (redirect)", "moved"]


def test_a_missing_page_is_a_failed_status(server, user):
    assert user.client.get("/gone").cause == "status 404"
    assert user.client.get("/gone", expect=404).cause is None


def test_a_head_request_leaves_the_connection_in_order(server, user):
    response = user.client.head("/check")
    assert (response.cause, response.body_bytes) == (None, 0)
    assert user.client.get("/check").json() == {"updateAvailable": False}


def test_a_body_is_echoed(server, user):
    if not server.echoes:
        pytest.skip("this server does not echo")
    for size in (0, 1, 100_000, 5_000_000):
        data = BUNDLE[:1] * size
        response = user.client.post("/echo", data=data)
        assert (response.cause, response.content) == (None, data)
    assert user.client.post("/echo", json={"a": "ü"}).json() == {"a": "ü"}


def test_a_compressed_answer_is_decoded_when_it_was_asked_for(server, user):
    response = user.client.get("/check", headers={"Accept-Encoding": "gzip"})
    assert response.json() == {"updateAvailable": False}
    assert (response.headers.get("content-encoding") == "gzip") is server.compresses


def test_an_idle_connection_that_the_server_closed_costs_nothing(server, user):
    if not server.idle_s:
        pytest.skip("this server keeps idle connections for long")
    assert user.client.post("/check", json={}).cause is None
    gevent.sleep(server.idle_s + 0.5)
    response = user.client.post("/check", json={})
    assert response.cause is None
    assert user.causes == [None, None]


def test_many_users_at_once_are_all_answered(server, lean):
    users = [lean(server.base, tls_ca_file=server.ca_file) for _ in range(50)]

    def task(one):
        for _ in range(5):
            assert one.client.get("/check").json() == {"updateAvailable": False}

    gevent.joinall([gevent.spawn(task, one) for one in users], raise_error=True)
    assert all(one.causes == [None] * 5 for one in users)
