"""`machine.ImageService`, and the pull that older tools ask MachineService for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256

from google.protobuf.timestamp_pb2 import Timestamp

from lab.machines import durations
from lab.machines.protos import image_pb2, machine_pb2
from lab.machines.rpc.route import OPERATORS, READERS, Call, Route, stream, unary

__all__ = ["ROUTES"]

_LAYERS = 2


async def _pull(
    call: Call, request: image_pb2.ImageServicePullRequest
) -> AsyncIterator[image_pb2.ImageServicePullResponse]:
    for layer in range(_LAYERS):
        await _fetch(call, request.image_ref, durations.IMAGE_PULL_S / _LAYERS)
        progress = image_pb2.ImageServicePullProgress(
            layer_id=f"sha256:{sha256(f'{request.image_ref}/{layer}'.encode()).hexdigest()}",
            progress=image_pb2.ImageServicePullLayerProgress(status="EXTRACT_COMPLETE"),
        )
        yield image_pb2.ImageServicePullResponse(pull_progress=progress)
    call.machine.images.add(request.image_ref)
    yield image_pb2.ImageServicePullResponse(name=request.image_ref)


async def _list(
    call: Call, _: image_pb2.ImageServiceListRequest
) -> AsyncIterator[image_pb2.ImageServiceListResponse]:
    created = Timestamp()
    created.FromDatetime(call.machine.clock.now())
    for name in sorted(call.machine.images):
        digest = f"sha256:{sha256(name.encode()).hexdigest()}"
        yield image_pb2.ImageServiceListResponse(
            name=name, digest=digest, size=100_000_000, created_at=created
        )


async def _pull_legacy(
    call: Call, request: machine_pb2.ImagePullRequest
) -> machine_pb2.ImagePullResponse:
    await _fetch(call, request.reference, durations.IMAGE_PULL_S)
    call.machine.images.add(request.reference)
    return machine_pb2.ImagePullResponse(messages=[machine_pb2.ImagePull()])


async def _fetch(call: Call, image: str, seconds: float) -> None:
    if image not in call.machine.images:
        await call.machine.wait(seconds, "image pull")


ROUTES: tuple[Route, ...] = (
    stream(
        "/machine.ImageService/Pull",
        OPERATORS,
        (image_pb2.ImageServicePullRequest, image_pb2.ImageServicePullResponse),
        _pull,
        mutates=True,
    ),
    stream(
        "/machine.ImageService/List",
        READERS,
        (image_pb2.ImageServiceListRequest, image_pb2.ImageServiceListResponse),
        _list,
    ),
    unary(
        "/machine.MachineService/ImagePull",
        OPERATORS,
        (machine_pb2.ImagePullRequest, machine_pb2.ImagePullResponse),
        _pull_legacy,
        mutates=True,
    ),
)
