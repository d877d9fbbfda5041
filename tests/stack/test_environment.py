"""One start where much is other than usual: ports, time zone, locale, paths, and no network at all."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import socket
import subprocess
import zoneinfo
from typing import TYPE_CHECKING

import httpx
import pytest
from driver import Checkout, until

from labkit.stack import ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAIPEI = zoneinfo.ZoneInfo("Asia/Taipei")
NOWHERE = "http://127.0.0.1:9"
"""A proxy that refuses: whoever asks the network gets an error, and at once."""


@pytest.fixture(scope="module")
def elsewhere(root: Path, sources: list[Path]) -> Iterator[tuple[Checkout, subprocess.CompletedProcess[str]]]:
    """A checkout with a stack that was started under such conditions, and how that went."""
    checkout = Checkout.make(root, sources)
    checkout.environment |= {
        "TZ": "Asia/Taipei",
        "LANG": "C",
        "LC_ALL": "C",
        **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE),
        "UV_OFFLINE": "1",
        "PIP_NO_INDEX": "1",
    }
    with contextlib.ExitStack() as taken:
        for port in ports.PREFERRED.values():
            with contextlib.suppress(OSError):  # another stack has it, which is as good
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
        yield checkout, checkout.lab("start", "--no-site", code=None)
    try:
        if checkout.state is not None:
            checkout.stop()
    finally:
        checkout.remove()


Elsewhere = tuple[Checkout, subprocess.CompletedProcess[str]]


def test_it_starts_without_a_network(elsewhere: Elsewhere) -> None:
    checkout, told = elsewhere
    assert told.returncode == 0, told.stdout + told.stderr
    assert "mock" not in told.stdout
    assert (checkout.state or {})["broker"] == "kafka"


def test_taken_ports_are_replaced_and_the_links_answer(elsewhere: Elsewhere) -> None:
    checkout, told = elsewhere
    chosen = (checkout.state or {})["ports"]
    assert not set(chosen.values()) & set(ports.PREFERRED.values())
    assert f"http://127.0.0.1:{chosen['api-server']}" in told.stdout
    assert httpx.get(checkout.stack.state.ui_url, trust_env=False, follow_redirects=True).status_code == 200


def test_times_are_shown_in_the_users_zone_and_kept_in_utc(elsewhere: Elsewhere) -> None:
    checkout, told = elsewhere
    shown = re.search(r"the broker has the message .* (\d\d:\d\d:\d\d)\.", told.stdout)
    assert shown
    now = dt.datetime.now(TAIPEI)
    time = dt.datetime.combine(now, dt.time.fromisoformat(shown[1]), TAIPEI)
    assert abs((now - time).total_seconds()) % 86400 < 900
    assert checkout.stack.state.started.endswith("+00:00")
    with checkout.stack.metadata() as metadata:
        event = metadata.events(1)[0]
    assert abs((dt.datetime.now(dt.UTC) - event.at).total_seconds()) < 900


def test_the_way_of_the_event_is_told_in_the_right_order_whatever_the_zone(elsewhere: Elsewhere) -> None:
    _, told = elsewhere
    milliseconds = [int(number.replace(",", "")) for number in re.findall(r"\+(-?[\d,]+) ms", told.stdout)]
    assert len(milliseconds) == 8
    assert milliseconds == sorted(milliseconds)


def test_an_event_goes_through_past_a_proxy_that_refuses(elsewhere: Elsewhere) -> None:
    checkout, _ = elsewhere
    checkout.send("orders", 81)
    until(lambda: checkout.handled("handle_order", 81), "the run", 90)


def test_chinese_is_written_in_the_locale_c(elsewhere: Elsewhere) -> None:
    checkout, _ = elsewhere
    assert "環境已經在執行了" in checkout.lab("start", "--no-site", "--lang", "zh-TW").stdout
    assert "烏龍" in checkout.lab("publish", "teas", "{烏龍", "--lang", "zh-TW", code=2).stderr


def test_doctor_tells_of_the_zone_the_ports_and_the_missing_network_and_is_content(elsewhere: Elsewhere) -> None:
    checkout, _ = elsewhere
    told = checkout.lab("doctor", code=None).stdout
    assert "+0800" in told
    assert "Package index: not reachable" in told
    assert str((checkout.state or {})["ports"]["kafka"]) in told


def test_it_starts_a_second_time_without_a_network(elsewhere: Elsewhere) -> None:
    checkout, _ = elsewhere
    checkout.stop()
    told = checkout.lab("start", "--no-site")
    assert "the run is over" in told.stdout
    assert "only this once" not in told.stdout


def test_it_starts_where_temporary_files_go_to_a_folder_with_a_chinese_name(elsewhere: Elsewhere) -> None:
    checkout, _ = elsewhere
    checkout.stop()
    folder = checkout.base / "暫存 tmp"
    folder.mkdir()
    told = checkout.lab("start", "--no-site", TMPDIR=str(folder))
    assert "the run is over" in told.stdout
    checkout.stop()
    assert list(folder.iterdir()) == []
