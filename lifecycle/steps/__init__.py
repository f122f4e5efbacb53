"""What changes: one step a file, each with its probe and the reason why it is safe to repeat.

A step asks and acts through `lifecycle.world` and the drivers; it knows no other step, keeps
nothing, and never waits: that is the runner's.
"""
