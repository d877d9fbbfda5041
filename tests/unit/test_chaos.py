"""What is made of counted messages, what `lab.toml` may say of them, and what `chaos` refuses."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from labkit import cells, chaos, config, i18n, orders, session
from labkit.brokers import sources
from labkit.cli import INTERRUPTED
from labkit.errors import FAILED, USAGE, LabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Outcome

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def after(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def outcome(**changes: Any) -> chaos.Outcome:
    values = {
        "scheme": "kafka",
        "fault": "none",
        "published": 3,
        "wanted": 3,
        "events": 3,
        "runs": 3,
        "failed": 0,
        "served": 3,
        "servings": 3,
        "refused": 0,
        "delays": (1.0, 2.0, 3.0),
    }
    return chaos.Outcome(**(values | changes))


def test_when_all_is_well_nothing_is_lost_doubled_or_late() -> None:
    one = outcome()
    assert (one.lost, one.doubled, one.late, one.longest) == (0, 0, 0, 3.0)


def test_lost_is_what_was_neither_served_nor_put_aside() -> None:
    assert outcome(served=2, servings=2).lost == 1
    assert outcome(served=2, servings=2, refused=1).lost == 0
    # A dead letter that was written twice does not make up for another message.
    assert outcome(refused=1).lost == 0


def test_doubled_is_every_serving_after_the_first() -> None:
    assert outcome(servings=5).doubled == 2
    assert outcome(served=2, servings=3).doubled == 1


def test_late_is_what_took_longer_than_the_limit() -> None:
    one = outcome(delays=(chaos.LATE, chaos.LATE + 0.01, 99.0))
    assert (one.late, one.longest) == (2, 99.0)
    assert outcome(served=0, servings=0, delays=()).longest is None


def test_a_delay_is_from_the_first_sending_to_the_first_serving() -> None:
    sent = [("a", after(0)), ("b", after(1)), ("a", after(2)), ("lost", after(3))]
    servings = [("a", after(4)), ("b", after(4.5)), ("a", after(9))]
    assert orders.delays(sent, servings) == (4.0, 3.5)
    assert orders.delays(sent, []) == ()


def test_a_row_can_be_written_as_json_and_has_what_was_reckoned() -> None:
    row = json.loads(json.dumps(outcome(served=2, servings=4).row))
    assert (row["lost"], row["doubled"], row["late"], row["longest"]) == (1, 2, 0, 3.0)
    assert row["delays"] == [1.0, 2.0, 3.0]


def test_every_fault_has_its_way_of_going_wrong() -> None:
    for fault in chaos.FAULTS:
        assert getattr(chaos._Chaos, "_" + fault.replace("-", "_")).__doc__
    assert chaos.LASTS.keys() <= set(chaos.FAULTS)


def test_targets_of_the_project_have_topics_and_groups_and_dags_of_their_own() -> None:
    targets = [target for one in config.labs() for target in one.chaos]
    assert {"kafka", "kafka-shared-stream"} <= {one.name for one in targets}
    for key in ("name", "dag", "asset", "topic", "group", "table"):
        values = [value for one in targets if (value := getattr(one, key))]
        assert len(set(values)) == len(values), key
    for lab in config.labs():
        for target in lab.chaos:
            assert target.dag in lab.on_demand
            places = {
                "kafka": lab.topics,
                "sqs": lab.queues,
                "redis": lab.channels,
                "file": (target.topic,),
                "notes": (target.topic,),
            }
            assert target.topic in places.get(target.broker, (target.topic,))
            assert (target.group in lab.connections) == (target.broker == "kafka")
            assert not target.dead or target.dead in lab.topics
            assert not target.topic.startswith("0") or target.topic.startswith(lab.name), "a folder of its own lab"


def test_every_kind_of_source_is_known_and_says_in_both_languages_what_it_cannot_show() -> None:
    assert sources.KINDS.keys() == set(config.TARGET_BROKERS)
    assert sources.without().keys() <= sources.KINDS.keys()
    for reasons in sources.without().values():
        assert reasons.keys() <= set(chaos.FAULTS)
        for reason in reasons.values():
            assert set(reason) == set(i18n.LANGUAGES)
            assert not any(text.endswith((".", "。")) for text in reason.values())


@pytest.fixture
def record(tmp_path: Path) -> cells.Record:
    """A file with three cells of two sources."""
    file = tmp_path / "chaos.json"
    file.write_text(json.dumps([row("kafka", "none"), row("kafka", "poison"), row("file", "none")]), encoding="utf-8")
    return cells.Record(file)


def row(scheme: str, fault: str, lost: int = 0) -> dict[str, Any]:
    return {"scheme": scheme, "fault": fault, "lost": lost}


def test_the_table_has_every_source_with_every_fault_that_makes_sense_and_each_is_counted() -> None:
    names = {cell.name for cell in cells.cells()}
    for _, target in config.targets():
        for fault in chaos.FAULTS:
            assert ((target.name, fault) in names) == (fault not in sources.without().get(target.broker, {}))
    rows = json.loads(cells.Record().file.read_text(encoding="utf-8"))
    assert sorted((row["scheme"], row["fault"]) for row in rows) == sorted(names)


def test_cells_are_chosen_by_source_and_by_fault() -> None:
    assert {cell.target.name for cell in cells.cells("file")} == {"file"}
    assert [cell.fault for cell in cells.cells("kafka")] == list(chaos.FAULTS)
    assert {cell.fault for cell in cells.cells(fault="poison")} == {"poison"}
    assert "file" not in {cell.target.name for cell in cells.cells(fault="poison")}
    assert [cell.name for cell in cells.cells("redis", "none")] == [("redis", "none")]


def test_a_counted_cell_is_in_the_file_at_once_in_its_place(record: cells.Record) -> None:
    (none, duplicate) = (cells.cells("kafka", fault)[0] for fault in ("none", "duplicate"))
    assert (record.has(none), record.has(duplicate)) == (True, False)
    for one in (row("kafka", "duplicate"), row("kafka", "none", 1), row("redis", "none")):
        record.put(one)
        written = json.loads(record.file.read_text(encoding="utf-8"))
        assert one in written
        assert cells.Record(record.file).has(duplicate), "who begins again finds it"
    names = [f"{one['scheme']} {one['fault']}" for one in written]
    assert names == ["kafka none", "kafka poison", "kafka duplicate", "file none", "redis none"]
    assert len(record.file.read_text(encoding="utf-8").splitlines()) == len(names) + 2, "a line for each, to compare"
    assert list(record.file.parent.iterdir()) == [record.file], "no draft is left"


@pytest.mark.parametrize("text", ["", "[{]", "[1]", '[{"scheme": "kafka"}]', "{}x", "[null]", "7"])
def test_a_file_that_is_no_list_of_cells_is_told_with_the_remedy(text: str, tmp_path: Path) -> None:
    file = tmp_path / "chaos.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(LabError, match="git checkout") as told:
        cells.Record(file)
    assert told.value.exit_code == FAILED


def test_the_project_s_file_is_as_the_command_would_write_it(tmp_path: Path) -> None:
    kept = cells.Record().file.read_text(encoding="utf-8")
    file = tmp_path / "chaos.json"
    file.write_text(kept, encoding="utf-8")
    cells.Record(file).put(json.loads(kept)[0])
    assert file.read_text(encoding="utf-8") == kept


def test_every_cell_is_in_one_group_and_no_group_is_one_that_cannot_share_its_fault() -> None:
    groups = cells.together(cells.cells())
    assert sorted(cell.name for some in groups for cell in some) == sorted(cell.name for cell in cells.cells())
    for some in groups:
        assert len({cell.fault for cell in some}) == 1
        assert 1 <= len(some) <= cells.AT_ONCE
        chaos.check_together([cell.target for cell in some], some[0].fault)
    assert len(groups) < len(cells.cells()) * 0.6, "else there is no use in it"


def targets(*names: str) -> list[config.Target]:
    return [config.find_target(name)[1] for name in names]


@pytest.mark.parametrize("fault", chaos.AT_THE_GATE)
@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("sqs", "kafka-shared-stream"), "sqs"),
        (("own", "kafka", "shared-plain"), "shared-plain"),
        (("batch", "redis"), "batch"),
        (("redis", "batch", "sqs"), "batch"),
    ],
)
def test_what_cannot_be_at_the_gate_together_is_refused(names: tuple[str, ...], told: str, fault: str) -> None:
    with pytest.raises(LabError, match=told) as refused:
        chaos.check_together(targets(*names), fault)
    assert refused.value.exit_code == USAGE


@pytest.mark.parametrize("fault", chaos.FAULTS)
def test_what_can_be_at_the_gate_together_shares_every_fault_and_so_does_who_is_alone(fault: str) -> None:
    for names in (("kafka", "redis", "file", "own"), ("batch",), ("sqs-kept", "redis")):
        chaos.check_together(targets(*names), fault)
    if fault not in chaos.AT_THE_GATE:
        chaos.check_together(targets("batch", "sqs", "own"), fault)


def test_sources_with_a_comma_between_them_are_each_checked(lab: Callable[..., Outcome]) -> None:
    assert "pigeons" in lab("chaos", "kafka,pigeons", "none").err
    refused = lab("chaos", "kafka,sqs", "stop-broker")
    assert refused.code == USAGE
    assert lab("chaos", "kafka,redis", "stop-broker").code == FAILED, "these may; there is only no stack"
    refused = lab("chaos", "sqs,sqs-kept", "kill-triggerer")
    assert refused.code == USAGE
    assert "on its own" in refused.err.replace("\n", " ")


def test_the_time_left_is_that_of_what_was_done() -> None:
    assert cells.left(0, 0, 60) == 45, "a guess where nothing is done"
    assert cells.left(300, 3, 9) == 10
    assert cells.left(60, 6, 7) == 1


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_an_unknown_source_is_refused_with_those_there_are(language: str, lab: Callable[..., Outcome]) -> None:
    told = lab("chaos", "pigeons", "none", "--lang", language)
    assert told.code == USAGE
    assert "pigeons" in told.err
    assert "kafka-shared-stream" in told.err.replace("\n", "")


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_an_unknown_fault_is_refused_with_those_there_are(language: str, lab: Callable[..., Outcome]) -> None:
    told = lab("chaos", "kafka", "earthquake", "--lang", language)
    assert told.code == USAGE
    assert "kill-triggerer" in told.err


@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize(("scheme", "fault"), [("sqs", "stop-broker"), ("file", "stop-broker"), ("file", "poison")])
def test_a_fault_that_would_show_what_is_not_so_is_refused(
    scheme: str, fault: str, language: str, lab: Callable[..., Outcome]
) -> None:
    told = lab("chaos", scheme, fault, "--lang", language)
    assert told.code == USAGE
    assert fault in told.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["kafka"],
        ["kafka", "none", "x"],
        ["kafka", "freeze-triggerer", "--seconds", "-1"],
        ["kafka", "freeze-triggerer", "--seconds", "301"],
        ["kafka", "freeze-triggerer", "--seconds", "nan"],
        ["kafka", "none", "--seconds", "5"],
        ["kafka", "none", "--again"],
        ["kafka", "all", "--again"],
        ["--again"],
        ["--all", "--seconds", "5"],
        ["--all", "kafka", "freeze-triggerer", "--seconds", "5"],
        ["--all", "pigeons"],
        ["--all", "kafka", "earthquake"],
        ["--all", "sqs", "stop-broker"],
    ],
)
def test_what_is_missing_or_too_much_is_refused(arguments: list[str], lab: Callable[..., Outcome]) -> None:
    assert lab("chaos", *arguments).code == USAGE


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_a_time_for_what_does_not_last_is_refused_with_what_does(language: str, lab: Callable[..., Outcome]) -> None:
    told = lab("chaos", "kafka", "kill-triggerer", "--seconds", "5", "--lang", language)
    assert told.code == USAGE
    for word in ("kill-triggerer", "--seconds", *chaos.LASTS):
        assert word in told.err.replace("\n", " ")


@pytest.mark.parametrize("fault", [*chaos.LASTS, "all"])
def test_a_time_for_what_lasts_is_taken(fault: str, lab: Callable[..., Outcome]) -> None:
    assert lab("chaos", "kafka", fault, "--seconds", "5").code == FAILED, "there is no stack"


def test_when_no_cell_is_missing_it_says_so_and_needs_no_stack(lab: Callable[..., Outcome]) -> None:
    told = lab("chaos", "--all")
    assert told.code == 0
    assert f"All {len(cells.cells())} cells" in told.out.replace("\n", " ")
    assert json.loads(lab("chaos", "--all", "kafka", "--json").out) == []


class Tried:
    """What `--all` let run, in place of the engine."""

    def __init__(self, record: cells.Record) -> None:
        self.record = record
        self.cells: list[tuple[str, str]] = []
        self.end: dict[tuple[str, str], BaseException] = {}

    def together(self, _: object, targets: list[config.Target], fault: str, **__: object) -> list[chaos.Outcome]:
        """Note what was tried."""
        names = [(target.name, fault) for target in targets]
        self.cells += names
        for name in names:
            if name in self.end:
                raise self.end[name]
        return [outcome(scheme=scheme, fault=fault) for scheme, _ in names]


@pytest.fixture
def tried(record: cells.Record, monkeypatch: pytest.MonkeyPatch) -> Tried:
    """A stack that is there in name only, and a file of its own."""
    found = Tried(record)
    monkeypatch.setattr(chaos, "together", found.together)
    monkeypatch.setattr(cells, "Record", lambda: type(record)(record.file))
    monkeypatch.setattr(session, "current", object)
    monkeypatch.setattr(session, "having", lambda *_, **__: object())
    monkeypatch.setattr(session, "wait_for_interface", lambda _: None)
    return found


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_the_help_lists_every_source_and_every_fault_with_what_it_is(
    language: i18n.Language, lab: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    told = lab("chaos", "--help", "--lang", language)
    assert told.code == 0
    heads = {line.split()[0] for line in told.out.splitlines() if line.startswith("  ") and line.split()}
    assert {target.name for _, target in config.targets()} | set(chaos.FAULTS) <= heads
    assert i18n.catalogue()["fault.kill-scheduler"][language] in told.out
    assert 'MessageQueueTrigger(scheme="kafka")' in told.out


def test_all_does_what_is_missing_and_again_does_everything(tried: Tried, lab: Callable[..., Outcome]) -> None:
    missing = [("kafka", fault) for fault in chaos.FAULTS if fault not in {"none", "poison"}]
    told = lab("chaos", "--all", "kafka")
    assert told.code == 0
    assert tried.cells == missing
    assert f"1/{len(missing)} " in told.out
    assert f"{len(missing)}/{len(missing)} " in told.out
    tried.cells.clear()
    assert lab("chaos", "--all", "kafka").code == 0
    assert tried.cells == []
    assert lab("chaos", "--all", "kafka", "none", "--again").code == 0
    assert lab("chaos", "--all", "file", "--again").code == 0
    assert tried.cells[0] == ("kafka", "none")
    assert [fault for _, fault in tried.cells[1:]] == [cell.fault for cell in cells.cells("file")]


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(tried: Tried, lab: Callable[..., Outcome]) -> None:
    tried.end["kafka", "lose-triggerer"] = KeyboardInterrupt()
    told = lab("chaos", "--all", "kafka")
    assert told.code == INTERRUPTED
    assert "1 of 7 cells" in told.out.replace("\n", " ")
    tried.end.clear()
    tried.cells.clear()
    assert lab("chaos", "--all", "kafka").code == 0
    assert tried.cells[0] == ("kafka", "lose-triggerer")


def test_a_cell_that_cannot_be_counted_is_named_and_the_others_are_counted(
    tried: Tried, lab: Callable[..., Outcome]
) -> None:
    tried.end["kafka", "cut-database"] = LabError("chaos.no_first", dag="serve_plainly", seconds="60")
    told = lab("chaos", "--all", "kafka")
    assert told.code == FAILED
    assert len(tried.cells) == 7
    assert "kafka cut-database" in told.err.replace("\n", " ")
    tried.end.clear()
    tried.cells.clear()
    told = lab("chaos", "--all", "kafka", "--json")
    assert tried.cells == [("kafka", "cut-database")]
    assert [one["fault"] for one in json.loads(told.out)] == ["cut-database"]


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_a_source_that_always_fails_keeps_none_of_its_group_from_being_counted(
    language: str, tried: Tried, lab: Callable[..., Outcome]
) -> None:
    chosen = cells.cells(fault="duplicate")
    bad, *others = [cell.name for cell in next(some for some in cells.together(chosen) if len(some) > 1)]
    tried.end[bad] = LabError("chaos.no_first", dag="serve_plainly", seconds="60")
    told = lab("chaos", "--all", ",".join(cell.target.name for cell in chosen), "duplicate", "--lang", language)
    assert told.code == FAILED
    assert i18n.catalogue()["chaos.one_by_one"][language] in told.out
    assert tried.cells[-1 - len(others) :] == [bad, *others], "once more, at the end"
    kept = cells.Record()
    assert [cell.name for cell in chosen if not kept.has(cell)] == [bad]
    named = told.err.replace("\n", " ")
    assert " ".join(bad) in named
    assert not any(" ".join(name) in named for name in others)


def test_without_a_stack_it_says_how_to_get_one(lab: Callable[..., Outcome]) -> None:
    told = lab("chaos", "kafka", "none")
    assert told.code == FAILED
    assert "./lab start" in told.err
