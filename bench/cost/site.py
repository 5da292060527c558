"""The site that is probed: nginx on loopback, plain and with TLS, and a name server for its names.

The certificate is signed by an authority between it and the root, as they are on the internet;
both keys are P-256. Every page is 1.2 kB of HTML.
"""

import contextlib
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from bench.cost.processes import running, until_listening
from bench.live.pair import GaveUpError, free_port

PROGRAM = "nginx"
DOMAIN = "bench.test"
SAID = "Sign in to Prospect CRM"
_FILL = "<p>Use the address that your administrator gave you, and your own password.</p>" * 14
_PAGE = f"<!doctype html><title>Prospect</title><h1>{SAID}</h1>{_FILL}"


@dataclass(frozen=True, slots=True)
class Site:
    """Where it is; `roots` is the file of the authority that signed for it."""

    plain_port: int
    tls_port: int
    names_port: int
    roots: Path

    def origin(self, host: str, *, tls: bool) -> str:
        """The beginning of its URLs, by one of its names or as 127.0.0.1."""
        return f"https://{host}:{self.tls_port}" if tls else f"http://{host}:{self.plain_port}"


@contextlib.asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    """Serve until the block ends. Raises GaveUpError without nginx."""
    program = shutil.which(PROGRAM) or shutil.which(PROGRAM, path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise GaveUpError(f"not installed: {PROGRAM}")
    made = Site(free_port(), free_port(), free_port(), folder / "roots.pem")
    _certify(folder, made.roots)
    (folder / "nginx.conf").write_text(configuration(made, folder))
    log = folder / "nginx.log"
    names = [sys.executable, "-m", "bench.cost.names", str(made.names_port)]
    served = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(log)]
    async with running(served, log) as process, running(names, folder / "names.log"):
        await until_listening(made.tls_port, process, log)
        yield made


def _certify(folder: Path, roots: Path) -> None:
    root = trustme.CA()
    signed = root.create_child_ca().issue_cert("127.0.0.1", f"*.{DOMAIN}", f"*.fresh.{DOMAIN}")
    signed.private_key_and_cert_chain_pem.write_to_path(str(folder / "site.pem"))
    root.cert_pem.write_to_path(str(roots))


def configuration(site: Site, folder: Path) -> str:
    """nginx.conf: one worker, no log of requests, every path the same page."""
    scratch = "".join(
        f"{each}_temp_path {folder}/{each};\n"
        for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 4096; }}
http {{
{scratch}
access_log off;
default_type text/html;
server {{
    listen 127.0.0.1:{site.plain_port} backlog=4096;
    listen 127.0.0.1:{site.tls_port} ssl backlog=4096;
    ssl_certificate {folder}/site.pem;
    ssl_certificate_key {folder}/site.pem;
    location / {{ return 200 "{_PAGE}"; }}
}}
}}
"""
