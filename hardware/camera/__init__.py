"""Cameras: GenICam, GigE, USB and network streams, watched folders; each in what opens it anew when it was lost."""
