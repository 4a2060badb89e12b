"""The sandbox's process: it starts, is found again, and ends with whoever started it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from cdcx_pandas import launch
from cdcx_pandas.errors import SandboxError
from cdcx_pandas.sandbox.curl import signed_curl_lines, todays_signed_curl_lines

ROOT = Path(__file__).resolve().parent.parent
RUN = [sys.executable, "-m", "cdcx_pandas.sandbox"]
ENV = os.environ | {"PYTHONPATH": str(ROOT)}


def answers(rest: str) -> bool:
    """Tell whether somebody answers there."""
    try:
        return requests.get(rest + "/v1/ticker/price", timeout=2).status_code == 200
    except requests.ConnectionError:
        return False


def ends(rest: str, within_s: float = 5.0) -> bool:
    """Wait until nobody answers any more."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if not answers(rest):
            return True
        time.sleep(0.05)
    return False


def test_the_same_options_use_the_running_process_again() -> None:
    """One process for one set of options; another for others; a dead one is replaced."""
    first = launch.running(seed=11)
    assert launch.running(seed=11) is first
    other = launch.running(seed=12)
    assert other.process.pid != first.process.pid
    first.process.kill()
    first.process.wait()
    again = launch.running(seed=11)
    assert again is not first
    assert answers(again.addresses["v1"].rest)
    for one in (again, other):
        one.stop()
        assert ends(one.addresses["v1"].rest)


def test_the_json_line_says_everything() -> None:
    """One line: addresses, key and secret, run, clock; it ends when standard input closes."""
    process = subprocess.Popen(
        [*RUN, "--port", "0", "--seed", "7", "--json", "--speed", "60", "--at", "2021-05-01"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENV,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    told = json.loads(process.stdout.readline())
    assert set(told) == {"v1", "exchange", "api_key", "api_secret", "run", "clock", "control"}
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", told["v1"]["rest"])
    assert re.fullmatch(r"ws://127\.0\.0\.1:\d+/kline-api/ws", told["v1"]["ws"])
    host = told["v1"]["rest"].removeprefix("http://")
    assert told["exchange"] == {
        "rest": f"http://{host}/exchange/v1",
        "market_ws": f"ws://{host}/exchange/v1/market",
        "user_ws": f"ws://{host}/exchange/v1/user",
    }
    assert re.fullmatch(r"[A-Za-z0-9]{32}", told["api_key"])
    assert told["clock"]["speed"] == 60
    assert told["clock"]["at"] == 1_619_827_200 * 10**9
    date = requests.get(told["v1"]["rest"] + "/v1/symbols", timeout=5).headers["Date"]
    assert date.startswith("Sat, 01 May 2021 00:")
    process.stdin.close()
    assert process.wait(5) == 0
    assert process.stdout.read() == ""
    process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told(number: signal.Signals) -> None:
    """A signal ends it in order."""
    running = launch.start(("--seed", "7"))
    running.process.send_signal(number)
    assert running.process.wait(5) == 0
    running.stop()


def test_it_ends_with_a_parent_that_was_killed() -> None:
    """Not even kill -9 of a kernel leaves a sandbox behind."""
    code = (
        "from cdcx_pandas import launch; import time\n"
        "print(launch.start(()).addresses['v1'].rest, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=ENV
    )
    assert parent.stdout is not None
    rest = parent.stdout.readline().strip()
    assert answers(rest)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert ends(rest)


def test_a_port_in_use_is_told_and_ends_with_1() -> None:
    """The message names the port and the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*RUN, "--port", str(port), "--json"], capture_output=True, text=True, env=ENV,
            stdin=subprocess.DEVNULL, timeout=20, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert f"Port {port} of this machine cannot be used" in done.stderr
    assert "--port 0 for any that is free" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_sandbox_that_does_not_start_says_why() -> None:
    """What it said on standard error stands in the error."""
    with pytest.raises(SandboxError) as caught:
        launch.start(("--replay", "missing.csv", "--symbol", "btcusd"))
    assert "The sandbox did not start." in str(caught.value)
    assert "missing.csv" in str(caught.value)


def test_it_shows_no_secret(running: launch.Running) -> None:
    """`repr` of what runs holds neither key, secret nor token."""
    shown = repr(running)
    assert running.control_token not in shown
    assert running.credentials.key_for_the_wire() not in shown


def test_every_printed_curl_line_runs() -> None:
    """Without --json a person gets lines for every call; pasted into a shell, they work."""
    process = subprocess.Popen(
        [*RUN, "--no-limits"], stdout=subprocess.PIPE, text=True, env=ENV, stdin=subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if "private/user-balance-history" in line:
                break
        assert "SIMULATED" in lines[0]
        calls = [line for line in lines if "curl " in line and "/exchange/" not in line]
        paths = {m[0] for line in calls for m in re.findall(r"(/v1/[A-Za-z/]+)()", line)}
        assert paths == {
            "/v1/symbols", "/v1/ticker", "/v1/ticker/price", "/v1/klines", "/v1/trades",
            "/v1/depth", "/v1/account", "/v1/order", "/v1/openOrders", "/v1/allOrders",
            "/v1/myTrades", "/v1/showOrder", "/v1/orders/cancel", "/v1/cancelAllOrders",
        }  # fmt: skip
        order = "0"
        for call in calls:
            said = subprocess.run(
                ["bash", "-c", call.replace("order_id=ID", f"order_id={order}").replace(
                    "order_idID", f"order_id{order}")],
                capture_output=True, text=True, timeout=20, check=True,
            ).stdout  # fmt: skip
            envelope = json.loads(said)
            assert envelope["code"] == "0", (call, said)
            if "/v1/order " in call:
                order = str(envelope["data"]["order_id"])
        todays = [line for line in lines if "curl " in line and "/exchange/" in line]
        assert len(todays) == 20
        for call in todays:
            said = subprocess.run(
                ["bash", "-c", call], capture_output=True, text=True, timeout=20, check=True
            ).stdout
            assert json.loads(said)["code"] == 0, (call, said)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(5)
        process.stdout.close()


def test_signed_lines_follow_the_sandboxs_own_time() -> None:
    """On a sandbox whose time runs elsewhere, the lines compute that time."""
    running = launch.start(("--speed", "10", "--at", "2022-01-01", "--no-limits"))
    try:
        clock = {"at": running.at_ns, "since": running.since_ns, "speed": running.speed}
        from cdcx_pandas.sandbox.keys import make_keys

        key = make_keys(7)[0]
        signed = (key.key, key.secret, clock)
        for lines, code in (
            (signed_curl_lines(running.addresses["v1"].rest, *signed), "0"),
            (todays_signed_curl_lines(running.addresses["exchange"].rest, *signed), 0),
        ):
            said = subprocess.run(
                ["bash", "-c", lines[0]], capture_output=True, text=True, check=True
            )
            assert json.loads(said.stdout)["code"] == code
    finally:
        running.stop()
