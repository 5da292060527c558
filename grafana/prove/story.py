"""What happens in the proof: an outage that is answered, one that is not, blindness, and the end.

Each part ends with a moment: the time at Prometheus at which a panel that shows such a thing must
have something to show.
"""

import json
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx

from grafana.prove import programs
from grafana.prove.asking import Prometheus
from grafana.prove.programs import GaveUpError, said, until
from grafana.prove.servers import Inbox, receiver, site
from grafana.prove.shipped import laid_out
from monitor.clock import real_clock
from monitor.demo.client import EstateProcess
from monitor.demo.places import Ports

TOKEN = "a-token-of-the-proof"  # noqa: S105 - it guards a monitor that is gone in two minutes
CHECKS = Path(__file__).parent / "checks.yaml"
HOLIDAYS = {
    "england-and-wales": {
        "events": [{"title": "A day of the proof's own", "date": "2030-02-14"}],
    }
}
"""An official list that the calendar differs from."""

CELLS = 45
"""Three services for five tenants from three vantages."""

PAUSE = 5.0
"""Seconds for which the monitor's process is stopped, so that it misses probes."""

EXPECTED = (
    "MonitorWatchdog",
    "MonitorCalendarDiffers",
    "MonitorCertificateExpires",
    "MonitorQuotaNearlyUsed",
    "MonitorResponseAtRisk",
    "MonitorResponseLate",
    "MonitorChannelAway",
    "MonitorNoticesDead",
    "MonitorErrorBudgetBurnsFast",
    "MonitorBlind",
    "MonitorRunsMissed",
    "MonitorDown",
)
"""The alerts that this story makes fire, each of which has to arrive."""


@dataclass(slots=True)
class Scene:
    """Everything that runs, and what has been seen of it. `began` and `moments` by Prometheus."""

    folder: Path
    estate: EstateProcess
    inbox: Inbox
    prometheus: Prometheus
    monitor: Popen[bytes]
    http: httpx.Client
    replaced: list[str]
    began: float = 0.0
    moments: dict[str, float] = field(default_factory=dict)
    fired: dict[str, float] = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)

    def moment(self, name: str) -> None:
        """Note, and say, that this is the moment at which something is to be seen."""
        self.moments[name] = self.prometheus.clock()
        said(f"  {self.moments[name] - self.began:5.1f} s  {name}")

    def look(self) -> None:
        """Note which alerts fire."""
        for name in self.prometheus.firing() - self.fired.keys():
            self.fired[name] = time.monotonic()

    def until_alert(self, *names: str) -> None:
        """Wait until these alerts have arrived at the receiver since they began to fire."""

        def arrived() -> bool:
            self.look()
            there = {told.alert for told in self.inbox.alerts if told.status == "firing"}
            return there >= set(names)

        until(f"{', '.join(names)} arrived", arrived)

    def until_value(self, what: str, expression: str) -> None:
        """Wait until an expression has a value that is not 0."""

        def so() -> bool:
            self.look()
            if self.monitor.poll() is not None:
                raise GaveUpError(f"the monitor ended while waiting: {what}")
            return bool(self.prometheus.value(expression))

        until(what, so)


def opened(folder: Path) -> Scene:
    """Start everything; `stack` of the scene ends it again. Raises GaveUpError, LookupError."""
    with ExitStack() as stack:
        inbox = Inbox()
        listening = stack.enter_context(receiver(inbox))
        secured, roots = site(folder, real_clock().wall())
        stack.enter_context(secured)
        estate = stack.enter_context(EstateProcess(Ports.free()))
        ports = [programs.free_port() for _ in range(4)]
        ours, theirs, alerts, away = ports
        (folder / "holidays.json").write_text(json.dumps(HOLIDAYS))
        told = laid_out(folder, ours, alerts, listening.port)
        variables = {
            "MONITOR_PORT": str(ours),
            "PROOF_FOLDER": str(folder),
            "PROOF_TOKEN": TOKEN,
            **{f"CONTROL_{n}": url for n, url in enumerate(estate.ports.control_urls(), 1)},
            "CRM_URL": estate.ports.origin("crm"),
            "WEBSITE_URL": estate.ports.origin("website"),
            "SITE_URL": f"https://localhost:{secured.port}",
            "SITE_ROOTS": str(roots),
            "RECEIVER_URL": f"http://127.0.0.1:{listening.port}",
            "AWAY_URL": f"http://127.0.0.1:{away}/",
        }
        command, environment = programs.monitor(CHECKS, variables)
        watching = stack.enter_context(
            programs.running(command, folder / "monitor.log", environment)
        )
        for command in (
            programs.alertmanager(folder, alerts),
            programs.prometheus(folder, theirs),
        ):
            stack.enter_context(programs.running(command, folder / f"{command[0]}.log"))
        asked = Prometheus(theirs)
        stack.callback(asked.close)
        http = stack.enter_context(
            httpx.Client(
                base_url=f"http://127.0.0.1:{ours}",
                headers={"Authorization": f"Bearer {TOKEN}"},
                trust_env=False,
                timeout=10,
            )
        )
        return Scene(folder, estate, inbox, asked, watching, http, told, stack=stack.pop_all())


