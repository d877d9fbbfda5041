"""The built site, served on this machine, with each language's own page for an address that is wrong.

    python labs/labkit/pages.py PORT FOLDER

Only Python's own server, so that it starts at once and takes next to nothing while nobody reads.
"""

from __future__ import annotations

import functools
import sys
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Pages(SimpleHTTPRequestHandler):
    """Files of a folder; where there is none, the nearest `404.html` on the way up."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer with the site's own page where something is not there."""
        page = self._own_page() if code == HTTPStatus.NOT_FOUND else None
        if page is None:
            super().send_error(code, message, explain)
            return
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page)

    def _own_page(self) -> bytes | None:
        root = Path(self.directory)
        for folder in Path(self.translate_path(self.path)).parents:
            if folder.is_relative_to(root) and (folder / "404.html").is_file():
                return (folder / "404.html").read_bytes()
        return None


def serve(port: int, folder: str) -> None:
    """Serve a folder on the loopback address until the process ends."""
    with ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Pages, directory=folder)) as server:
        server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
