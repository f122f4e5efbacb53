"""What Flux' controllers make of an API that fails."""

from __future__ import annotations

import asyncio

import pytest

from lab.flux.apply import Applier, ApplyError
from lab.flux.objects import Context
from lab.flux.readiness import Readiness
from lab.kubernetes.ailing import ApiFault
from lab.kubernetes.inside_client import InsideClient
from lab.kubernetes.values import Object
from tests.lab_flux.flux_remote import Remote
from tests.lab_flux.flux_world import (
    KUSTOMIZATION,
    FluxWorld,
    condition,
    is_ready,
    make_kustomization,
)

SPACE = "flux-system"
SETTINGS: Object = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "one", "namespace": SPACE},
}


async def test_election_of_etcd_fails_an_apply(world: FluxWorld) -> None:
    """A 500 without Retry-After is not tried again by client-go: it is told in etcd's words."""
    client = InsideClient(world.api, world.inside)
    context = Context(world.clock, client, "kustomize-controller")
    applier = Applier(context, Readiness(world.clock, world.client))
    world.clock.change_speed(1.0)  # an election is over in seconds, which are a moment otherwise
    world.ailing.switch(ApiFault.LEADER_CHANGED, "", on=True)
    with pytest.raises(ApplyError) as caught:
        await applier.apply([{**SETTINGS}])
    world.ailing.switch(ApiFault.LEADER_CHANGED, "", on=False)
    applied = await applier.apply([{**SETTINGS}])

    said = "ConfigMap/flux-system/one dry-run failed: etcdserver: leader changed"
    assert said == str(caught.value).strip()
    assert ["ConfigMap/flux-system/one created"] == applied.changed


async def test_flux_ends_when_it_cannot_renew_its_leases(world: FluxWorld, remote: Remote) -> None:
    """Throttled for longer than 30 s it ends; what comes after it works on when the API is well."""
    remote.push({"a/map.yaml": SETTINGS})
    world.ailing.switch(ApiFault.THROTTLED, "", on=True)
    await world.apply(make_kustomization("a", "./a"))
    async with asyncio.timeout(10):
        while world.inside.flux.holds:
            await world.clock.pause(1.0)
    meanwhile = await world.client.get(*KUSTOMIZATION, "a", SPACE)
    world.ailing.switch(ApiFault.THROTTLED, "", on=False)
    begun_s = world.clock.elapsed_s()
    done = await world.until(KUSTOMIZATION, "a", SPACE, is_ready)

    assert "status" not in meanwhile
    assert 1 == world.inside.flux.ended
    assert world.clock.elapsed_s() - begun_s >= 35.0
    assert "ReconciliationSucceeded" == condition(done, "Ready")[1]
