"""What an administrator types, and what they are told."""

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from traitlets.config import Config

from vmpool_ext.app.resources import ApplyApp

PAGE = (Path(__file__).parents[2] / "docs" / "pools.md").read_text()
[EXAMPLE] = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
[SESSION] = re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

POOL = """\
apiVersion: vmoperator.jdrupes.org/v1
kind: VmPool
metadata:
  name: lab
spec:
  permissions:
    - user: ann
"""
VM = """\
apiVersion: vmoperator.jdrupes.org/v1
kind: VirtualMachine
metadata:
  namespace: somewhere
  name: lab-1
spec:
  image:
    repository: registry.example.org
    path: runner
    pullPolicy: Always
  resources:
    requests: {cpu: 1, memory: 2Gi}
  cloudInit:
    metaData: {}
  pools: [lab]
  guestShutdownStops: yes
  vm:
    bootMenu: yes
    useTpm: true
    maximumCpus: 4
    currentCpus: 2
    maximumRam: 8Gi
    currentRam: 4Gi
    networks:
      - user: {}
    disks:
      - volumeClaimTemplate:
          metadata: {name: system}
          spec: {storageClassName: "", resources: {requests: {storage: 40Gi}}}
      - cdrom: {image: ""}
        bootindex: 0
    display:
      outputs: 2
      spice: {port: 5910, generateSecret: true}
  loadBalancerService: {labels: {a: b}}
"""


async def test_the_pages_example_does_what_the_page_says(home):
    home.write("course.yaml", EXAMPLE)
    for command, told in re.findall(r"^\$ jupyter vmpool (.*)\n((?:[^$].*\n)*)", SESSION, re.MULTILINE):
        assert await home.did(*command.split()) == told.splitlines(), command


async def test_a_definition_with_all_that_a_cluster_wants_is_taken(home):
    """As VM-Operator's own examples are."""
    home.write("both.yaml", f"{POOL}---\n{VM}")

    assert await home.did("apply", "-f", "both.yaml") == ["vmpool/lab created", "virtualmachine/lab-1 created"]
    [vm] = [json.loads("\n".join(await home.did("get", "vm/lab-1", "-o", "json")))]

    assert vm["spec"]["vm"]["disks"][0]["volumeClaimTemplate"]["spec"]["resources"]["requests"] == {"storage": "40Gi"}
    assert vm["spec"]["guestShutdownStops"] is True


async def test_files_come_by_name_by_folder_and_by_pipe(home):
    home.write("a.yaml", POOL)
    home.write("more/b.json", json.dumps({"kind": "List", "items": [{**_pool("b")}, {**_pool("c")}]}, indent="\t"))
    home.write("more/notes.txt", "nothing for us: [")

    said = await home.did("apply", "-f", "a.yaml", "-f", "more", "-f", "-", given=VM.encode())

    assert said == [f"{each} created" for each in ("vmpool/lab", "vmpool/b", "vmpool/c", "virtualmachine/lab-1")]


async def test_what_is_shown_can_be_applied_and_changes_nothing(home):
    await home.did("apply", "-f", "-", given=f"{POOL}---\n{VM}".encode())

    for form in ("yaml", "json"):
        shown = "\n".join(await home.did("get", "-o", form))
        said = await home.did("apply", "-f", "-", given=shown.encode())
        assert said == ["virtualmachine/lab-1 unchanged", "vmpool/lab unchanged"]


async def test_tables_show_what_there_is(home):
    assert await home.did("get") == ["There are no resources."]
    await home.did("apply", "-f", "-", given=f"{POOL}---\n{VM}".encode())

    pools, pool, _, vms, vm = await home.did("get")
    assert pools.split() == ["NAME", "RETENTION", "GRANTS", "AGE"]
    assert pool.split()[:3] == ["lab", "PT1h", "1"]
    assert vms.split() == ["NAME", "POOLS", "STATE", "USER", "AGE"]
    assert vm.split()[:4] == ["lab-1", "lab", "stopped", "-"]
    [wide, _] = await home.did("get", "vms", "-o", "wide")
    assert "RAM" in wide


