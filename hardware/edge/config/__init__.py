"""What a box runs: its configuration file, read and checked."""
