"""What is known of machines: tables of them read, kept and shown."""
