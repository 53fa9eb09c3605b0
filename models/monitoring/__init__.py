"""The checks of condition monitoring put together: from snapshots to observations for the alert rules."""
