"""The ways out, by the name a channel's configuration uses for its kind.

A channel sends one notice once and says what became of it. It never retries, keeps nothing and
never asks whether the notice should be sent. A new kind is a module with an options dataclass
and a `SendFn`, and a line here.
"""

from __future__ import annotations

from monitor.channels import (
    alertmanager,
    apprise,
    github,
    jira,
    jsm,
    log,
    mail,
    pagerduty,
    servicenow,
    slack,
    teams,
    webhook,
    zendesk,
)
from monitor.channels.kind import ChannelKind, Means, RefreshFn, SendFn

__all__ = ["CHANNELS", "ChannelKind", "Means", "RefreshFn", "SendFn"]

CHANNELS: dict[str, ChannelKind] = {
    "webhook": ChannelKind(webhook.WebhookOptions, webhook.send, idempotent=True),
    "pagerduty": ChannelKind(pagerduty.PagerDutyOptions, pagerduty.send, idempotent=True),
    "alertmanager": ChannelKind(
        alertmanager.AlertmanagerOptions,
        alertmanager.send,
        idempotent=True,
        refresh=alertmanager.refresh,
    ),
    "mail": ChannelKind(mail.MailOptions, mail.send, idempotent=False),
    "slack": ChannelKind(slack.SlackOptions, slack.send, idempotent=False),
    "teams": ChannelKind(teams.TeamsOptions, teams.send, idempotent=False, certain=False),
    "apprise": ChannelKind(apprise.AppriseOptions, apprise.send, idempotent=False, certain=False),
    "jira": ChannelKind(jira.JiraOptions, jira.send, idempotent=False),
    "zendesk": ChannelKind(zendesk.ZendeskOptions, zendesk.send, idempotent=False),
    "github": ChannelKind(github.GithubOptions, github.send, idempotent=False),
    "jsm": ChannelKind(jsm.JsmOptions, jsm.send, idempotent=False),
    "servicenow": ChannelKind(servicenow.ServicenowOptions, servicenow.send, idempotent=False),
    "log": ChannelKind(log.LogOptions, log.send, idempotent=False),
}
