"""Domain types, Protocols and errors. Nothing here imports more than numpy."""
