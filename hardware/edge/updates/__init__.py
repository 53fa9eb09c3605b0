"""New versions of bundles on a box: checked, proved, watched, and taken back where they fail; and over a fleet."""
