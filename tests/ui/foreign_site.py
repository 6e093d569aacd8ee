"""A web site of somebody else, whose page tries to start a run in the UI."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import quote

from tests.ui.dagster_ui import DagsterUi

FOREIGN_HOST = "foreign.test"
#: The browser's flag by which the name leads to this machine.
FOREIGN_NAME = [f"--host-resolver-rules=MAP {FOREIGN_HOST} 127.0.0.1"]
MUTATION = """mutation { launchRun(executionParams: { mode: "default", selector: {
    repositoryLocationName: "bikecast", repositoryName: "__repository__", jobName: "score" } })
    { __typename } }"""
#: Each sets the page's title when the UI has answered.
_PAGES = {
    "by an image": """<img src="URL?query=QUERY" onerror="document.title = 'sent'"
        onload="document.title = 'sent'">""",
    "by a form": """<iframe name="frame"></iframe>
        <form method="post" action="URL?query=QUERY" target="frame"><input name="a"></form>
        <script>
            document.forms[0].submit();
            document.querySelector("iframe").onload = () => { document.title = "sent"; };
        </script>""",
    "by fetch": """<script>
        const sent = () => { document.title = "sent"; };
        fetch("URL?query=QUERY", { method: "POST", mode: "no-cors" }).then(sent, sent);
        </script>""",
}
WAYS_OF_A_FOREIGN_PAGE = list(_PAGES)


@contextmanager
def foreign_site(ui: DagsterUi, way: str) -> Iterator[str]:
    """Serve the page that tries it in this way; yields its address, under a foreign name."""
    page = _PAGES[way].replace("URL", f"{ui.url}/graphql").replace("QUERY", quote(MUTATION))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{FOREIGN_HOST}:{server.server_port}/"
        finally:
            server.shutdown()
