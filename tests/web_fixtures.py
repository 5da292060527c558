"""Nouns for the tests of what is shown: a small estate, results and incidents of it."""

from datetime import UTC, datetime, timedelta

from monitor.model import (
    Audience,
    Certificate,
    Check,
    CheckState,
    DecisionReason,
    Dimension,
    ErrorSeen,
    Estate,
    EventKind,
    Evidence,
    EvidenceKind,
    Extent,
    FailureKind,
    Impact,
    Incident,
    IncidentState,
    Interval,
    Need,
    Outcome,
    Phases,
    Priority,
    Result,
    Role,
    Service,
    ServiceState,
    Stage,
    Target,
    TimelineEvent,
    Vantage,
    VantageState,
)

NINE = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)
SCRIPT = "<script>alert('x')</script>"


def check(service, name="sign-in", targets=("acme", "bolt"), **changes):
    return Check(
        **{
            "service": service,
            "name": name,
            "kind": "http",
            "options": None,
            "interval": 30.0,
            "timeout": 10.0,
            "need": Need.BLOCKING,
            "evidence": EvidenceKind.ACTIVE,
            "targets": tuple(
                Target(t, t, f"http://127.0.0.1:9101/{t}", fingerprint="f1") for t in targets
            ),
            "runbook": "https://runbooks.example/sign-in",
        }
        | changes
    )


ESTATE = Estate(
    services=(
        Service("crm", "Prospect 365 CRM", Audience.USERS, (check("crm"),)),
        Service("sites", "Sites", Audience.END_USERS, (check("sites", "front-page"),)),
    ),
    vantages=(Vantage("london", "net-a"), Vantage("leeds", "net-b")),
    controls=(check("control", "control-1", targets=("shared",)),),
)

CERTIFICATE = Certificate(
    subject="CN=crm.example",
    issuer="CN=Example CA",
    names=("crm.example",),
    not_before=NINE - timedelta(days=30),
    not_after=NINE + timedelta(days=60),
    chain_expiry=NINE + timedelta(days=50),
)


def result(cell, outcome=Outcome.PASS, *, at=NINE, seconds=0.25, **changes):
    return Result(
        **{
            "id": f"result-{cell.key}",
            "cell": cell.key,
            "fingerprint": "f1",
            "sent_mono": 100.0,
            "observed_mono": 100.0 + seconds,
            "observed_at": at,
            "outcome": outcome,
            "failure": FailureKind.STATUS if outcome is Outcome.FAIL else None,
            "phases": Phases(0.001, 0.002, 0.01, 0.2, 0.03),
            "evidence": Evidence(status=200, status_line="HTTP/1.1 200 OK"),
        }
        | changes
    )


def incident(number=1, **changes):
    return Incident(
        **{
            "id": f"01JDC0000000000000000000{number:02d}",
            "number": number,
            "subject": f"v1:crm:all:{number}",
            "service": "crm",
            "impact": Impact.ALL,
            "priority": Priority.CRITICAL,
            "state": IncidentState.OPEN,
            "title": "Prospect 365 CRM is down for all users",
            "scope": "All users of Prospect 365 CRM.",
            "route": (Role.ON_CALL, Role.SERVICE_DESK),
            "reason": DecisionReason.ALL_USERS,
            "began": Interval(NINE - timedelta(seconds=8), NINE),
            "detected_at": NINE + timedelta(seconds=9),
            "reported_at": NINE + timedelta(seconds=10),
            "notify_at": NINE + timedelta(seconds=10),
            "respond_by": NINE + timedelta(hours=2, seconds=10),
            "out_of_hours": False,
            "known_by": "Two rounds failed for every tenant from two networks.",
            "checks": ("sign-in",),
            "extent": Extent(Dimension.EVERYONE, (), 2, 2, 2, ("london", "leeds")),
            "errors": (
                ErrorSeen(
                    "sign-in", "acme", "london", FailureKind.STATUS, f"got 503 {SCRIPT}", NINE, 3
                ),
            ),
        }
        | changes
    )


def event(of, kind=EventKind.OPENED, text="Opened.", *, at=NINE, actor="monitor"):
    return TimelineEvent(of.id, at, actor, kind, text)


def service_state(name="crm", impact=Impact.NONE, **changes):
    service = next(s for s in ESTATE.services if s.name == name)
    return ServiceState(
        **{
            "name": name,
            "title": service.title,
            "audience": service.audience,
            "impact": impact,
            "stage": None if impact is Impact.NONE else Stage.FAILING,
            "since": None if impact is Impact.NONE else Interval(NINE - timedelta(seconds=8), NINE),
            "known_by": "" if impact is Impact.NONE else "Two rounds failed.",
            "checks": (CheckState("sign-in", Need.BLOCKING, "steady", impact),),
        }
        | changes
    )


def vantage_state(name="london", *, healthy=True, reason="all controls pass"):
    return VantageState(name, "net-a", healthy, reason)
