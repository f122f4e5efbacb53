"""Which images a repository names, and what registries say of them, asked on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from inventory import Inventory, read_repository
from inventory.images import find_images
from lifecycle.cli.online_images import Answers, ask_registries
from tests.validate.validate_shell import write

APPS = "clusters/home/kubernetes/apps.yaml"
MANIFESTS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: flux-system}
spec:
  template:
    spec:
      initContainers: [{name: a, image: "HOST/kept:v1"}]
      containers: [{name: b, image: "HOST/gone:v1"}, {name: c, image: "${UNKNOWN}/x:1"}]
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: app, namespace: flux-system}
spec:
  chart: {spec: {chart: app, sourceRef: {kind: HelmRepository, name: charts}}}
  values:
    image: {repository: "HOST/values", tag: v2}
    sidecar: {registry: HOST, repository: side, tag: v3}
    bare: {repository: plex, tag: v1}
    untold: {repository: "HOST/latest"}
    hook: {image: "${REGISTRY}/hook:1"}
"""


@asynccontextmanager
async def serve(*there: str) -> AsyncIterator[str]:
    """Yield the address of a registry that has these images, `name:tag`, and no others."""
    known = {"/v2/{}/manifests/{}".format(*image.split(":")) for image in there}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        status = "200 OK" if path in known else "404 Not Found"
        head = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield "{}:{}".format(*server.sockets[0].getsockname())
    finally:
        server.close()


def read(repo: Path, host: str) -> Inventory:
    """Return a repository with images of a host."""
    write(repo, {"clusters/home/clusterenv.yaml": f"REGISTRY: {host}\n"})
    write(repo, {APPS: MANIFESTS.replace("HOST", host)})
    listed = "resources: [flux-entry.yaml, apps.yaml]\n"
    write(repo, {"clusters/home/kubernetes/kustomization.yaml": listed})
    return read_repository(repo, "home")


async def ask(repo: Path, host: str) -> Answers:
    """Ask for every image of the repository."""
    return await ask_registries([read(repo, host)], {})


def test_images_are_found_where_they_are_told_in_full(repo: Path) -> None:
    """Containers' images, and values with a registry and a version; known names are filled in."""
    found = {use.reference for use in find_images(read(repo, "r.lab.example"))}

    assert {
        "r.lab.example/kept:v1",
        "r.lab.example/gone:v1",
        "r.lab.example/values:v2",
        "r.lab.example/side:v3",
        "r.lab.example/hook:1",
    } == found


async def test_images_that_are_gone_are_told_with_their_place(repo: Path) -> None:
    """One finding for each image that its registry lacks."""
    async with serve("kept:v1", "values:v2", "side:v3") as host:
        answers = await ask(repo, host)

    assert {
        (f"{APPS}:8:37", f"which flux-system/Deployment/web runs: `{host}/gone:v1`"),
        (f"{APPS}:20:19", f"which flux-system/HelmRelease/app runs: `{host}/hook:1`"),
    } == {
        (str(finding.position), finding.message.partition(", ")[2]) for finding in answers.findings
    }
    assert () == answers.notes


async def test_registries_that_do_not_answer_are_notes(repo: Path) -> None:
    """Nobody can say that an image is missing whose registry cannot be asked."""
    answers = await ask(repo, "127.0.0.1:9")

    assert () == answers.findings
    assert ["5 images of 127.0.0.1:9 were not asked for"] == [
        note.partition(": ")[0] for note in answers.notes
    ]
