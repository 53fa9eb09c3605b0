"""Whether a machine behaves as it did while it was healthy, without labels of faults."""
