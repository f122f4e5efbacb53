"""What must be true: one gate a file, each a probe that changes nothing.

A gate looks through `lifecycle.world` and the drivers; how long to wait is its patience, and
the waiting is the runner's.
"""
