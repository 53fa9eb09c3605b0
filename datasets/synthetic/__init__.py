"""Data made by procedure: seeded, with exact labels."""
