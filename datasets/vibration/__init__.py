"""Records of vibration: readers of every format, folders of records, and the known sets of them."""
