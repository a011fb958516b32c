"""Work over many tasks: in this process, in a pool of processes, or on a Ray cluster; the same functions everywhere."""
