"""A chain of records in which no byte changes unseen."""
