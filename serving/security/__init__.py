"""Who may ask the service for what: keys, users, sessions, single sign-on, roles, limits and the audit trail."""
