"""`lab.toml`: what is read, and what a broken one says."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from labkit import config, i18n, paths
from labkit.errors import FAILED, USAGE, LabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Outcome

WHOLE = """
number = 8
minutes = 5
[title]
en = "Eight"
zh-TW = "八"
[kafka]
topics = ["teas"]
connections = ["kafka_teas"]
[first_event]
topic = "teas"
dag = "brew"
value = { cups = 1 }
[[steps]]
id = "boil"
[steps.title]
en = "Boil"
zh-TW = "煮"
[steps.hints]
en = ["Water"]
zh-TW = ["水"]
"""


@pytest.fixture
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Make lab 08 of the text given the only one."""

    def write(text: str | bytes) -> Path:
        folder = tmp_path / "labs"
        (folder / "08-tea").mkdir(parents=True, exist_ok=True)
        (folder / "08-tea" / "lab.toml").write_bytes(text.encode() if isinstance(text, str) else text)
        monkeypatch.setattr(paths, "LABS", folder)
        config.labs.cache_clear()
        return folder

    return write


def test_the_labs_of_the_project_are_whole_in_both_languages() -> None:
    for one in config.labs():
        assert one.name.startswith(one.id)
        assert all(len(step.hints["en"]) == len(step.hints["zh-TW"]) > 0 for step in one.steps)
        assert one.first_event is None or one.first_event.topic in one.topics


def test_every_step_of_every_lab_has_its_check() -> None:
    for one in config.labs():
        source = (one.folder / "verify.py").read_text(encoding="utf-8")
        for step in one.steps:
            assert f"def {step.id.replace('-', '_')}(metadata: Metadata, lab: Lab)" in source, step.id


@pytest.mark.parametrize(
    "names",
    [r"\bAsset\(\s*(?:name=)?[\"'](\w+)", r"\bDAG\(\s*(?:dag_id=)?[\"'](\w+)"],
    ids=["assets", "Dags"],
)
def test_no_two_labs_use_one_name(names: str) -> None:
    """One stack runs all labs: an asset that two of them define would lose its watchers at every other parse."""
    users: dict[str, set[str]] = {}
    files = [*paths.LABS.glob("[0-9][0-9]-*/**/*.py"), *paths.BOOK.glob("en/labs/[0-9][0-9]-*.md")]
    for file in files:
        lab = next(part[:2] for part in file.parts if re.match(r"[0-9]{2}-", part))
        for name in re.findall(names, file.read_text(encoding="utf-8")):
            users.setdefault(name, set()).add(lab)
    assert len(users) > 5
    assert {name: labs for name, labs in users.items() if len(labs) > 1} == {}


@pytest.mark.parametrize("which", ["08", "8", "08-tea"])
def test_a_lab_is_found_by_number_and_name(which: str, labs: Callable[[str], Path]) -> None:
    labs(WHOLE)
    found = config.lab(which)
    assert (found.id, found.name, found.topics, found.work) == ("08", "08-tea", ("teas",), paths.WORK / "08-tea")


@pytest.mark.parametrize("which", ["9", "99", "tea", "", "08-te", "../03-asset-watchers", "３", "-1"])
@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_an_unknown_lab_is_refused_with_the_known_ones(
    which: str, language: i18n.Language, labs: Callable[[str], Path]
) -> None:
    labs(WHOLE)
    i18n.use(language)
    with pytest.raises(LabError, match="08") as refused:
        config.lab(which)
    assert refused.value.exit_code == USAGE


def test_a_lab_tells_its_queues_and_channels_and_others_are_refused(labs: Callable[[str], Path]) -> None:
    labs(f'{WHOLE}\n[sqs]\nqueues = ["post"]\n[redis]\nchannels = ["shout"]\n')
    assert (config.lab("08").queues, config.lab("08").channels) == (("post",), ("shout",))
    for broker, place in (("kafka", "teas"), ("sqs", "post"), ("redis", "shout")):
        assert config.find_place(broker, place).id == "08"
        with pytest.raises(LabError, match=place) as refused:
            config.find_place(broker, "nowhere")
        assert refused.value.exit_code == USAGE


