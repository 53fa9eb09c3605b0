"""Monitoring run from end to end: what is streamed, said, drawn and remembered."""
