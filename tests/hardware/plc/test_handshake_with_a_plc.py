"""Station and PLC together, whatever comes between them: an answer passes no part but its own, and both get on again."""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from andon.hardware.plc.handshake import Acknowledged, Answer, Handshake, Phase, Trigger, answered, outputs, step
from andon.hardware.sim.simulated_plc import (
    Part,
    PlcPhase,
    PlcState,
    Watchdogs,
    arrive,
    cycle,
    restarted,
    said,
)
from andon.models.types.line import LineFault, LineInputs, LineOutputs, VerdictCode

WATCHDOGS = Watchdogs(takt_s=1.0, heartbeat_s=float("inf"))
ROUNDS = 20
"""Within so many a part that arrives when all is well has long been judged."""


class Line(RuleBasedStateMachine):
    """Each side hears the other late; what was found of a part stands under its serial, or its count where it has none."""

    @initialize(way=st.sampled_from([(False, True), (True, True), (True, False)]))
    def begin(self, way: tuple[bool, bool]) -> None:
        self.has_serials, self.plc_keeps_count = way
        self.parts, self.passed, self.now_s = 0, 0, 0.0
        self.station, self.plc = Handshake(), PlcState()
        self.station_heard, self.plc_heard = LineInputs(), LineOutputs()
        self.judging: Trigger | None = None
        self.kept: Answer | None = None
        self.found: dict[str | int, VerdictCode] = {}

    @rule()
    def plc_hears(self) -> None:
        self.plc_heard = outputs(self.station, 0)

    @rule()
    def plc_cycles(self) -> None:
        if self.plc.phase is PlcPhase.IDLE:
            self.parts += 1
            self.plc = arrive(self.plc, Part(serial=f"S{self.parts}" if self.has_serials else ""), self.now_s)
        self.plc, seen = cycle(self.plc, self.plc_heard, self.now_s, WATCHDOGS)
        if seen and seen.is_good:
            assert self.found.get(seen.part.serial or seen.count) is VerdictCode.OK
            self.passed += 1

    @rule()
    def station_hears(self) -> None:
        self.station_heard = said(self.plc, self.plc_heard)

    @rule()
    def station_steps(self) -> None:
        self.station, event = step(self.station, self.station_heard)
        match event:
            case Trigger():
                self.judging = event
            case Acknowledged():
                self.kept = None

    @precondition(lambda self: self.judging)
    @rule(verdict=st.sampled_from([VerdictCode.OK, VerdictCode.NG]))
    def a_part_is_judged(self, verdict: VerdictCode) -> None:
        assert self.judging
        assert self.station.phase is Phase.BUSY
        self.found[self.judging.serial or self.judging.count] = verdict
        self.kept = Answer(self.judging, verdict)
        self.station, self.judging = answered(self.station, self.kept), None

    @rule()
    def all_goes_on(self) -> None:
        """One round of a line that is well."""
        self.plc_hears()
        self.plc_cycles()
        self.station_hears()
        self.station_steps()
        if self.judging:
            self.a_part_is_judged(VerdictCode.OK)

    @rule()
    def the_takt_ends(self) -> None:
        self.now_s += 1.1

    @precondition(lambda self: self.plc.phase is PlcPhase.STOPPED)
    @rule()
    def a_person_acknowledges_the_stop(self) -> None:
        self.plc = restarted(self.plc, self.now_s)

    @rule()
    def the_plc_restarts(self) -> None:
        """What it has heard begins empty, as its count does where that is not kept: then only serials tell parts apart."""
        self.plc_heard = LineOutputs()
        self.plc = PlcState(count=self.plc.count if self.plc_keeps_count else 0, beat_s=self.now_s)

    @rule(has_kept=st.booleans())
    def the_station_restarts(self, has_kept: bool) -> None:
        """What is being judged may be kept before the process ends, and is never told then."""
        if self.judging and has_kept:
            self.a_part_is_judged(VerdictCode.OK)
        self.station, self.judging = Handshake(answer=self.kept), None

    @rule()
    def the_power_is_cut(self) -> None:
        self.the_plc_restarts()
        self.the_station_restarts(has_kept=True)
        self.the_station_looks(LineFault.NONE)

    @rule(fault=st.sampled_from([LineFault.NONE, LineFault.STARTING, LineFault.CAMERA]))
    def the_station_looks(self, fault: LineFault) -> None:
        self.station = replace(self.station, fault=fault)

    def teardown(self) -> None:
        """When everything is well again parts pass, whatever was before."""
        self.the_station_looks(LineFault.NONE)
        passed = self.passed
        for _ in range(ROUNDS):
            self.all_goes_on()
            if self.plc.phase is PlcPhase.STOPPED:
                self.a_person_acknowledges_the_stop()
        assert self.passed > passed + 1, "both are well, and stand still"


TestLine = Line.TestCase
TestLine.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
