"""Where the door to collections' servers leads, and where it does not (W05)."""

import socket
import threading

import pytest

from portal.globus import addresses, https_door
from portal.globus.addresses import ForbiddenAddress, connected, may_be_reached
from portal.globus.errors import CollectionUnavailable
from portal.globus.https_door import FileBrokeOff, NotServed, Source, checked_server
from sandbox import seed
from sandbox.testing import Sandbox

INSIDE = [
    "127.0.0.1",
    "127.8.9.1",
    "::1",
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "fd00::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "192.0.2.1",
    "nonsense",
]


@pytest.mark.parametrize("address", INSIDE)
def test_w05_addresses_that_are_not_of_the_open_network(address):
    assert not may_be_reached(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "64:ff9b::101:101"])
def test_w05_addresses_of_the_open_network(address):
    assert may_be_reached(address)


@pytest.mark.parametrize("address", INSIDE)
def test_a_local_deployment_reaches_this_machine_and_nothing_else_inside(address):
    is_loopback = address in ("127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1")
    assert may_be_reached(address, local=True) == is_loopback


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "localhost", "2130706433", "0177.0.0.1", "0x7f.1", "127.1"],
)
def test_w05_other_ways_to_write_this_machine(host):
    """As the resolver of the system reads them."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with pytest.raises(ForbiddenAddress):
            connected(host, listening.getsockname()[1], 1, local=False)


def answers(*addresses_given):
    """A resolver that says something else each time."""
    left = list(addresses_given)

    def getaddrinfo(host, port, **options):
        found = left.pop(0) if len(left) > 1 else left[0]
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found
        ]

    return getaddrinfo


def test_w05_a_name_that_changes_its_answer(monkeypatch):
    """It is looked up once; what was judged is what is connected to."""
    tried = []
    monkeypatch.setattr(
        addresses.socket, "getaddrinfo", answers(["1.1.1.1"], ["127.0.0.1"])
    )
    monkeypatch.setattr(
        socket.socket, "connect", lambda self, place: tried.append(place)
    )
    connected("changing.example", 443, 1, local=False).close()
    assert tried == [("1.1.1.1", 443)]
    with pytest.raises(ForbiddenAddress):
        connected("changing.example", 443, 1, local=False)


def test_w05_a_name_with_both_kinds_is_not_trusted(monkeypatch):
    monkeypatch.setattr(
        addresses.socket, "getaddrinfo", answers(["1.1.1.1", "10.0.0.1"])
    )
    with pytest.raises(ForbiddenAddress):
        connected("both.example", 443, 1, local=False)


@pytest.fixture
def production(monkeypatch):
    for module in (addresses, https_door):
        monkeypatch.setattr(module, "deployment_is_local", lambda: False)


@pytest.mark.parametrize(
    "server",
    [
        "http://m-1.data.globus.org",
        "https://m-1.data.globus.org:8443",
        "https://user@m-1.data.globus.org",
        "https://m-1.data.globus.org?x=1",
        "https://m-1.data.globus.org#x",
        "ftp://m-1.data.globus.org",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https://[",
        "https://x:99999",
        "http://127.0.0.1:9300/https/x",
        "",
    ],
)
def test_w05_servers_that_are_not_spoken_to(production, server):
    with pytest.raises(NotServed):
        checked_server(server)


def test_a_server_as_they_are(production):
    assert (
        checked_server("https://m-1.data.globus.org/") == "https://m-1.data.globus.org"
    )


@pytest.mark.parametrize(
    "server", ["https://127.0.0.1", "https://169.254.169.254", "https://2130706433"]
)
def test_w05_nothing_is_sent_to_an_address_inside(production, server):
    with pytest.raises(NotServed):
        https_door.look(Source(server, "/latest/meta-data"), "token")


def test_a_path_stays_a_path():
    source = Source("http://localhost:1/https/x", "/a b/%41?q=1#f/ü")
    assert source.url == "http://localhost:1/https/x/a%20b/%2541%3Fq%3D1%23f/%C3%BC"


# --- against servers that misbehave


@pytest.fixture
def server():
    """``server(bytes, …)``: a source at a server that answers each connection so."""
    listening = socket.create_server(("127.0.0.1", 0))
    seen, threads = [], []

    def serve(answers, stays_open):
        for answer in answers:
            try:
                each, _ = listening.accept()
            except OSError:
                return
            with each:
                seen.append(each.recv(65_536))
                each.sendall(answer)
                if stays_open:
                    stays_open.wait(20)

    def start(*answers, stays_open=None):
        thread = threading.Thread(target=serve, args=(answers, stays_open))
        thread.start()
        threads.append(thread)
        return Source(f"http://127.0.0.1:{listening.getsockname()[1]}", "/f"), seen

    yield start
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    for each in threads:
        each.join()


def test_redirects_are_not_followed(server):
    source, seen = server(
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    with pytest.raises(https_door.TokenRefused):
        https_door.fetch(source, "secret-token")
    assert len(seen) == 1


def test_a_file_that_ends_before_its_length(server):
    source, _ = server(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it")
    answer = https_door.fetch(source, "token")
    with pytest.raises(FileBrokeOff):
        list(answer.pieces())
    answer.close()


@pytest.mark.parametrize(("ends", "is_whole"), [(b"0\r\n\r\n", True), (b"", False)])
def test_a_file_in_chunks(server, ends, is_whole):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    source, _ = server(head + b"3\r\nabc\r\n2\r\nde\r\n" + ends)
    answer = https_door.fetch(source, "token")
    had = b""
    try:
        for piece in answer.pieces():
            had += piece
    except FileBrokeOff:
        assert not is_whole
    else:
        assert is_whole
    assert had == b"abcde"
    answer.close()


def test_a_head_that_does_not_end_is_cut(server):
    enough = threading.Event()
    source, _ = server(b"HTTP/1.1 200 OK\r\nX: ", stays_open=enough)
    with pytest.raises(CollectionUnavailable):
        https_door._ask("GET", source, "token", seconds=0.2)
    enough.set()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\n\r\nabc",
        b"HTTP/1.1 200 O\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 206 P\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 3\r\n\r\nab",
        b"HTTP/1.1 206 P\r\nContent-Range: lines 0-2/3\r\nContent-Length: 3\r\n\r\nab",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
def test_answers_that_make_no_sense(server, head):
    source, _ = server(head)
    with pytest.raises(https_door.UnexpectedAnswer):
        https_door.fetch(source, "token", wanted="bytes=0-2")


def test_no_token_is_in_an_address_or_a_failure(server):
    source, seen = server(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(CollectionUnavailable) as caught:
        https_door.fetch(source, "secret-token")
    assert "secret-token" not in repr(caught.value) + str(caught.value.args)
    assert b"secret-token" not in seen[0].split(b"\r\n")[0]


# --- over TLS


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    sandbox = Sandbox.start(tmp_path_factory.mktemp("tls"), tls=True)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def fresh_pool():
    https_door._pool.cache_clear()
    yield
    https_door._pool.cache_clear()


def test_the_certificate_of_the_name_is_checked(tls, monkeypatch, fresh_pool):
    source = Source(f"{tls.url}/https/{seed.RESEARCH}", "/home/ada/notes.txt")
    assert source.server.startswith("https://")
    with pytest.raises(CollectionUnavailable) as caught:
        https_door.look(source, "token")
    assert caught.value.code == "HTTPS.SSLError"
    https_door._pool.cache_clear()
    monkeypatch.setenv("GLOBUS_SDK_VERIFY_SSL", str(tls.trusted))
    with pytest.raises(https_door.TokenRefused):
        https_door.look(source, "token")
