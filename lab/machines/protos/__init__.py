"""Wire messages of the Talos machine API, as far as the lab speaks it.

The `.proto` files are our own words around interface facts (package, method, message and field
numbers); `python -m ci.regenerate_protos` makes the `*_pb2.py` and `*_grpc.py` modules, which are
committed so that nobody needs protoc. Nothing hand-written but the `.proto` files lives here.
"""
