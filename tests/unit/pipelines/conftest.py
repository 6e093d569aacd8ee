import http.server
import json
import sys
import threading

import pytest

from pipelines.cli.app import main


@pytest.fixture
def webhook():
    """The address of a server on this machine, and what it was sent."""
    received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/secret-path", received
    server.shutdown()
    server.server_close()


@pytest.fixture
def bikecast(tmp_path, monkeypatch, capsys):
    """Call `bikecast` in this process; returns its exit code, output and standard error."""
    monkeypatch.setenv("BIKECAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", "")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["bikecast", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()

    return call
