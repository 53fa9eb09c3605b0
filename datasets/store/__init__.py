"""What is kept: tables in SQLite or PostgreSQL, images and waveforms in a content-addressed store."""
