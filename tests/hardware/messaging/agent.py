"""Run by the soak: an agent that publishes verdicts, and is killed.

Usage: ``python agent.py PORT OUTBOX FIRST LAST``; adds the verdicts from FIRST to before LAST, says each that is kept on standard output, and
goes on sending until it is killed.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

from andon.hardware.messaging.broker import BrokerSettings
from andon.hardware.messaging.documents import StationVerdict, verdict_message
from andon.hardware.messaging.outbox import Outbox
from andon.hardware.messaging.publisher import Pace, Publisher
from andon.models.types.line import VerdictCode

if __name__ == "__main__":
    port, path, first, last = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    settings = BrokerSettings("127.0.0.1", port, "station")
    with (
        Outbox(path) as outbox,
        Publisher(outbox, settings, Pace(doubt_s=3.0, first_pause_s=0.05, longest_pause_s=0.2)) as publisher,
    ):
        for number in range(first, last):
            verdict = StationVerdict(id=f"{number:06}", station="s1", time=datetime.now(UTC), verdict=VerdictCode.OK)
            publisher.publish([verdict_message("site", verdict)])
            print(number, flush=True)
        while True:
            print(-sum(outbox.counts().values()), flush=True)
            sleep(0.1)
