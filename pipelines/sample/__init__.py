"""Where data comes from without a file: the simulator, and the download of the lab's files."""
