"""What happened to a machine, as a document for whoever sells service with it."""
