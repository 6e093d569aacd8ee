import os
import socket
import threading

import pytest

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.urls import public_url
from resources.lake.download import download, is_public
from resources.lake.local import LocalLake
from resources.lake.port import CsvFormat, names_the_data
from resources.lake.sources import SAMPLE, Sample, Sources
from tests.file_server import Reply, file_server


@pytest.fixture
def lake(tmp_path):
    return LocalLake(root=str(tmp_path / "lake"))


@pytest.fixture
def own_file(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("own")
    return path


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def sources(lake, path=None):
    sample = Sample("simulated sample (seed 0)", lambda out: out.write_text("sample"))
    return Sources(lake, paths={"data/x.csv": path}, samples={"data/x.csv": sample})


def fetched(sources, override=None):
    with sources.fetch("data/x.csv", override) as file:
        return file.path.read_text(), file.origin


def test_an_empty_lake_gets_the_sample(lake):
    assert fetched(sources(lake)) == ("sample", "simulated sample (seed 0)")


def test_without_a_setting_the_lake_keeps_its_file(lake, own_file):
    lake.put("data/x.csv", own_file)
    assert fetched(sources(lake)) == ("own", "data/x.csv (kept in the lake)")


def test_options_without_a_new_file_are_refused(lake, own_file):
    lake.put("data/x.csv", own_file)
    told = Sources(lake, paths={"data/x.csv": None}, format=CsvFormat(decimal=","))
    with pytest.raises(InvalidInput, match="name the file with --csv"), told.hold("data/x.csv"):
        pass
    given = Sources(lake, paths={"data/x.csv": str(own_file)}, format=CsvFormat(decimal=","))
    with given.hold("data/x.csv") as files:
        assert files["data/x.csv"].format.decimal == ","


@pytest.mark.parametrize(
    ("origin", "is_one"),
    [
        ("/data/mine.csv", True),
        ("https://host/mine.csv", True),
        ("standard input", False),
        ("/dev/fd/63", False),
        ("/proc/7/fd/63", False),
        ("data/x.csv (kept in the lake)", False),
        ("a file put there by hand", False),
    ],
)
def test_a_pipe_and_a_file_put_by_hand_are_no_source_of_their_own(origin, is_one):
    assert names_the_data(origin) is is_one


def test_the_word_sample_replaces_the_lakes_file(lake, own_file):
    lake.put("data/x.csv", own_file)
    assert fetched(sources(lake, SAMPLE))[0] == "sample"


def test_a_path_is_read_where_it_is(lake, own_file):
    assert fetched(sources(lake, str(own_file))) == ("own", str(own_file))
    assert fetched(sources(lake, own_file.as_uri())) == ("own", str(own_file))


def test_what_a_run_asks_for_goes_before_the_setting(lake, own_file):
    assert fetched(sources(lake, "/none"), str(own_file))[0] == "own"


@pytest.mark.parametrize(
    "source",
    [
        "{other}/secret.csv",
        "file://{other}/secret.csv",
        "{own}/../other/secret.csv",
        "{own}/link.csv",
        "{own}",
        "{own}/*.csv",
        "{other}/*.csv",
        "{other}/not-there.csv",
        "-",
        "/dev/stdin",
    ],
)
def test_a_run_names_no_file_outside_of_the_allowed_folders(lake, tmp_path, source):
    """A web page, or a person who may use the UI alone, could read any file of the machine."""
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    (other / "secret.csv").write_text("secret")
    (own / "link.csv").symlink_to(other / "secret.csv")
    bounded = Sources(lake, folders=(own,))
    with pytest.raises(InvalidInput, match=r"may name files below .*own\. .*SOURCE_FOLDERS"):
        fetched(bounded, source.format(own=own, other=other))
    (own / "mine.csv").write_text("mine")
    assert fetched(bounded, str(own / "mine.csv"))[0] == "mine"
    setting = Sources(lake, {"data/x.csv": str(other / "secret.csv")}, folders=(own,))
    assert fetched(setting)[0] == "secret"


@pytest.mark.parametrize(
    "path", ["//[x", "ftp://[::1/x", "file://[::1/x", "~nobody-here/x", "a\0b"]
)
def test_a_path_that_cannot_be_one_is_refused(lake, path):
    for each in (sources(lake, path), Sources(lake, folders=())):
        with pytest.raises(InvalidInput, match="Nothing was stored"):
            fetched(each, path)


def test_control_characters_of_a_name_reach_no_terminal(lake):
    with pytest.raises(InvalidInput) as caught:
        fetched(sources(lake, "/no/\x1b[31mred.csv"))
    assert r"\x1b[31mred.csv does not exist" in str(caught.value)


def test_the_temporary_file_is_gone_afterwards(lake):
    with sources(lake).fetch("data/x.csv") as file:
        folder = file.path.parent
    assert not folder.exists()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/no/such/file.csv", r"/no/such/file\.csv does not exist"),
        ("/proc/self/fdinfo", r"has no file that ends in \.csv"),
        ("/no/*.csv", r"/no/\*\.csv does not exist, and as a pattern it fits no file"),
        ("ftp://host/x.csv", "ftp:// is not supported"),
        ("ftp://[bold]x[/]", "ftp:// is not supported"),
        ("file://[bold]x[/]", "is no path"),
        ("http:///x.csv", "is not an http or https URL"),
        ("http://host:x/y", "is not an http or https URL"),
        ("http://[::1", "is not an http or https URL"),
        ("http://u:p@[::1/x?sig=SECRET", r"'http://\[::1/x' is not an http or https URL"),
        ("http://a b/c", "is not an http or https URL"),
    ],
)
def test_a_source_that_is_no_file_is_refused(lake, path, message):
    with pytest.raises(InvalidInput, match=message):
        fetched(sources(lake, path))


