"""Takes a Talos Linux cluster from bare machines to its last application.

The rooms are described in `docs/explanation/architecture.md`; the file to read first is
`lifecycle.runs.bootstrap`.
"""
