"""``make bench``: every figure that the README quotes, one JSON object a line. Names as words choose among them."""

import os
import sys
import tempfile

from tests.bench import (
    bench_accuracy,
    bench_database,
    bench_diagnosis,
    bench_edge,
    bench_load,
    bench_memory,
    bench_monitoring,
    bench_serving,
    bench_signal_graph,
    bench_stream,
    bench_tensors,
    bench_updates,
    bench_vibration,
    bench_vision,
)

BENCHES = {
    "accuracy": bench_accuracy.main,
    "vision": bench_vision.main,
    "vibration": bench_vibration.main,
    "diagnosis": bench_diagnosis.main,
    "memory": bench_memory.main,
    "monitoring": bench_monitoring.main,
    "database": bench_database.main,
    "serving": bench_serving.main,
    "tensors": bench_tensors.main,
    "load": bench_load.main,
    "edge": bench_edge.main,
    "updates": bench_updates.main,
    "stream": bench_stream.main,
    "signal_graph": bench_signal_graph.main,
}


def main(words: list[str]) -> None:
    """Run the benchmarks that ``words`` name, or all, in a home of their own."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["ANDON_HOME"] = home
        for name in words or BENCHES:
            BENCHES[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
