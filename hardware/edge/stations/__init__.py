"""One station: from the trigger to the answer, with what it judges by and what it keeps."""
