"""What goes wrong between the client and a server: said by code, with what to do, and never with the token."""

import pickle
import socket
import ssl
import traceback
from contextlib import asynccontextmanager

import pytest
import trustme
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets, bind_unix_socket
from tornado.web import Application, RequestHandler

from vmpool_ext.client import (
    NoServer,
    PoolExhausted,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
    VmPoolError,
)

SECRET = "a5ecre7t0ken"


@asynccontextmanager
async def somebody_else(answer, **options):
    """Give the address of a server that answers everything alike, and what it was asked."""
    asked = []

    class Handler(RequestHandler):
        def prepare(self):
            asked.append(self.request)
            answer(self)
            self.finish()

    server = HTTPServer(Application([(".*", Handler)]), **options)
    (listening,) = bind_sockets(0, "127.0.0.1", family=socket.AF_INET)
    server.add_sockets([listening])
    try:
        yield f"http{'s' if options else ''}://127.0.0.1:{listening.getsockname()[1]}/", asked
    finally:
        server.stop()
        await server.close_all_connections()


def a_body(status, text, **headers):
    def answer(handler):
        handler.set_status(status)
        for name, value in headers.items():
            handler.set_header(name, value)
        handler.write(text)

    return answer


def all_that_is_told(error):
    """What a notebook shows of an error and of what is behind it, also where it shows the values of all variables."""
    told = "".join(traceback.format_exception(error)) + repr(error) + repr(pickle.dumps(error))
    while error:
        told += "".join(map(shown, variables_of_ours(error)))
        error = error.__cause__ or error.__context__
    return told


def shown(value):
    """As by those who show values in tracebacks: one that is half made cannot be."""
    try:
        return repr(value)
    except AttributeError:
        return repr(vars(value))


