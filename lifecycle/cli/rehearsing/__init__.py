"""`rehearse`: a whole bootstrap in the lab, then killed at every step, then under each fault.

Here may live: which runs there are, how each is started, killed, bounded and judged, and the
report. Here may not: what a fault does (the lab's), and what a step does.
"""
