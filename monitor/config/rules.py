"""Rules of detection that contradict each other, and why.

Each row names two keys (the second "" for none): a mistake is told at whichever of them the file
gives, the first before the second.
"""

from __future__ import annotations

from collections.abc import Callable

from monitor.model import Rules

_Row = tuple[str, str, Callable[[Rules], bool], str]

IMPOSSIBLE: tuple[_Row, ...] = (
    (
        "sample_size",
        "sample_limit",
        lambda rules: rules.sample_size > rules.sample_limit,
        "sample_size must not be over sample_limit",
    ),
    (
        "rounds_one_location",
        "rounds_needed",
        lambda rules: rules.rounds_one_location < rules.rounds_needed,
        "rounds_one_location must not be under rounds_needed: one location proves less",
    ),
    (
        "repeat_gap",
        "round_gap",
        lambda rules: rules.repeat_gap >= rules.round_gap,
        "repeat_gap must be shorter than round_gap: repeats belong to one round",
    ),
    ("sweep_gaps", "", lambda rules: not rules.sweep_gaps, "is empty: name at least one gap"),
    (
        "pass_share",
        "vantage_fail_share",
        lambda rules: rules.pass_share > 1 - rules.vantage_fail_share,
        (
            "pass_share must not be over 1 - vantage_fail_share: a round could pass although its "
            "vantages disagree"
        ),
    ),
    (
        "recovery_share",
        "partial_share",
        lambda rules: rules.recovery_share < 1 - rules.partial_share,
        (
            "recovery_share must not be under 1 - partial_share: an outage would end while a share "
            "still fails"
        ),
    ),
    (
        "recovery_share",
        "pass_share",
        lambda rules: rules.recovery_share <= rules.pass_share,
        "recovery_share must be over pass_share: one round would both open and end an outage",
    ),
    (
        "score_needed",
        "score_fail",
        lambda rules: (
            rules.score_needed > rules.score_fail * rules.votes_min * 4 * rules.rounds_one_location
        ),
        (
            "score_needed cannot be reached with votes_min votes a round: lower it, or raise "
            "votes_min or score_fail"
        ),
    ),
    (
        "merge_window",
        "recovery_span",
        lambda rules: rules.merge_window < rules.recovery_span,
        (
            "merge_window must not be shorter than recovery_span: a relapse would be a new outage "
            "before the old one is known to be over"
        ),
    ),
    (
        "flap_window",
        "merge_window",
        lambda rules: rules.flap_window < rules.merge_window,
        "flap_window must not be shorter than merge_window: its episodes could never fall into it",
    ),
    (
        "share_rounds",
        "",
        lambda rules: rules.share_rounds < _SHARE_ROUNDS_LEAST,
        "must be 2 or more: a part is one that fails twice",
    ),
    (
        "flap_episodes",
        "",
        lambda rules: rules.flap_episodes < _EPISODES_LEAST,
        "must be 2 or more: one episode is no flapping",
    ),
    (
        "demoted_share",
        "",
        lambda rules: rules.demoted_share > _DEMOTED_MOST,
        "must not be over 0.5: too few cells would be left to fail",
    ),
    (
        "path_span",
        "round_gap",
        lambda rules: rules.path_span < rules.round_gap,
        "path_span must not be shorter than round_gap: a path is seen to fail in two rounds",
    ),
)

_EPISODES_LEAST = 2
_SHARE_ROUNDS_LEAST = 2
_DEMOTED_MOST = 0.5
