"""YAML and JSON in, as kubectl takes them; what stands where."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vmpool_ext.backends.manifests.reading import read
from vmpool_ext.backends.manifests.writing import write


def values(text):
    manifests, violations = read(text, "f.yaml")
    assert not violations
    return [manifest.value for manifest in manifests]


def wrong(text):
    return [str(violation) for violation in read(text, "f.yaml")[1]]


def test_a_text_has_any_number_of_documents_and_empty_ones_are_none():
    assert values("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n---\n") == [{"a": 1}, {"b": 2}]
    assert values("") == []


@pytest.mark.parametrize("kind", ["List", "VirtualMachineList"])
def test_the_items_of_a_list_are_resources_of_their_own(kind):
    text = json.dumps({"kind": kind, "items": [{"a": 1}, {"kind": "List", "items": [{"b": 2}]}]})

    assert values(text) == [{"a": 1}, {"b": 2}]


def test_a_field_in_a_list_is_named_by_its_place_in_it():
    [_, second], _ = read("kind: List\nitems:\n- a: 1\n- b:\n    c: 2\n", "f.yaml")

    assert str(second.violation(("b", "c"), "No.")) == "f.yaml:5: items[1].b.c: No."
    assert str(second.violation(("b", "d"), "No.")) == "f.yaml:4: items[1].b.d: No."


@pytest.mark.parametrize("indent", ["\t", 4, None])
def test_json_is_read_however_it_is_indented(indent):
    value = {"a": [1, -2.5, True, None, "x\ty / é 😀", {"b": []}]}

    assert values(json.dumps(value, indent=indent)) == [value]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-01-15T12:00:00Z", "2026-01-15T12:00:00Z"),
        ("2026-01-15", "2026-01-15"),
        ("1:30", "1:30"),
        ("yes", True),
        ("0x10", 16),
        ("0o17", 15),
        ("1e3", 1000.0),
        ("~", None),
        ("!!str 5", "5"),
        ("'5'", "5"),
        ("4Gi", "4Gi"),
        ("=", "="),
    ],
)
def test_a_scalar_is_what_it_is_to_kubectl(text, value):
    [read_value] = values(f"a: {text}")

    assert read_value == {"a": value}
    assert type(read_value["a"]) is type(value)


def test_aliases_and_merges_are_written_out():
    assert values("a: &x {b: 1, c: 2}\nd: *x\ne: {<<: *x, c: 3}\n") == [
        {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 2}, "e": {"b": 1, "c": 3}}
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a: The field is there twice"),
        ("a:\n  - b: 1\n    b: 1\n", 3, "a[0].b: The field is there twice"),
        ("a: [1\n", 2, "This is not YAML"),
        ("a: 1\n---\nb: *c\n", 3, "undefined alias"),
        ("a: !!python/object/apply:os.system [true]\n", 1, "is no tag"),
        ("a: !!binary aGk=\n", 1, "is no tag"),
        ("a:\n  ? [1]\n  : 2\n", 2, "A key is a text"),
        ("a: &x [*x]\n", 1, "inside itself"),
        ("a: .inf\n", 1, "nothing that can be kept"),
        ("\n" + "a: 1" + "0" * 5000, 2, "nothing that can be kept"),
        ("a: 99999999999999999999", 1, "nothing that can be kept"),
        ('a: "\\ud83d"', 1, "nothing that can be kept"),
        ('a: "\\UFFFFFFFF"', 1, "too large"),
        ("a: 1\nb: \x07\n", 2, "cannot stand in YAML"),
        ("a: 1\nb: " + "[" * 5000, 2, "levels"),
        ("a: &a [1]\n<<: *a\n", 1, "Only objects can be merged"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text, line, words):
    [first, *_] = wrong(text)

    assert first.startswith(f"f.yaml:{line}: ")
    assert words in first


def test_a_broken_document_does_not_hide_another():
    manifests, violations = read("a: [1\n---\nb: 2\n---\nc: {\n", "f.yaml")

    assert [manifest.value for manifest in manifests] == [{"b": 2}]
    assert len(violations) == 2


def test_a_small_text_cannot_be_a_large_value():
    bomb = ["a0: &a0 x"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

    assert "too many values" in "".join(wrong("\n".join(bomb)))


def test_what_is_told_cannot_command_the_terminal():
    [told] = wrong('"\\e[2J": 1\n"\\e[2J": 2\n')

    assert told.isprintable()


jsons = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), jsons, min_size=1).filter(lambda value: "kind" not in value))
def test_what_is_written_is_read_again_and_also_by_others(value):
    assert values(write(value)) == [value]
    assert yaml.safe_load(write(value)) == value


@given(st.text("ab:-[]{}&*!|>'\"#%@`?,<=~. \n\t0123eE+\\uU"))
def test_any_text_is_read_or_refused(text):
    manifests, violations = read(text, "f.yaml")

    for manifest in manifests:
        json.dumps(manifest.value, allow_nan=False)
    assert all(violation.line >= 1 and violation.message for violation in violations)
