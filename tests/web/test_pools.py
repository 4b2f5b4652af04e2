"""Pools over HTTP."""


async def test_the_first_start_assigns_and_the_second_gives_the_same(call):
    created, first = await call("POST", "pools/demo/start")
    accepted, second = await call("POST", "pools/demo/start")

    assert (created, accepted) == (201, 202)
    assert first["vm"]["name"] == second["vm"]["name"]
