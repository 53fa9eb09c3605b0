"""The whole path on real data, as a user would walk it."""
