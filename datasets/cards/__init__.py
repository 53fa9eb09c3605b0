"""What is known of each data set: source, licence, checksum, grade."""
