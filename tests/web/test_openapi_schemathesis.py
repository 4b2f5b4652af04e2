"""Schemathesis asks a real server whatever the contract allows and what it does not, and judges every answer by it."""

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig

from tests.web.a_server import Server
from tests.web.contract import FILE
from tests.web.every_state import USER, EveryState

OPTIONS = {"VmPoolExtension.backend_class": f"{EveryState.__module__}.EveryState", "VmPoolExtension.user": USER}

# Names that there are, since hardly any is hit by chance. Not the pool that logs in: it refuses Ann, whatever she sends.
NAMES = {
    "pools": ["demo", "looking", "empty", "exhausted", "broken", "on", "off", "foreign", 'a b/"ü"%'],
    "vms": ["own off", "own on", "own stopping", "own spice", "own console in use", "looked at bobs", "foreign-1"],
}
CONFIG = SchemathesisConfig.from_dict(
    {
        "seed": 1,
        "generation": {"deterministic": True, "max-examples": 20, "database": "none"},
        "dictionaries": {kind: {"values": names} for kind, names in NAMES.items()},
        "parameters": {
            "path.pool": {"dictionary": "pools", "probability": 0.8},
            "path.vm": {"dictionary": "vms", "probability": 0.8},
        },
        "operations": [
            # What is sent is good but for its being plain HTTP, which a contract of HTTP cannot say.
            {"include-tag": "sockets", "checks": {"positive_data_acceptance": {"enabled": False}}},
        ],
    }
)

schema = schemathesis.openapi.from_path(FILE, config=CONFIG)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"), OPTIONS)
    yield server
    server.stop()


@schema.parametrize()
def test_whatever_is_asked_the_answer_is_as_promised(case, server):
    case.call_and_validate(base_url=server.api, headers=server.headers)


@schema.parametrize()
def test_whatever_a_stranger_asks_nothing_is_told_or_done(case, server):
    response = case.call(base_url=server.api)

    if response.request.method == "OPTIONS" and response.status_code == 200:
        assert response.content == b"", "Jupyter Server's, to all: a browser asks so before it sends a token"
    else:
        assert response.status_code in {400, 401, 405}
        assert set(response.json()) == {"code", "message", "reason"}
