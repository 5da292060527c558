"""The kinds of probe, by the name a check uses for them.

A probe asks once and tells what it saw. It never retries and never judges what its result means
for a service. A new kind is a module with an options dataclass and a `Look`, and a line here.
"""

from __future__ import annotations

from monitor.probes import dns, heartbeat, http, journey, promql, tcp, tls
from monitor.probes.kind import Ask, Kind, Means, ProbeFn
from monitor.probes.steps import JourneyOptions

__all__ = ["PROBES", "Ask", "Kind", "Means", "ProbeFn"]

PROBES: dict[str, Kind] = {
    "http": Kind(http.HttpOptions, http.probe),
    "journey": Kind(JourneyOptions, journey.probe),
    "tcp": Kind(tcp.TcpOptions, tcp.probe, schemes=tcp.SCHEMES),
    "tls": Kind(tls.TlsOptions, tls.probe, schemes=tls.SCHEMES),
    "dns": Kind(dns.DnsOptions, dns.probe, address="domain", schemes=()),
    "promql": Kind(promql.PromqlOptions, promql.probe),
    "heartbeat": Kind(
        heartbeat.HeartbeatOptions, heartbeat.probe, address="beat", schemes=(), listens=True
    ),
}
