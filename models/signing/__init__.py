"""Key pairs that sign what leaves a machine."""