def test_a_file_without_a_sample_must_be_named(lake):
    with (
        pytest.raises(InvalidInput, match=r"no sample for data/y\.csv"),
        Sources(lake).fetch("data/y.csv"),
    ):
        pass


def test_a_url_is_downloaded_and_told_without_its_secrets(lake):
    with file_server(x=b"remote") as server:
        secret = server.url.replace("//", "//me:pass%20word@") + "/x?sig=SECRET"
        text, origin = fetched(sources(lake, secret))
        path, headers = server.requests[0]
    assert text == "remote"
    assert origin == f"{server.url}/x"
    assert path == "/x?sig=SECRET"
    assert headers["Authorization"] == "Basic bWU6cGFzcyB3b3Jk"


@pytest.mark.parametrize(
    ("name", "asked"),
    [("Fahrräder.csv", "/Fahrr%C3%A4der.csv"), ("a%20b.csv?q=ü", "/a%20b.csv?q=%C3%BC")],
)
def test_a_url_may_hold_any_letters(lake, name, asked):
    with file_server() as server:
        server.replies[asked.partition("?")[0]] = Reply(b"remote")
        assert fetched(sources(lake, f"{server.url}/{name}"))[0] == "remote"
        assert server.requests[0][0] == asked


def test_a_pipe_is_read_once_and_whole(lake, tmp_path):
    reader, writer = os.pipe()
    os.write(writer, b"piped")
    os.close(writer)
    try:
        held = sources(lake, f"/dev/fd/{reader}")
        with held.hold("data/x.csv") as files:
            assert files["data/x.csv"].path.read_text() == "piped"
            assert fetched(held) == ("piped", f"/dev/fd/{reader}")
    finally:
        os.close(reader)


def test_an_empty_pipe_is_refused(lake):
    reader, writer = os.pipe()
    os.close(writer)
    try:
        with pytest.raises(InvalidInput, match="gave no data"):
            fetched(sources(lake, f"/dev/fd/{reader}"))
    finally:
        os.close(reader)


def test_a_name_that_is_not_utf_8_is_read_and_told_in_plain_letters(lake, tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv")
    with open(path, "w") as file:  # noqa: PTH123
        file.write("own")
    assert fetched(sources(lake, path)) == ("own", f"{tmp_path}/caf\\xe9.csv")


def test_a_redirect_is_followed_without_the_password(lake):
    with file_server(x=b"remote") as server:
        server.replies["/old"] = Reply(status=302, headers={"Location": "/x"})
        assert fetched(sources(lake, server.url.replace("//", "//a:b@") + "/old"))[0] == "remote"
        assert "Authorization" not in server.requests[1][1]


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (Reply(b"", 404), BikecastError, "/x answered 404"),
        (Reply(b"abc", headers={"Content-Length": "9"}), BikecastError, "ended after 3 of 9 bytes"),
        (Reply(b"abc", headers={"Content-Encoding": "br"}), BikecastError, "the encoding 'br'"),
        (Reply(status=302, headers={"Location": "http://[::1"}), BikecastError, "cannot download"),
        (Reply(b"a" * 101), InvalidInput, "larger than the limit of 100 bytes"),
        (Reply(status=302, headers={"Location": "file:///etc/passwd"}), BikecastError, "302"),
    ],
)
def test_a_bad_answer_is_an_error_without_secrets(tmp_path, reply, error, message):
    with file_server() as server:
        server.replies["/x"] = reply
        url = f"{server.url}/x?sig=SECRET"
        with pytest.raises(error, match=message) as caught:
            download(url, tmp_path / "out", max_bytes=100)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=404, reason="SECRET of the host"),
        Reply(status=302, headers={"Location": "http://[::1/SECRET"}),
        Reply(status=302, headers={"Location": "secret://SECRET/"}),
        Reply(b"", headers={"Content-Encoding": "x" * 20 + "SECRET"}),
        Reply(b"", headers={"Content-Length": "1" * 5000}),
        Reply(status=200, headers={"x" * 70_000: "SECRET"}),
    ],
)
def test_nothing_of_what_a_server_writes_is_in_an_error(tmp_path, reply):
    """An address of an internal service would show in Dagster's log what only it may say."""
    with file_server() as server:
        server.replies["/x"] = reply
        with pytest.raises(BikecastError, match="Nothing was stored") as caught:
            download(f"{server.url}/x", tmp_path / "out")
    assert "SECRET" not in str(caught.value)
    assert "1111" not in str(caught.value)


