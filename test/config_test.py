"""The JSON Schema and the manual of the configuration agree with the parser.

The parser's side is src/model/config_test.c: it writes doc/holdfast.schema.json from its tables, takes every file of
examples/ and refuses every file of test/config/ with the problems that lie beside it. Here the same files meet the
schema. The first line of a file of test/config says what the schema thinks of it: `invalid` where the fault is one of
structure, `valid` where only the program can see it, `unread` where it is too much for other readers of YAML.

`python3 test/config_test.py` writes the reference part of doc/config.md anew.
"""

import json
import pathlib
import re
import sys

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "doc" / "holdfast.schema.json"
MANUAL = ROOT / "doc" / "config.md"
BEGIN, END = "<!-- reference: begin -->\n", "<!-- reference: end -->\n"
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
CASES = sorted((ROOT / "test" / "config").glob("*.yaml"))


class Loader(yaml.SafeLoader):
    """Scalars as in YAML 1.2, which editors and the program go by: NO is a country, not false."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("merge", r"^<<$", "<"),
    ("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^([-+]?[0-9]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    ("float", r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$", list("-+.0123456789")),
]:
    Loader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), first)


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def is_valid(validator, path):
    try:
        return validator.is_valid(yaml.load(path.read_text(), Loader))
    except yaml.YAMLError:
        return False


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_schema_takes_examples(validator, path):
    assert [e.message for e in validator.iter_errors(yaml.load(path.read_text(), Loader))] == []


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_schema_and_parser_agree(validator, path):
    thinks = re.match(r"# schema: (valid|invalid|unread)\n", path.read_text())
    assert thinks, "the first line says what the schema thinks of the file"
    if thinks[1] != "unread":
        assert is_valid(validator, path) == (thinks[1] == "valid")


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_problems_have_places(path):
    """Each problem is path:line:column: what is wrong, and (after a semicolon, or as a question) what is right."""
    lines = path.with_suffix(".problems").read_text().splitlines()
    places = []
    for line in lines[:100]:
        found = re.match(r"([a-z_]+\.yaml):(\d+):(\d+): (.+)$", line)
        assert found and found[1] == path.name, line
        assert re.search(r"; .", found[4]), line
        places.append((int(found[2]), int(found[3])))
    assert places and places == sorted(places)
    text = path.read_text().splitlines()
    for row, column in places:
        assert row <= len(text) + 1 and (row > len(text) or column <= len(text[row - 1]) + 1), (row, column)


def test_zone_files_of_examples_exist():
    for path in EXAMPLES:
        for zone in yaml.load(path.read_text(), Loader)["zones"]:
            assert (path.parent / zone["file"]).is_file(), (path, zone)


# ---- the manual ----


def cell(text):
    return text.replace("|", "\\|")


def target(schema):
    """The definition that a key leads to, if any: itself, its elements or its values."""
    for part in [schema, schema.get("items", {}), schema.get("additionalProperties", {}), *schema.get("anyOf", [])]:
        if isinstance(part, dict) and "$ref" in part:
            return part["$ref"].removeprefix("#/$defs/")
    return None


def value(schema):
    """The second column: what may stand there."""
    leads = target(schema)
    if leads and schema.get("type") == "array":
        return f"list of [{leads}](#{leads})"
    if leads and schema.get("type") == "object":
        return f"names, each a [{leads}](#{leads})"
    if leads and "$ref" in schema:
        return f"[{leads}](#{leads})"
    said = cell(schema["$comment"])
    return f"{said} ([{leads}](#{leads}))" if leads else said


def default(name, shape, schema):
    if name in shape["required"]:
        return "required"
    if "default" not in schema or schema["default"] == {}:
        return ""
    text = schema["default"]
    return "`" + (text if isinstance(text, str) else json.dumps(text)) + "`"


def section(title, shape, out):
    out.append(f"### {title}\n")
    if "description" in shape:
        out.append(shape["description"] + "\n")
    out.append("| key | value | default | meaning |\n| --- | --- | --- | --- |")
    for name, schema in shape["properties"].items():
        out.append(f"| `{name}` | {value(schema)} | {default(name, shape, schema)} | {cell(schema['description'])} |")
    out.append("")


def reference():
    schema = json.loads(SCHEMA.read_text())
    out = []
    section("The file", schema, out)
    for name, shape in schema["$defs"].items():
        section(name, shape, out)
    return "\n".join(out) + "\n"


def split(text):
    before, rest = text.split(BEGIN)
    written, after = rest.split(END)
    return before + BEGIN, written, END + after


def test_manual_is_complete():
    assert split(MANUAL.read_text())[1] == reference(), "run: python3 test/config_test.py"


def test_yaml_of_the_manual(validator):
    """Every whole configuration shown in the manual is valid."""
    blocks = re.findall(r"```yaml\n(.*?)```", MANUAL.read_text(), re.S)
    whole = [b for b in blocks if b.startswith("node:")]
    assert whole
    for block in whole:
        assert [e.message for e in validator.iter_errors(yaml.load(block, Loader))] == []


if __name__ == "__main__":
    first, _, last = split(MANUAL.read_text())
    MANUAL.write_text(first + reference() + last)
    sys.exit(0)
