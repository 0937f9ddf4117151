"""Servers of the tests' own that a stack's containers can reach, and nobody else."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.stacks import engine
from tests.stacks.under_test import StackUnderTest


@contextlib.contextmanager
def served(stack: StackUnderTest, handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on the stack's own network's address of this machine; gives the address."""
    network = f"{stack.compose.project}_default"
    gateway = engine.docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", network).strip()
    server = ThreadingHTTPServer((gateway, 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{gateway}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def recorder(stack: StackUnderTest) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook; gives its address and what was posted to it, each with the time at which it came."""
    posted: list[dict[str, Any]] = []

    class Recorder(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            posted.append({**body, "received": time.time()})
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with served(stack, Recorder) as address:
        yield address, posted
