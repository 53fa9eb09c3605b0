"""When a finding becomes an alert, what the alert says, and how often it may be wrong."""
