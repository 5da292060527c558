"""A simulation that checks with every event what must always hold of detection."""

from monitor import detection
from monitor.detection import Machine, Track
from monitor.model import Impact, Rules, Stage
from tests.recount import Recount
from tests.simulation import Simulation

RULES = Rules()
KEPT_PASSES = 40
KEPT_RESULTS = 100


class Watched(Simulation):
    """Intervals are not reversed; `unfounded` is every ALL that was declared without evidence."""

    def __init__(self, estate, *, worked=True, **kwargs):
        super().__init__(estate, worked=worked, **kwargs)
        self.recount = Recount(estate, self.cells if worked else ())
        self.unfounded = []

    def handle(self, event):
        """Take in the event, and look at what has become of it."""
        self.recount.event(event, self.now)
        actions = super().handle(event)
        for action in actions:
            if isinstance(action, detection.Declared):
                self.check(action)
        self.recount.actions(actions, self.now)
        return actions

    def check(self, declared):
        """A start and an end are intervals, in this order; ALL rests on evidence."""
        for span in (declared.began, declared.recovered):
            assert span is None or span.after is None or span.after <= span.before, declared
        if declared.recovered is not None:
            assert declared.recovered.before >= declared.began.before, declared
        if declared.impact is Impact.ALL and declared.stage is Stage.FAILING:
            demoted = self.state.machines[declared.unit]._ledger.demotion.demoted
            if not self.recount.is_everyone(declared, self.now, demoted=demoted):
                self.unfounded.append(declared)

    def bounded(self):
        """Nothing grows with the time that has passed, and every ALL had its evidence."""
        assert self.unfounded == []
        state = self.state
        cells = len(state.memories)
        assert len(state.unanswered) <= 40 * cells
        assert len(state.waiting) <= 80 * cells
        assert state.active.keys() == state.due.keys() <= state.machines.keys()
        assert len(state.blind.open) <= 1
        for machine in state.machines.values():
            self._bounded_unit(machine)

    def _bounded_unit(self, machine):
        series, ledger, cells = machine._series, machine._ledger, set(machine.population.cells)
        assert len(series.history) <= RULES.share_rounds
        assert len(series.open) <= RULES.rounds_needed
        assert len(series._run) <= 4 * RULES.rounds_one_location
        assert len(machine.outages.open) <= len(Track)
        for declared in machine.outages.open.values():
            assert len(declared.starts) <= RULES.flap_episodes
            assert len(declared.results) <= KEPT_RESULTS
        shortest = min(RULES.round_gap, machine.population.interval / 2)
        assert len(machine._recovery._sweeps) <= RULES.recovery_span / shortest + 2
        self._bounded_ledger(ledger, cells)
        if isinstance(machine, Machine):
            assert len(machine._trials) <= RULES.trials_per_hour
            opinion = machine._opinion
            assert opinion is None or len(opinion.asked) + len(opinion.before) <= 4

    def _bounded_ledger(self, ledger, cells):
        assert ledger.failing.keys() <= cells
        assert ledger.excused <= cells
        assert ledger.demotion.demoted <= ledger.demotion._habits.keys() <= cells
        assert len(ledger.demotion.demoted) <= RULES.demoted_share * len(cells)
        assert ledger.unproven.targets.keys() <= {cell.target for cell in cells}
        assert len(ledger.lockout.results) <= KEPT_RESULTS
        turning = ledger.turning
        assert len(turning._passes) <= KEPT_PASSES
        for point in (turning._most, turning._share):
            assert len(point.before) <= KEPT_PASSES
            assert point._score <= point._ceiling
