"""Whoever asks an extension that decides itself, and whoever asks one that forwards to the service, is answered the same: whatever is asked."""

import time
from urllib.parse import quote

import httpx
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hub.conftest import API
from tests.web.a_server import Server
from tests.web.small_backend import STRANGE, SmallBackend

BACKEND = f"{SmallBackend.__module__}.SmallBackend"
OPTIONS = [f"--VmPoolService.backend_class={BACKEND}", "--VmPoolService.acts_at_once=10000"]
# Not "." or "..": the hub's proxy takes them for steps, before anybody of ours is asked (test_forwarding.py).
NAMES = ["demo", "looking", "foreign", "void", "nope", "a%2Fb", "own-1", "spice-1", "foreign-1", *map(quote, STRANGE)]
BODIES = ["", "{}", "{", '{"more": 1}', "[" * 2000]
OF_THEIR_OWN = {"ticket", "password", "expiresAt", "since", "retainedUntil", "mode", "content"}
"""What no two answers have alike: secrets, moments, and who decides."""

acts = st.tuples(
    st.just("POST"),
    st.builds(
        "{}/{}/{}".format,
        st.sampled_from(["pools", "vms"]),
        st.sampled_from(NAMES),
        st.sampled_from(["start", "stop", "reset", "release", "console", "explode"]),
    ),
    st.one_of(st.just(""), st.just(""), st.sampled_from(BODIES)),
)
looks = st.tuples(
    st.sampled_from(["GET", "PUT", "DELETE", "PATCH"]),
    st.one_of(
        st.sampled_from(["me", "health", "pools", "vms", "openapi.yaml", "", "nothing"]),
        st.builds("pools/{}".format, st.sampled_from(NAMES)),
    ),
    st.just(""),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(hub, tmp_path_factory):
    """Give two ways to ask as ann: her own server's extension, and her server at the hub."""
    await hub.start_server("ann")
    options = {
        "VmPoolExtension.backend_class": BACKEND,
        "VmPoolExtension.user": "ann",
        "VmPoolExtension.roles": "lab",
    }
    alone = Server(tmp_path_factory.mktemp("server"), options)
    token = f"token {await hub.token_of('ann')}"
    with (
        httpx.Client(base_url=alone.api, headers=alone.headers) as here,
        httpx.Client(base_url=f"{hub.url}/user/ann{API}", headers={"Authorization": token}) as there,
    ):
        yield here, there
    alone.stop()


@settings(max_examples=25)
@given(calls=st.lists(st.one_of(acts, acts, looks), min_size=1, max_size=8))
def test_whatever_is_asked_the_answers_are_the_same(both, calls):
    for method, path, body in calls:
        answers = [_answer(client, method, path, body) for client in both]
        assert answers[0] == answers[1], (method, path, body)
    assert _picture(both[0]) == _picture(both[1])


def _answer(client, method, path, body):
    _rest(client)
    answer = client.request(method, path, content=body)
    told = answer.json() if answer.headers["Content-Type"].startswith("application/json") else answer.text
    kept = [answer.headers.get(name) for name in ("Content-Type", "Retry-After", "Cache-Control", "Allow")]
    return answer.status_code, _without_its_own(told), kept


def _picture(client):
    _rest(client)
    return [_without_its_own(client.get(path).json()) for path in ("pools", "vms")]


def _rest(client):
    """Wait until no VM goes on by itself."""
    while any(state in client.get(path).text for path in ("pools", "vms") for state in ('"starting"', '"stopping"')):
        time.sleep(0.01)


def _without_its_own(value):
    if isinstance(value, dict):
        return {key: _without_its_own(each) for key, each in value.items() if key not in OF_THEIR_OWN}
    return [_without_its_own(each) for each in value] if isinstance(value, list) else value