def played(scene: Scene) -> None:
    """Let everything happen, once. Raises GaveUpError."""
    scene.began = until("Prometheus answers", scene.prometheus.clock)
    scene.until_value(
        "every cell has passed and is scraped", f"count(probe_success == 1) >= {CELLS}"
    )
    scene.moment("all is well")
    _an_outage_of_two_services(scene)
    _healed(scene)
    _blind(scene)
    _paused(scene)
    _the_end(scene)


def _an_outage_of_two_services(scene: Scene) -> None:
    """One is acknowledged in time, the other not before its promise is broken."""
    for service in ("crm", "website"):
        scene.estate.client.switch_on("status_503", service=service)
    scene.until_value("both incidents are open", "count(monitor_incident_number > 0) == 2")
    scene.until_value("a response is owed", "monitor_response_left_seconds > 0")
    scene.moment("the outage")
    _post(scene, _number(scene, "crm"), "acknowledge")
    scene.until_alert("MonitorResponseAtRisk", "MonitorErrorBudgetBurnsFast")
    scene.until_alert("MonitorChannelAway", "MonitorNoticesDead", "MonitorResponseLate")
    scene.moment("a response is late")
    number = _number(scene, "website")
    _post(scene, number, "acknowledge")


def _healed(scene: Scene) -> None:
    scene.estate.client.heal()
    up = "sum(monitor_incidents_open) == bool 0"
    scene.until_value("every incident is resolved", up)
    scene.moment("healed")


def _blind(scene: Scene) -> None:
    scene.estate.client.switch_on("refuse", service="controls")
    scene.until_alert("MonitorBlind")
    scene.moment("blind")
    scene.estate.client.heal()
    scene.until_value("it sees again", "monitor_blind == bool 0")


def _paused(scene: Scene) -> None:
    """The process does not run for a while, as when its host is suspended."""
    scene.moment("it sees again")
    scene.monitor.send_signal(signal.SIGSTOP)
    time.sleep(PAUSE)
    scene.monitor.send_signal(signal.SIGCONT)
    scene.until_alert("MonitorRunsMissed", "MonitorWatchdog")
    scene.moment("missed probes")
    scene.until_alert("MonitorCertificateExpires", "MonitorQuotaNearlyUsed")
    scene.until_alert("MonitorCalendarDiffers")
    scene.until_value("history was summed up", "count(monitor_history_bytes)")
    scene.until_value("it is scraped again", 'up{job="monitor"} == 1')
    scene.moment("at last")


def _the_end(scene: Scene) -> None:
    """The monitor ends; that it was unreachable while it was paused does not count."""
    scene.fired.pop("MonitorDown", None)
    scene.inbox.alerts[:] = [told for told in scene.inbox.alerts if told.alert != "MonitorDown"]
    programs.ended(scene.monitor)
    scene.until_alert("MonitorDown")


def _number(scene: Scene, service: str) -> int:
    answer = scene.http.get("/api/v1/incidents").raise_for_status()
    found: list[dict[str, Any]] = answer.json()["incidents"]
    return int(next(each["number"] for each in found if each["service"] == service))


def _post(scene: Scene, number: int, move: str) -> None:
    said = {"by": "the proof"}
    scene.http.post(f"/api/v1/incidents/{number}/{move}", json=said).raise_for_status()
