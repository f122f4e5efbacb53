"""The only doors to the outside: processes, HTTP, TCP; each tool a thin module that parses.

May live here: one module a tool, building argv and turning output into values; the process
runner; the Kubernetes client. May not: decisions about what a cluster needs, retries, waiting
for something to become true, knowledge of steps. Nothing here is imported for its effect:
every driver gets its runner, addresses and secrets passed in.
"""