def test_a_lab_tells_what_it_needs_beside_kafka(labs: Callable[[str], Path]) -> None:
    labs(f'on_demand = ["brew"]\n{WHOLE}\n[connections]\ns3 = "aws"\n')
    assert config.lab("08").other_connections == {"s3": "aws"}
    assert config.lab("08").on_demand == ("brew",)


RACER = """
[[racers]]
name = "kettle"
dag = "boil"
topic = "teas"
group = "kafka_teas"
title = { en = "A kettle", zh-TW = "水壺" }
"""


def test_a_lab_tells_who_races(labs: Callable[[str], Path]) -> None:
    labs(WHOLE + RACER)
    (racer,) = config.lab("08").racers
    assert (racer.name, racer.dag, racer.topic, racer.group, racer.sensor) == (
        "kettle", "boil", "teas", "kafka_teas", "",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (WHOLE + RACER.replace('dag = "boil"', ""), "`racers[1].dag`"),
        (WHOLE + RACER.replace(', zh-TW = "水壺"', ""), "`racers[1].title.zh-TW`"),
        (WHOLE + RACER + "sensor = 1", "`racers[1].sensor`"),
        ("racers = 1\n" + WHOLE, "`racers`"),
        ("racers = [1]\n" + WHOLE, "`racers[1]`"),
    ],
)
def test_a_wrong_racer_is_named(text: str, named: str, labs: Callable[[str], Path]) -> None:
    labs(text)
    with pytest.raises(LabError) as refused:
        config.labs()
    assert named in str(refused.value)


TARGET = """
[[chaos]]
name = "kettle"
dag = "boil"
asset = "water"
topic = "teas"
group = "kafka_teas"
table = "boiled"
title = { en = "A kettle", zh-TW = "水壺" }
"""


def test_a_lab_tells_what_may_go_wrong(labs: Callable[[str], Path]) -> None:
    labs(WHOLE + TARGET + TARGET.replace('"kettle"', '"pot"').replace('group = "kafka_teas"', 'broker = "sqs"'))
    one, target = config.find_target("kettle")
    assert (one.id, target.broker, target.group, target.dead) == ("08", "kafka", "kafka_teas", "")
    assert (config.find_target("pot")[1].broker, config.find_target("pot")[1].group) == ("sqs", "")
    with pytest.raises(LabError, match="kettle") as refused:
        config.find_target("bucket")
    assert refused.value.exit_code == USAGE


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (WHOLE + TARGET.replace('dag = "boil"', ""), "`chaos[1].dag`"),
        (WHOLE + TARGET.replace(', zh-TW = "水壺"', ""), "`chaos[1].title.zh-TW`"),
        (WHOLE + TARGET.replace('group = "kafka_teas"', ""), "`chaos[1].group`"),
        (WHOLE + TARGET.replace('"boiled"', '"boiled; DROP"'), "`chaos[1].table`"),
        (WHOLE + TARGET + 'broker = "pigeons"', "`chaos[1].broker`"),
        (WHOLE + TARGET + "dead = 1", "`chaos[1].dead`"),
        ("chaos = 1\n" + WHOLE, "`chaos`"),
        ("chaos = [1]\n" + WHOLE, "`chaos[1]`"),
    ],
)
def test_a_wrong_target_is_named(text: str, named: str, labs: Callable[[str], Path]) -> None:
    labs(text)
    with pytest.raises(LabError) as refused:
        config.labs()
    assert named in str(refused.value)


def test_an_unknown_step_is_refused_with_the_known_ones(labs: Callable[[str], Path]) -> None:
    labs(WHOLE)
    assert config.lab("08").step("boil").title["en"] == "Boil"
    with pytest.raises(LabError, match="boil") as refused:
        config.lab("08").step("fry")
    assert refused.value.exit_code == USAGE


def test_an_unknown_topic_is_refused_with_the_known_ones(labs: Callable[[str], Path]) -> None:
    labs(WHOLE)
    assert config.find_topic("teas").id == "08"
    with pytest.raises(LabError, match="teas") as refused:
        config.find_topic("coffees")
    assert refused.value.exit_code == USAGE


