"""What is wrong with a request is said in one shape, whatever is wrong."""

import json

import pytest

SHAPE = {"code", "message", "reason"}


@pytest.mark.parametrize("body", ["{", "nonsense", b"\xff\xfe", "[" * 900, "NaN{"])
async def test_a_body_that_is_no_json(call, body):
    status, answer = await call("POST", "pools/demo/start", body)

    assert (status, answer["code"], set(answer)) == (400, "bad-json", SHAPE)


@pytest.mark.parametrize("body", ['{"user": "bob"}', "[]", "null", "1", '"x"', " " * 5000, "[" * 100_000])
async def test_a_body_that_nobody_reads(call, body):
    status, answer = await call("POST", "pools/demo/start", body)

    assert (status, answer["code"], set(answer)) == (422, "unexpected-body", SHAPE)


@pytest.mark.parametrize("body", ["", "{}", " {} "])
async def test_an_empty_body(call, body):
    assert (await call("POST", "pools/demo/start", body))[0] == 201


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nothing",
        "pools/demo/explode",
        "pools/demo/start/now",
        "vms/demo-1",
        "vms/demo-1/release",
        "pools/demo/_visible",
        "../v2/pools",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_address(call, method, path):
    status, answer = await call(method, path)

    assert (status, answer["code"], set(answer)) == (404, "not-found", SHAPE)


@pytest.mark.parametrize("path", ["pools/demo/start", "pools/demo/release"])
async def test_a_get_decides_nothing(call, path):
    status, answer = await call("GET", path)

    assert (status, answer["code"]) == (405, "method-not-allowed")
    assert (await call("GET", "pools/demo"))[1]["vm"] is None


@pytest.mark.parametrize(
    "name", ["..%2fdemo", "%2e%2e", "demo%2f..%2fdemo", "demo%00", "demo'", "%22%3e%3cscript%3e", "a" * 5000, "%ff"]
)
async def test_a_name_that_is_up_to_something_is_just_unknown(call, name):
    status, answer = await call("GET", f"pools/{name}")

    assert status in (400, 404)
    assert set(answer) == SHAPE


@pytest.mark.parametrize(("path", "status"), [("pools/demo/start", 201), ("pools/nothing/start", 404)])
async def test_a_query_that_cannot_be_read_keeps_no_answer_back(call, path, status):
    """Jupyter Server looks into the query once more when the answer is written already."""
    assert (await call("POST", f"{path}?no_track_activity=%ff"))[0] == status


async def test_what_nobody_foresaw_is_told_without_inner_words(call, backend, caplog):
    async def assign(*_):
        message = "the password is swordfish"
        raise ZeroDivisionError(message)

    backend.assign = assign

    status, answer = await call("POST", "pools/demo/start")

    assert (status, answer["code"]) == (500, "internal")
    assert "swordfish" not in json.dumps(answer)
    assert "swordfish" in caplog.text, "whoever reads the log needs it"


@pytest.mark.parametrize("path", ["updates", "vms/demo-1/display", "vms/demo-1/display?ticket=%ff"])
async def test_a_socket_that_is_asked_for_by_plain_http(call, path):
    status, answer = await call("GET", path)

    assert (status, answer["code"], set(answer)) == (400, "bad-request", SHAPE)


HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize("missing", ["Upgrade", "Connection", "Sec-WebSocket-Key"])
@pytest.mark.parametrize("path", ["updates", "vms/demo-1/display"])
async def test_a_socket_that_is_half_asked_for(bare_fetch, jp_auth_header, path, missing):
    headers = {**jp_auth_header, **HANDSHAKE, missing: "nonsense"}
    if missing == "Sec-WebSocket-Key":
        del headers[missing]

    response = await bare_fetch(f"vmpool/api/v1/{path}", "GET", headers)

    assert (response.code, json.loads(response.body)["code"]) == (400, "bad-request")


async def test_a_socket_of_a_version_that_is_not_spoken_is_told_which_is(bare_fetch, jp_auth_header):
    headers = {**jp_auth_header, **HANDSHAKE, "Sec-WebSocket-Version": "7"}

    response = await bare_fetch("vmpool/api/v1/updates", "GET", headers)

    assert (response.code, response.headers["Sec-WebSocket-Version"]) == (426, "13")
