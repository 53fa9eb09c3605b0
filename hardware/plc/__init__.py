"""Connections to a line's controller (PLC), and the station's side of the handshake."""
