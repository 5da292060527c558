"""`monitor probe` on what is hard to tell apart at 3 a.m.: one clear line, and an exit code."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
import trustme

from tests.http_server import Reply, http_server
from tests.net_fixtures import raw_server
from tests.running import command


def configured(folder, url, **more):
    document = {
        "database_url": f"sqlite:///{folder}/nothing.db",
        "network": {"allow_private": ["127.0.0.0/8"], **more.pop("network", {})},
        "limits": {"dns": "300ms", "connect": "300ms"},
        "services": {"crm": {"checks": [{"name": "home", "url": url, **more}]}},
    }
    path = folder / "checks.yaml"
    path.write_text(json.dumps(document))
    return str(path)


async def one_line(path):
    """The first line of what the command says, which it also gives as JSON; it exits with 1."""
    code, out, err = await command("probe", "crm/home", "--config", path)
    assert code == 1, err
    line = out.splitlines()[0]
    assert line.startswith("crm/home/shared/local ")
    code, out, _ = await command("probe", "crm/home", "--config", path, "--json")
    assert code == 1
    told = json.loads(out)["story"]["headline"]
    assert told.split(" after ")[0] == line.split(" after ")[0]
    return line


async def test_an_expired_certificate(tmp_path, monkeypatch):
    authority = trustme.CA()
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ended = authority.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 2, tzinfo=UTC))
    ended.configure_cert(tls)
    async with http_server({"/": Reply(200)}, tls=tls) as server:
        line = await one_line(configured(tmp_path, server.url(), tls={"ca_file": "ca.pem"}))
    assert "FAILED (tls)" in line
    assert "certificate refused: certificate has expired (it ended 2020-01-02 00:00:00Z, " in line
    assert " days ago)" in line


async def test_a_name_that_no_server_answers_for(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        network = {"nameservers": [f"127.0.0.1:{silent.getsockname()[1]}"]}
        path = configured(tmp_path, "http://crm.example.org/", network=network)
        line = await one_line(path)
    assert "FAILED (timeout)" in line
    assert "while resolving the name" in line


@asynccontextmanager
async def full_up():
    """An address that takes no more connections, and drops them without a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = []
        for _ in range(8):
            sock = socket.socket()
            sock.settimeout(0)
            sock.connect_ex(address)
            waiting.append(sock)
        try:
            yield address[1]
        finally:
            for sock in waiting:
                sock.close()


async def test_an_address_that_swallows_everything(tmp_path):
    async with full_up() as port:
        line = await one_line(configured(tmp_path, f"http://127.0.0.1:{port}/"))
    assert "FAILED (timeout)" in line
    assert f"no answer within 0.3 s while connecting (127.0.0.1:{port})" in line


async def drips(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def test_a_server_that_never_finishes(tmp_path):
    async with raw_server(drips) as server:
        line = await one_line(configured(tmp_path, server.url(), timeout="500ms"))
    assert "FAILED (timeout)" in line
    assert "no answer within 0.5 s while receiving the answer" in line


@pytest.mark.parametrize("address", ["10.11.12.13", "192.168.0.1"])
async def test_a_redirect_to_a_private_address(tmp_path, address):
    away = Reply(302, headers=(("Location", f"http://{address}/admin"),))
    async with http_server({"/": away}) as server:
        line = await one_line(configured(tmp_path, server.url()))
    assert "FAILED (connect)" in line
    assert f"{address} is " in line
    assert "add it to network.allow_private" in line
    assert f"(redirected to http://{address}/admin)" in line


async def test_a_usage_error_exits_differently(tmp_path):
    path = configured(tmp_path, "http://127.0.0.1:1/")
    code, _, err = await command("probe", "crm/nothing", "--config", path)
    assert code == 2
    assert "no cell is named crm/nothing" in err


async def test_a_probe_that_passes_exits_with_0_and_tells_the_same_way(tmp_path):
    async with http_server({"/": Reply(200)}) as server:
        path = configured(tmp_path, server.url())
        code, out, err = await command("probe", "crm/home", "--config", path)
    assert code == 0, err
    assert out.startswith("crm/home/shared/local passed after ")