def test_a_server_that_does_not_speak_http_is_not_cited(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def greet():
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"SSH-2.0-SECRET\r\n")
                connection.recv(1000)

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(BikecastError, match="the answer is not HTTP") as caught:
            download(f"http://127.0.0.1:{port}/x", tmp_path / "out")
        thread.join()
    assert "SECRET" not in str(caught.value)


@pytest.fixture
def public_loopback(monkeypatch):
    """127.0.0.1 counts as an address of the open internet; all others are as they are."""
    monkeypatch.setattr(
        "resources.lake.download.is_public", lambda ip: ip == "127.0.0.1" or is_public(ip)
    )


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost", "[::1]", "10.0.0.1", "169.254.169.254"])
def test_a_public_address_leads_to_no_private_one(tmp_path, public_loopback, host):
    """A page of anybody could make a run read what only this machine may ask for."""
    with file_server(x=b"SECRET") as server:
        port = server.url.rpartition(":")[2]
        server.replies["/a"] = Reply(status=302, headers={"Location": f"http://{host}:{port}/x"})
        with pytest.raises(BikecastError, match="redirects from a public address to this machine"):
            download(f"{server.url}/a", tmp_path / "out")
        assert [path for path, _ in server.requests] == ["/a"]


def test_a_public_name_that_leads_to_a_private_address_is_asked_nothing(
    tmp_path, public_loopback, monkeypatch
):
    """What counts is the address that was connected to, which a name can change in between."""
    resolve = socket.getaddrinfo

    def resolved(host, *arguments, **options):
        return resolve("127.0.0.2" if host == "rebound.example" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with file_server(x=b"SECRET") as server, socket.create_server(("127.0.0.2", 0)) as private:
        location = f"http://rebound.example:{private.getsockname()[1]}/x"
        server.replies["/a"] = Reply(status=302, headers={"Location": location})
        with pytest.raises(BikecastError, match="redirects from a public address to this machine"):
            download(f"{server.url}/a", tmp_path / "out")


def test_a_private_address_may_redirect_to_its_like(tmp_path):
    with file_server(x=b"remote") as server:
        server.replies["/a"] = Reply(status=302, headers={"Location": "/x"})
        download(f"{server.url}/a", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"remote"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:10.1.2.3", False),
        ("0.0.0.0", False),
    ],
)
def test_public_is_what_is_routed_on_the_internet(address, public):
    assert is_public(address) is public


@pytest.mark.parametrize("length", ["", "many", "-1"])
def test_a_length_that_is_no_number_is_passed_over(tmp_path, length):
    with file_server() as server:
        server.replies["/x"] = Reply(b"abc", headers={"Content-Length": length})
        download(f"{server.url}/x", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"abc"


def test_a_body_of_unknown_length_is_limited_too(tmp_path):
    with file_server() as server:
        server.replies["/x"] = Reply(b"a" * 101, headers={"Content-Length": ""})
        with pytest.raises(InvalidInput, match="larger than the limit"):
            download(f"{server.url}/x", tmp_path / "out", max_bytes=100)


def test_a_server_that_says_nothing_times_out(tmp_path, monkeypatch):
    monkeypatch.setattr("resources.lake.download.TIMEOUT_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(BikecastError, match=r"cannot download .*timed out"):
            download(url, tmp_path / "out")


def test_a_server_that_is_not_there_is_a_clear_error(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/x"
        with pytest.raises(BikecastError, match=r"Connection refused.*pass its path"):
            download(url, tmp_path / "out")


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path):
    trustme = pytest.importorskip("trustme")
    import http.server
    import ssl
    import threading

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    with pytest.raises(BikecastError, match="CERTIFICATE_VERIFY_FAILED"):
        download(f"https://127.0.0.1:{server.server_port}/x", tmp_path / "out")
    thread.join()
    server.server_close()


def test_a_public_url_has_neither_user_nor_query():
    assert public_url("https://u:p@host:1/a/b.csv?sig=1#x") == "https://host:1/a/b.csv"


def test_all_unreadable_files_are_named_at_once(lake):
    both = Sources(lake, paths={"data/x.csv": "/no/x.csv", "data/y.csv": "/no/y.csv"})
    with (
        pytest.raises(InvalidInput, match=r"(?s)/no/x\.csv does not exist.*/no/y\.csv does not"),
        both.hold("data/x.csv", "data/y.csv"),
    ):
        pass
