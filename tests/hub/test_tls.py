"""A hub behind TLS: a user's server verifies whom it hands on to, and says when it cannot."""

import pytest

from tests.hub.a_hub import HubWithTls
from tests.hub.conftest import Door, names

HUB = HubWithTls
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_everything_is_handed_on_by_tls(hub):
    await hub.start_server("ann")
    anns = Door(hub, "/user/ann", await hub.token_of("ann"))

    assert await anns.pools() == ["lab", "shared"]
    async with anns.socket("updates") as panel:
        assert names(await panel.recv()) == ["lab", "shared"]


async def test_a_certificate_that_is_not_trusted_is_told_nothing(hub):
    """Bob's server does not know the authority."""
    await hub.start_server("bob")
    status, body = await Door(hub, "/user/bob", await hub.token_of("bob")).ask("GET", "pools")

    assert (status, body["code"]) == (503, "service-unavailable")
