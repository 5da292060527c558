"""The nouns of the monitor, as frozen values.

What flows: a `Cell` is due, a probe of it yields a `Result`; detection turns results into a
`Verdict` on a service; policy turns a verdict into a `Decision`; an `Incident` is opened or moved
by it, and every move is one `Change`, committed whole; each `Notice` in it is one message owed to
one channel.

Conventions: an instant is an aware UTC `datetime`; a duration is `float` seconds; a field named
`*_mono` is a reading of the monotonic clock in seconds. Everything here can be written as JSON
and read back equal. Nothing here does anything.
"""

from monitor.model.concluded import (
    Dimension,
    Extent,
    Impact,
    Interval,
    Outage,
    Stage,
    Unobserved,
    UnobservedReason,
    Verdict,
    VerdictReason,
)
from monitor.model.decided import STAFF, ClosedReason, Decision, DecisionReason, Priority, Role
from monitor.model.own import Problem
from monitor.model.planned import Once, Weekly, Window
from monitor.model.promised import (
    Action,
    Change,
    Digest,
    ErrorSeen,
    EventKind,
    Handover,
    Incident,
    IncidentState,
    Message,
    Notice,
    NoticeState,
    TimelineEvent,
)
from monitor.model.reported import (
    Account,
    Report,
    ReportedBy,
    Reporter,
    ReportMessage,
    ReportMessageKind,
    ReportSettings,
)
from monitor.model.seen import (
    Beat,
    Certificate,
    Evidence,
    FailureKind,
    Outcome,
    Phases,
    Result,
    Step,
)
from monitor.model.shown import CheckState, ServiceState, VantageState, WindowState
from monitor.model.watched import (
    CONTROL,
    MONITOR,
    SHARED,
    AllUsersScope,
    Audience,
    Cell,
    CellKey,
    Check,
    Deployment,
    Estate,
    EvidenceKind,
    Need,
    Rules,
    Service,
    Target,
    Vantage,
)
from monitor.model.ways_out import Accepted, Channel, DeliveryError

__all__ = [
    "CONTROL",
    "MONITOR",
    "SHARED",
    "STAFF",
    "Accepted",
    "Account",
    "Action",
    "AllUsersScope",
    "Audience",
    "Beat",
    "Cell",
    "CellKey",
    "Certificate",
    "Change",
    "Channel",
    "Check",
    "CheckState",
    "ClosedReason",
    "Decision",
    "DecisionReason",
    "DeliveryError",
    "Deployment",
    "Digest",
    "Dimension",
    "ErrorSeen",
    "Estate",
    "EventKind",
    "Evidence",
    "EvidenceKind",
    "Extent",
    "FailureKind",
    "Handover",
    "Impact",
    "Incident",
    "IncidentState",
    "Interval",
    "Message",
    "Need",
    "Notice",
    "NoticeState",
    "Once",
    "Outage",
    "Outcome",
    "Phases",
    "Priority",
    "Problem",
    "Report",
    "ReportMessage",
    "ReportMessageKind",
    "ReportSettings",
    "ReportedBy",
    "Reporter",
    "Result",
    "Role",
    "Rules",
    "Service",
    "ServiceState",
    "Stage",
    "Step",
    "Target",
    "TimelineEvent",
    "Unobserved",
    "UnobservedReason",
    "Vantage",
    "VantageState",
    "Verdict",
    "VerdictReason",
    "Weekly",
    "Window",
    "WindowState",
]
