"""Which server a client means that was told nothing: what a kernel, a terminal, a hub's server is given to know."""

import pytest

from vmpool_ext.client import AsyncClient, Client, NoServer

PARENT = 4_194_305
"""A process that cannot be: Linux counts to less."""


@pytest.fixture(params=[Client, AsyncClient])
def client(request):
    return request.param


def header(client):
    """What it would send."""
    return client._transport.server.headers.get("Authorization")


@pytest.fixture
def environment(monkeypatch):
    def set_all(**values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_all


def test_the_environment_names_a_server_before_all_others(client, environment, a_runtime_file):
    """Whoever sets it means it."""
    a_runtime_file()
    environment(VMPOOL_URL="https://lab.example.org/user/ann/", VMPOOL_TOKEN="named",
                JUPYTERHUB_SERVICE_URL="http://127.0.0.1:1/", JUPYTERHUB_API_TOKEN="hubs")  # fmt: skip

    found = client()

    assert (found.url, header(found)) == ("https://lab.example.org/user/ann/", "token named")


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://127.0.0.1:8888", "http://127.0.0.1:8888/"),
        ("http://127.0.0.1:8888/lab?token=abc", "http://127.0.0.1:8888/"),
        ("http://127.0.0.1:8888/tree", "http://127.0.0.1:8888/"),
        ("https://hub.example.org/user/ann/lab/tree/label.ipynb", "https://hub.example.org/user/ann/"),
        ("https://hub.example.org/user/ann/lab/workspaces/auto-x?reset#top", "https://hub.example.org/user/ann/"),
        ("http://[::1]:8888/laboratory/", "http://[::1]:8888/laboratory/"),
    ],
)
def test_an_address_may_be_copied_from_a_browser_or_from_the_log(client, given, base):
    """With the page that it shows, and the token."""
    found = client(given)

    assert found.url == base
    assert header(found) == ("token abc" if "token" in given else None)


@pytest.mark.parametrize(
    "given",
    ["127.0.0.1:8888", "ftp://there/", "http://", "http://ann:secret@there/", "http://there:secret/", "http://[secret"],
)
def test_what_is_no_address_is_refused_without_repeating_it(client, given):
    """It may hold a password."""
    with pytest.raises(NoServer) as caught:
        client(given)

    assert "secret" not in str(caught.value)


def test_the_environments_token_goes_to_no_server_that_is_named_otherwise(client, environment):
    """It is another server's."""
    environment(VMPOOL_URL="http://127.0.0.1:1/", VMPOOL_TOKEN="environments")

    assert header(client("https://elsewhere.example.org/")) is None


def test_a_kernel_means_the_server_that_started_it(client, environment, a_runtime_file):
    """Whichever else runs."""
    a_runtime_file()
    a_runtime_file(PARENT, url="http://localhost:9999/base/", base_url="/base/", port=9999, token="parents")
    environment(JPY_PARENT_PID=str(PARENT))

    found = client()

    assert (found.url, header(found)) == ("http://localhost:9999/base/", "token parents")


def test_a_terminal_means_the_server_that_opened_it(client, environment, a_runtime_file):
    """It knows its address; the token stands in the file."""
    a_runtime_file()
    a_runtime_file(PARENT, url="http://localhost:9999/", port=9999, token="terminals")
    environment(JUPYTER_SERVER_URL="http://localhost:9999/")

    assert header(client()) == "token terminals"


def test_without_parent_the_only_server_is_meant(client, a_runtime_file):
    """A script beside it."""
    a_runtime_file()

    assert (client().url, header(client())) == ("http://localhost:8888/", "token filed")


def test_of_several_servers_none_is_guessed(client, a_runtime_file, environment):
    """The error names them; and a server that has ended does not count."""
    a_runtime_file()
    a_runtime_file(1, url="http://localhost:9999/", port=9999)
    a_runtime_file(PARENT, url="http://localhost:7777/")

    with pytest.raises(NoServer, match=r"http://localhost:8888/, http://localhost:9999/\. Set VMPOOL_URL") as caught:
        client()

    assert "7777" not in str(caught.value)
    assert "filed" not in str(caught.value)


def test_where_no_server_runs_it_is_told(client):
    """With how to name one."""
    with pytest.raises(NoServer, match=r"No Jupyter server runs here.*VMPOOL_URL"):
        client()


def test_a_server_with_a_password_only_is_told_with_how_to_go_on(client, a_runtime_file, environment):
    """No notebook knows the password."""
    a_runtime_file(token="", password=True)
    with pytest.raises(NoServer, match=r"password only.*JUPYTER_TOKEN"):
        client()

    environment(VMPOOL_TOKEN="told")

    assert header(client()) == "token told"


@pytest.mark.parametrize(
    ("listens", "url", "reached"),
    [
        ("0.0.0.0", "http://some-machine:8888/base/", "http://127.0.0.1:8888/base/"),  # noqa: S104  # an example
        ("::", "http://some-machine:8888/base/", "http://[::1]:8888/base/"),
        ("192.0.2.7", "http://192.0.2.7:8888/base/", "http://192.0.2.7:8888/base/"),
    ],
)
def test_a_server_that_listens_everywhere_is_reached_here(client, a_runtime_file, listens, url, reached):
    """The machine's own name may lead nowhere in a container."""
    a_runtime_file(hostname=listens, url=url, base_url="/base/")

    assert client().url == reached


def test_with_a_certificate_the_name_stays_the_one_it_is_for(client, a_runtime_file):
    """Any other would not be trusted."""
    a_runtime_file(hostname="0.0.0.0", url="https://lab.example.org:8888/", secure=True)  # noqa: S104  # an example

    assert client().url == "https://lab.example.org:8888/"


@pytest.mark.parametrize(
    ("service", "reached"),
    [
        ("http://0.0.0.0:8888/user/ann%40x/", "http://127.0.0.1:8888/user/ann%40x/"),
        ("http://[::]:8888/user/ann%40x/", "http://[::1]:8888/user/ann%40x/"),
        ("http://:8888/user/ann%40x/", "http://127.0.0.1:8888/user/ann%40x/"),
        ("https://127.0.0.1:8888/user/ann%40x/", "https://127.0.0.1:8888/user/ann%40x/"),
    ],
)
def test_under_a_hub_the_users_own_server_is_asked_with_the_hubs_token(client, environment, service, reached):
    """What the hub tells each server that it starts; the server's own file has no token there."""
    environment(JUPYTERHUB_SERVICE_URL=service, JUPYTERHUB_SERVICE_PREFIX="/user/ann%40x/", JUPYTERHUB_API_TOKEN="hubs")

    found = client()

    assert (found.url, header(found)) == (reached, "token hubs")


def test_under_a_hub_that_knows_no_port_the_servers_file_tells_it(client, environment, a_runtime_file):
    """Some spawners have the server choose one."""
    a_runtime_file(PARENT, url="http://127.0.0.1:9999/user/ann/", hostname="127.0.0.1", port=9999, token="")
    environment(JUPYTERHUB_SERVICE_URL="http://127.0.0.1:0/user/ann/", JUPYTERHUB_API_TOKEN="hubs",
                JPY_PARENT_PID=str(PARENT))  # fmt: skip

    found = client()

    assert (found.url, header(found)) == ("http://127.0.0.1:9999/user/ann/", "token hubs")


def test_certificates_that_cannot_be_read_are_told(client, tmp_path):
    """By the address that they are for."""
    with pytest.raises(NoServer, match=r"lab\.example\.org.*cannot be read"):
        client("https://lab.example.org/", "token", ca_file=str(tmp_path / "none.pem"))
