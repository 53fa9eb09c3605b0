"""HTTP only: every request is translated, handed to the engine, and its answer translated back."""