async def test_every_mistake_in_every_file_is_told_and_nothing_is_applied(home):
    home.write("good.yaml", POOL)
    home.write(
        "bad.yaml", POOL.replace("spec:", "spec:\n  retenton: P1D\n  loginOnAssignment: 1").replace("lab", "other")
    )
    home.write("worse.yaml", "a: [\n---\n" + VM.replace("4Gi", "lots") + "---\nkind: Pod\n")

    *told, last = await home.refused("apply", "-f", "good.yaml", "-f", "bad.yaml", "-f", "worse.yaml")

    assert [line.split(": ")[0:2] for line in told if "YAML" not in line] == [
        ["bad.yaml:6", "spec.retenton"],
        ["bad.yaml:7", "spec.loginOnAssignment"],
        ["worse.yaml:25", "spec.vm.currentRam"],
        ["worse.yaml:39", "kind"],
    ]
    assert any(line.startswith("worse.yaml:2: This is not YAML") for line in told)
    assert last == "error: nothing was changed: 5 to be mended in the files"
    assert await home.did("get") == ["There are no resources."]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["apply"], "apply -f FILE"),
        (["apply", "-f", "missing.yaml"], "No such file"),
        (["apply", "-f", "/dev/null"], "no resource"),
        (["apply", "-f", "-", "--dry-run"], "--dry-run"),
        (["apply", "-f", "-", "lab"], "lab is not expected"),
        (["delete"], "delete KIND NAME"),
        (["delete", "vms"], "delete KIND NAME"),
        (["delete", "vm", "lab-1", "--wiat=false"], "wiat"),
        (["delete", "vm", "lab-1"], 'There is no VM "lab-1"'),
        (["delete", "-f", "-"], "no resource"),
        (["get", "pods"], "there is no kind pods"),
        (["get", "pool", "x"], 'There is no pool "x"'),
        (["aply"], "there is no command aply"),
    ],
)
async def test_what_cannot_be_done_is_told(home, arguments, words):
    assert words in "\n".join(await home.refused(*arguments))


async def test_pools_and_vms_are_deleted_by_their_files(home):
    home.write("all.yaml", f"{POOL}---\n{VM}")
    await home.did("apply", "-f", "all.yaml")

    said = await home.did("delete", "-f", "all.yaml")

    assert said == ["vmpool/lab deleted", "virtualmachine/lab-1 being deleted", "virtualmachine/lab-1 deleted"]
    assert await home.did("delete", "-f", "all.yaml", "--ignore-not-found") == []


async def test_who_reads_only_the_beginning_gets_no_complaint(home):
    reading, writing = os.pipe()
    os.close(reading)

    process = await home.run("vmpool_ext.app", "get", stdout=writing)
    os.close(writing)

    assert await process.communicate() == (None, b"")


async def test_a_store_that_cannot_be_had_is_told(home):
    (home.folder / "state").write_text("a file")

    assert "cannot be used" in "\n".join(await home.refused("get"))


broken = st.tuples(
    st.integers(0, len(POOL + VM)), st.integers(0, 20), st.text(max_size=10) | st.text("{}[]:-!&*|>\"'# \n", max_size=6)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(broken, max_size=3))
def test_any_text_is_applied_or_refused_with_a_message(tmp_path, capsys, faults):
    text = f"{POOL}---\n{VM}"
    for place, length, other in faults:
        text = text[:place] + other + text[place + length :]
    file = tmp_path / "f.yaml"
    file.write_text(text, newline="", errors="surrogatepass", encoding="utf-8")
    store = Config({"QemuBackend": {"state_dir": str(tmp_path / "state"), "run_dir": str(tmp_path / "run")}})
    app = ApplyApp(files=[str(file)], config=store)

    try:
        app.start()
    except SystemExit as refused:
        *told, last = str(refused).splitlines()
        assert told
        assert all(re.match(rf"{re.escape(str(file))}:\d+: ", line) for line in told)
        assert last.startswith("error: nothing was changed")
        assert capsys.readouterr().out == ""
    else:
        said = capsys.readouterr().out.splitlines()
        assert said
        assert all(line.rpartition(" ")[2] in ("created", "configured", "unchanged") for line in said)


def _pool(name):
    grants = [{"user": "ann"}]
    return {
        "apiVersion": "vmoperator.jdrupes.org/v1",
        "kind": "VmPool",
        "metadata": {"name": name},
        "spec": {"permissions": grants},
    }
