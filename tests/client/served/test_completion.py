"""Names of pools and VMs are completed as in a notebook, by the completer that notebooks have."""

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell


@pytest.fixture
def completed():
    """Give what Tab offers at the end of a text."""
    shell = InteractiveShell()

    def completed(text, **names):
        shell.user_ns.update(names)
        with provisionalcompleter():
            return {each.text for each in shell.Completer.completions(text, len(text))}

    yield completed
    shell.history_manager.end_session()


async def test_tab_completes_the_names_of_pools_and_vms(client_by, do, completed):
    """As keys, and behind a dot where Python could read them; without asking the server, which may be slow or gone."""
    client, road = client_by
    pools, vms = await do(client.pools), await do(client.vms)
    await road.close()

    assert "demo" in completed('pools["de', pools=pools)
    assert {"own-1", "spice-1"} <= completed('vms["', vms=vms)
    assert {".demo", "demo"} & completed("pools.de", pools=pools)
    assert not completed("vms.spic", vms=vms)
