"""A server on 127.0.0.1 that follows a script of faults, one entry per request."""

import contextlib
import http.server
import threading
from dataclasses import dataclass, field

BODY = bytes(range(256)) * 400  # 102,400 bytes


@dataclass
class Answer:
    """How one request is answered; by default rightly, ranges included."""

    status: int | None = None  # instead of 200 or 206
    body: bytes | None = None  # instead of the file
    cut: int | None = None  # close the connection after so many bytes of the body
    hang: int | None = None  # stop sending after so many bytes, and wait
    drip: float | None = None  # seconds between single bytes
    delay: float = 0  # seconds before the answer
    length: int | None = None  # announced instead of the true length; -1: not announced
    ranges: bool = True  # whether Range is honoured
    shift: int = 0  # bytes by which a range begins too early or too late
    etag: str | None = '"one"'
    to: str | None = None  # redirect there
    headers: dict = field(default_factory=dict)


class Server(http.server.ThreadingHTTPServer):
    """Answers requests by `script`; the last entry serves all that follow."""

    daemon_threads = True

    def __init__(self, script, body=BODY):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.file, self.requests = list(script), body, []
        self.stop = threading.Event()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def next_answer(self) -> Answer:
        with self.lock:
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def handle_error(self, request, address):
        """A client that goes away is part of the game."""


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *words):
        pass

    def do_GET(self):
        server, answer = self.server, self.server.next_answer()
        server.requests.append(dict(self.headers))
        server.stop.wait(answer.delay)
        if answer.to:
            self.send_response(302)
            self.send_header("Location", answer.to.format(url=server.url))
            self.end_headers()
            return
        body = server.file if answer.body is None else answer.body
        start, status = self._range(answer, len(body)), answer.status or 200
        if start is not None:
            status = 206
            start += answer.shift
        self.send_response(answer.status or status)
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        rest = body[start or 0:]
        if answer.length != -1:
            self.send_header("Content-Length", str(len(rest) if answer.length is None
                                                   else answer.length))
        if answer.etag:
            self.send_header("ETag", answer.etag)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._send(rest, answer)
        self.close_connection = True

    def _range(self, answer, length):
        wanted, valid = self.headers.get("Range"), self.headers.get("If-Range")
        if not (answer.ranges and wanted and valid in (None, answer.etag)):
            return None
        return min(int(wanted.removeprefix("bytes=").rstrip("-")), length)

    def _send(self, rest, answer):
        if answer.drip is not None:
            for index in range(len(rest)):
                if self.server.stop.wait(answer.drip):
                    return
                self.wfile.write(rest[index:index + 1])
        elif answer.hang is not None:
            self.wfile.write(rest[:answer.hang])
            self.wfile.flush()
            self.server.stop.wait(20)
        else:
            self.wfile.write(rest if answer.cut is None else rest[:answer.cut])


@contextlib.contextmanager
def serving(*script, body=BODY):
    """A running `Server`."""
    server = Server(script or [Answer()], body)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.stop.set()
        server.shutdown()
        thread.join()
        server.server_close()


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, whole files only."""

    def log_message(self, *words):
        pass


@contextlib.contextmanager
def serving_folder(folder):
    """The address of a server of the files in `folder`."""
    make = lambda *args: Files(*args, directory=str(folder))  # noqa: E731
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), make)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