@pytest.mark.parametrize(
    "text",
    [WHOLE.replace("minutes = 5", "minutes ="), WHOLE + "]", b"title = '\xff'", WHOLE + "minutes = 5\n[title]\n"],
)
def test_broken_toml_is_told_with_file_reason_and_remedy(text: str | bytes, labs: Callable[..., Path]) -> None:
    labs(text)
    with pytest.raises(LabError) as refused:
        config.labs()
    assert refused.value.exit_code == FAILED
    assert "08-tea/lab.toml" in str(refused.value)
    assert "git checkout" in str(refused.value)


def cut(*keys: str, value: object = None) -> str:
    """Return the whole file without one entry, or with another value for it."""
    table = tomllib.loads(f'on_demand = ["brew"]\n{WHOLE}\n[connections]\ns3 = "aws"\n')
    inner = table
    for key in keys[:-1]:
        inner = inner[int(key)] if key.isdigit() else inner[key]  # type: ignore[call-overload]
    inner.pop(keys[-1])
    if value is not None:
        inner[keys[-1]] = value
    return _as_toml(table)


def _as_toml(table: object) -> str:
    """Write a table as TOML in one line an entry; inline tables are TOML as well."""
    assert isinstance(table, dict)
    return "\n".join(f"{key} = {_inline(value)}" for key, value in table.items())


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_inline(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        (("number",), "`number`"),
        (("minutes",), "`minutes`"),
        (("title",), "`title`"),
        (("title", "zh-TW"), "`title.zh-TW`"),
        (("steps",), "`steps`"),
        (("steps", "0", "id"), "`steps[1].id`"),
        (("steps", "0", "hints"), "`steps[1].hints`"),
        (("steps", "0", "hints", "en"), "`steps[1].hints.en`"),
        (("first_event", "dag"), "`first_event.dag`"),
    ],
)
@pytest.mark.parametrize("value", [None, 1.5], ids=["missing", "of the wrong type"])
def test_a_missing_or_wrong_entry_is_named(
    keys: tuple[str, ...], named: str, value: float | None, labs: Callable[[str], Path]
) -> None:
    labs(cut(*keys, value=value))
    with pytest.raises(LabError) as refused:
        config.labs()
    assert named in str(refused.value)
    assert "08-tea/lab.toml" in str(refused.value)
    assert refused.value.exit_code == FAILED


@pytest.mark.parametrize(
    ("keys", "value", "named"),
    [
        (("kafka",), "teas", "`kafka`"),
        (("kafka", "topics"), "teas", "`kafka.topics`"),
        (("kafka", "connections"), [1], "`kafka.connections`"),
        (("first_event",), 1, "`first_event`"),
        (("steps",), [1, 2], "`steps[1]`"),
        (("steps", "0", "hints", "en"), [], "`steps[1].hints.en`"),
        (("connections",), {"s3": "ftp"}, "`connections.s3`"),
        (("on_demand",), "brew", "`on_demand`"),
    ],
    ids=[
        "kafka is a text",
        "topics is a text",
        "connection is a number",
        "event is a number",
        "steps",
        "no hints",
        "unknown kind",
        "on demand is a text",
    ],
)
def test_a_wrong_entry_is_named_however_deep_it_stands(
    keys: tuple[str, ...], value: object, named: str, labs: Callable[[str], Path]
) -> None:
    labs(cut(*keys, value=value))
    with pytest.raises(LabError) as refused:
        config.labs()
    assert named in str(refused.value)


def test_a_broken_lab_toml_stops_a_command_without_a_traceback(
    lab: Callable[..., Outcome], labs: Callable[[str], Path]
) -> None:
    labs("number = ")
    outcome = lab("verify", "08")
    assert outcome.code == FAILED
    assert "lab.toml" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("kind", ["topics", "connections", "queues", "channels", "on_demand"])
def test_no_two_labs_have_a_name_in_common(kind: str) -> None:
    # Two of a topic in one request end librdkafka with a segmentation fault; a group that two share loses messages.
    names = [name for lab in config.labs() for name in getattr(lab, kind)]
    assert sorted(names) == sorted(set(names))
