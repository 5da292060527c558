"""The fuzz targets: every committed seed keeps the promises, and so does what grows out of them."""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from bench import fuzz
from monitor.config import load
from monitor.config.addresses import url_mistake
from monitor.model import FailureKind
from monitor.net.answer import Answer
from monitor.net.failure import Failure
from monitor.net.limits import Limits
from monitor.net.redirects import next_request
from tests.fuzz.targets import HAS_ATHERIS, SEEDS, TARGETS, command

ROOT = Path(__file__).parent.parent


def seeds():
    return [(name, path) for name in TARGETS for path in sorted((SEEDS / name).iterdir())]


@pytest.mark.parametrize(("name", "path"), seeds(), ids=lambda each: getattr(each, "name", each))
def test_a_seed_keeps_every_promise(name, path):
    importlib.import_module(f"tests.fuzz.{name}").target(path.read_bytes())


def test_every_target_has_seeds_and_every_folder_of_seeds_a_target():
    assert {path.name for path in SEEDS.iterdir() if path.is_dir()} == set(TARGETS)
    for name in TARGETS:
        assert 20 <= len(list((SEEDS / name).iterdir())) <= 80, name


def test_the_open_ended_run_names_the_targets_there_are(capsys, tmp_path):
    assert fuzz.main("nonsense", str(tmp_path)) == 2
    assert capsys.readouterr().err.endswith(f"NAME is one of: {', '.join(TARGETS)}\n")


@pytest.mark.skipif(not HAS_ATHERIS, reason="atheris is for Linux on x86_64, before Python 3.14")
@pytest.mark.timeout(420)
@pytest.mark.parametrize("name", TARGETS)
def test_so_many_inputs_grown_from_the_seeds_break_no_promise(name, tmp_path):
    runs = TARGETS[name].runs
    words = command(name, tmp_path, "-seed=1", f"-runs={runs}", "-print_final_stats=1")
    with (tmp_path / "log").open("w+") as log:
        ended = subprocess.run(words, cwd=ROOT, stdout=log, stderr=log, check=False)
        log.seek(0)
        said = log.read()
    assert ended.returncode == 0, said[-4000:]
    done = re.search(r"^stat::number_of_executed_units: (\d+)$", said, re.MULTILINE)
    assert done is not None, said[-4000:]
    assert int(done[1]) >= runs


# --------------------------------------------------------------------------- what was found


def fed(raw, size):
    """An answer that took in what it was given in pieces of a size, until it was done."""
    answer = Answer("GET", Limits(wire_bytes=100), [].append)
    for start in range(0, len(raw), size):
        if not answer.done:
            answer.feed(raw[start : start + size])
    return answer


def test_what_follows_a_whole_answer_is_not_held_against_it_however_it_is_cut():
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" + b"z" * 100
    for size in (1, 40, 90, len(raw)):
        assert fed(raw, size).done, size


def test_an_answer_over_the_limit_of_the_wire_fails_however_it_is_cut():
    raw = b"HTTP/1.1 200 OK\r\n\r\n" + b"z" * 100
    for size in (1, 40, 90, len(raw)):
        with pytest.raises(Failure, match="longer than 100 bytes on the wire"):
            fed(raw, size)


def test_a_tunnel_loses_nothing_of_what_came_with_the_answer_of_the_proxy():
    answer = Answer("CONNECT", Limits(wire_bytes=100), [].append)
    answer.feed(b"HTTP/1.1 200 Connection established\r\n\r\n" + b"t" * 200)
    assert answer.done
    assert answer.rest == b"t" * 200


@pytest.mark.parametrize("host", ["xn--ls8h.example", "xn--a", "xn--zzzzzz"])
def test_a_host_that_is_no_internationalised_name_makes_no_url(host):
    mistake = url_mistake(f"https://{host}/", ())
    assert mistake is not None
    assert "is no URL" in mistake
    asked = httpx.Request("GET", "http://one.example/")
    sent_on = httpx.Response(302, headers={"location": f"http://{host}/x"}, request=asked)
    with pytest.raises(Failure, match="the redirect leads to no URL") as raised:
        next_request(sent_on, httpx.Cookies())
    assert raised.value.kind is FailureKind.PROTOCOL


def test_a_proxy_with_an_empty_port_is_read_and_its_password_known_as_a_secret(tmp_path):
    file = tmp_path / "checks.yaml"
    file.write_text(
        'vantages: {a: {proxy: "http://me:${TOKEN}@proxy.example:/"}}\n'
        'services: {crm: {checks: [{name: home, url: "https://one.example/"}]}}\n'
    )
    config = load(file, {"TOKEN": "p%40ss"})
    assert [each.reveal() for each in config.secrets] == ["p@ss"]
