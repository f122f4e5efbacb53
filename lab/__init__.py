"""The lab: a simulated world that the real tools, and the very same runs, can drive.

Here may live: simulated machines, the lab's Kubernetes and Flux, stand-ins for tools that are
missing, the sample repository, faults, and simulated time. Here may not: anything of `lifecycle`;
the lab knows a run only as a stranger that dials its addresses. It is started by name,
`python -m lab serve`, as a process of its own, so that a run can be killed and its world stays.
"""
