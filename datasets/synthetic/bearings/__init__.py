"""Generated vibration of rotating machines with rolling bearings: ``synthetic:bearing``."""