def variables_of_ours(error):
    """Not those of the test, which knows the token."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename != __file__:
            yield from frame.f_locals.values()


async def test_a_code_that_nobody_knows_comes_all_the_same(face, do):
    """A newer server has more to say."""
    answer = a_body(418, '{"code": "tea-only", "message": "There is no coffee.", "reason": "a teapot"}')
    async with somebody_else(answer) as (url, _):
        with pytest.raises(VmPoolError, match=r"There is no coffee\. \(a teapot\)") as caught:
            await do(face.client(url, SECRET).me)

    assert type(caught.value) is VmPoolError
    assert (caught.value.code, caught.value.status, caught.value.reason) == ("tea-only", 418, "a teapot")


async def test_what_is_not_to_be_had_now_is_known_by_its_status(face, do):
    """Each backend has words of its own for why."""
    answer = a_body(503, '{"code": "store-in-use", "message": "Another server has it.", "reason": null}')
    async with somebody_else(answer) as (url, _):
        with pytest.raises(Unavailable, match=r"Another server has it\.") as caught:
            await do(face.client(url, SECRET).pools)

    assert caught.value.code == "store-in-use"


async def test_where_the_server_says_when_it_is_asked_again(face, do):
    """Who asks a server that is just loading need not know it."""
    answers = [
        a_body(503, '{"code": "loading", "message": "Wait.", "reason": null}', **{"Retry-After": "1"}),
        a_body(200, '{"user": "ann", "roles": ["student"], "administrator": false, "mode": "local", "version": "1"}'),
    ]

    def answer_in_turn(handler):
        answers.pop(0)(handler)

    async with somebody_else(answer_in_turn) as (url, asked):
        me = await do(face.client(url, SECRET).me)

    assert (me.user, me.roles, len(asked)) == ("ann", ("student",), 2)


async def test_an_error_can_be_sent_to_another_process(face, do):
    """As those who compute on many processes do."""
    answer = a_body(409, '{"code": "pool-exhausted", "message": "All in use."}', **{"Retry-After": "60"})
    async with somebody_else(answer) as (url, _):
        with pytest.raises(PoolExhausted) as caught:
            await do(face.client(url, SECRET).pools)

    sent = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  # our own
    assert (type(sent), str(sent), sent.code, sent.retry_after) == (PoolExhausted, "All in use.", "pool-exhausted", 60)


async def test_a_wrong_token_is_told_with_what_to_do_and_without_the_token(face, do, url):
    """What an error says is pasted into forums."""
    client = face.client(url, SECRET)

    with pytest.raises(Unauthenticated, match="VMPOOL_TOKEN") as caught:
        await do(client.pools)

    assert (caught.value.code, caught.value.status) == ("unauthenticated", 401)
    assert url in str(caught.value)
    assert SECRET not in all_that_is_told(caught.value) + repr(client) + repr(vars(client))


async def test_the_token_goes_in_a_header_only(face, do):
    """Addresses are logged on the way."""
    async with somebody_else(a_body(200, '{"pools": []}')) as (url, asked):
        await do(face.client(f"{url}lab?token={SECRET}").pools)

    assert asked[0].headers["Authorization"] == f"token {SECRET}"
    assert asked[0].uri == "/vmpool/api/v1/pools"


@pytest.mark.parametrize("bad", [f"{SECRET}\r\nX: y", f"{SECRET} x", f"{SECRET}ü"])
async def test_a_token_that_no_header_can_carry_is_refused_without_repeating_it(face, bad):
    """A line end from a file, for one."""
    with pytest.raises(NoServer, match="VMPOOL_TOKEN") as caught:
        face.client("http://127.0.0.1:1/", bad)

    assert SECRET not in repr(caught.value)


async def test_a_server_that_does_not_answer_is_told_with_what_to_do(face, do, nobodys_port):
    """It has ended, or listens elsewhere."""
    with pytest.raises(Unreachable, match="jupyter server list") as caught:
        await do(face.client(f"http://127.0.0.1:{nobodys_port}/", SECRET).pools)

    assert SECRET not in all_that_is_told(caught.value)


async def test_a_server_without_vm_pools_is_told(face, do, url, token):
    """Jupyter answers with a page."""
    with pytest.raises(UnexpectedAnswer, match="has no VM pools"):
        await do(face.client(f"{url}elsewhere/", token).pools)


async def test_of_the_servers_that_were_looked_through_no_token_is_told(face, a_runtime_file):
    """Where none of them could be meant."""
    a_runtime_file(token=SECRET)
    a_runtime_file(1, token=SECRET, url="http://localhost:9999/")

    with pytest.raises(NoServer, match="Several") as caught:
        face.client()

    assert SECRET not in all_that_is_told(caught.value)


async def test_no_token_follows_a_redirection(face, do):
    """Who sends callers elsewhere could have it sent to themselves."""
    async with somebody_else(a_body(200, "{}")) as (elsewhere, asked):  # noqa: SIM117  # one answers for the other
        async with somebody_else(lambda handler: handler.redirect(elsewhere)) as (url, _):
            with pytest.raises(UnexpectedAnswer, match="elsewhere"):
                await do(face.client(url, SECRET).pools)

    assert asked == []


async def test_a_page_in_place_of_an_answer_is_told(face, do):
    """A login page of something that stands before the server."""
    async with somebody_else(a_body(200, "<html>Log in</html>")) as (url, _):
        with pytest.raises(UnexpectedAnswer, match="stands before it"):
            await do(face.client(url, SECRET).pools)


async def test_no_proxy_stands_between_programs_of_one_machine(face, do, url, token, monkeypatch):
    """It would be given the token, and could not reach the server."""
    async with somebody_else(a_body(200, "{}")) as (proxy, asked):
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)

        assert "demo" in await do(face.client(url, token).pools)

    assert asked == []


@pytest.fixture
def authority():
    return trustme.CA()


@pytest.fixture
def certified(authority):
    """What a server of this machine shows, signed by an authority of one's own."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_a_certificate_of_ones_own_is_trusted_where_it_is_named(face, do, authority, certified, tmp_path):
    """By an option, or OpenSSL's environment variable."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with somebody_else(a_body(200, '{"pools": []}'), ssl_options=certified) as (url, _):
        client = face.client(url, SECRET, ca_file=str(tmp_path / "ca.pem"))

        assert len(await do(client.pools)) == 0


@pytest.fixture
def internal_ssl(authority, certified, tmp_path, monkeypatch):
    """What a hub with internal SSL gives to each server that it starts; who asks a server must show their own."""
    authority.configure_trust(certified)
    certified.verify_mode = ssl.CERT_REQUIRED
    shown = authority.issue_cert("ann")
    files = {"KEYFILE": shown.private_key_pem, "CERTFILE": shown.cert_chain_pems[0], "CLIENT_CA": authority.cert_pem}
    for name, content in files.items():
        content.write_to_path(tmp_path / name)
        monkeypatch.setenv(f"JUPYTERHUB_SSL_{name}", str(tmp_path / name))
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", SECRET)
    return certified


async def test_under_a_hub_with_certificates_of_its_own_both_sides_show_theirs(face, do, internal_ssl, monkeypatch):
    """Nothing has to be set."""
    async with somebody_else(a_body(200, '{"pools": []}'), ssl_options=internal_ssl) as (url, asked):
        monkeypatch.setenv("JUPYTERHUB_SERVICE_URL", f"{url}user/ann/")

        assert len(await do(face.client().pools)) == 0

    assert (asked[0].path, asked[0].headers["Authorization"]) == ("/user/ann/vmpool/api/v1/pools", f"token {SECRET}")


async def test_a_certificate_that_nobody_trusts_is_told_with_what_to_do(face, do, certified):
    """The token is not sent."""
    async with somebody_else(a_body(200, '{"pools": []}'), ssl_options=certified) as (url, asked):
        with pytest.raises(Unreachable, match=r"not trusted.*ca_file") as caught:
            await do(face.client(url, SECRET).pools)

    assert asked == []
    assert SECRET not in all_that_is_told(caught.value)


async def test_a_server_that_is_away_for_a_moment_costs_no_waiting_its_vm(client_by, do, called, backend, phases):
    """It is restarted, or the notebook's machine slept."""
    backend.may_start.clear()
    client, road = client_by
    starting = called((await do(client.pool, "demo")).start, progress=phases)
    await phases.until("starting")

    await road.close()
    backend.may_start.set()
    await road.open()

    assert (await starting).state == "running"


@pytest.fixture
def nobodys_port():
    """One that is held, so that nobody else listens to it, and that nobody listens to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_a_server_that_listens_to_a_unix_socket_is_reached(face, do, tmp_path, monkeypatch, a_runtime_file):
    """Its runtime file says where."""
    path = str(tmp_path / "jupyter.sock")
    asked = []

    class Handler(RequestHandler):
        def get(self):
            asked.append(self.request)
            self.write({"pools": []})

    server = HTTPServer(Application([(".*", Handler)]))
    server.add_socket(bind_unix_socket(path))
    a_runtime_file(sock=path, url="http+unix://whatever/base/", base_url="/base/", token=SECRET)

    assert len(await do(face.client().pools)) == 0

    server.stop()
    assert asked[0].path == "/base/vmpool/api/v1/pools"
    assert asked[0].headers["Authorization"] == f"token {SECRET}"
