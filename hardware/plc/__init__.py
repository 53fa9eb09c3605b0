"""Connections to a line's controller (PLC), and the station's side of the handshake."""

import logging

# What goes wrong there is in the errors of the links; where nobody has set up logging it is not to appear on stderr as well.
for _library in ("pymodbus", "asyncua"):
    logging.getLogger(_library).addHandler(logging.NullHandler())
