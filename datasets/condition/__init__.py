"""What sensors say of machines, assessed and kept: one transaction for each signal."""
