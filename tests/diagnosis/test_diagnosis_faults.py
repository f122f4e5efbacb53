"""What the catalogue of faults promises of diagnoses: each fault of pods is named as it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from lab.faults import RunningFault, Target
from lab.faults.running import RUNNING_FAULTS
from lifecycle.diagnosis import diagnose
from lifecycle.drivers.kubernetes import KubernetesObject
from tests.diagnosis.diagnosis_repository import (
    Components,
    make_chart_component,
    make_fault_component,
    make_source_component,
)
from tests.diagnosis.diagnosis_world import BrokenWorld, run_broken_world

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Simulated seconds, forty times as fast as the wall's: kubelets and Flux try again by then.
_SOON_S = 1200.0
_TARGETS = {
    Target.IMAGE: "example/{}:",
    Target.POD: "{}/",
    Target.WEBHOOK: "{0}/{0}",
    Target.SOURCE: "flux-system/{}",
    Target.CHARTS: "flux-system/{}",
}
_STRUCK = [fault for fault in RUNNING_FAULTS if fault.target in _TARGETS]
_SOUND = "sound"


def _make_component(fault: RunningFault) -> Components:
    if fault.target is Target.SOURCE:
        return make_source_component(fault.name)
    if fault.target is Target.CHARTS:
        return make_chart_component(fault.name)
    return make_fault_component(fault.name, is_webhook=fault.target is Target.WEBHOOK)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def struck(
    programs: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[BrokenWorld]:
    """A cluster in which every fault strikes a component of its own, and one is sound."""
    components: Components = make_fault_component(_SOUND, is_webhook=True)
    for fault in _STRUCK:
        components = {**components, **_make_component(fault)}
    folder = tmp_path_factory.mktemp("struck")
    async with run_broken_world(folder, programs, components) as world:
        for fault in _STRUCK:
            is_of_flux = fault.target in (Target.SOURCE, Target.CHARTS)
            part = world.flux.faults if is_of_flux else world.plane
            part.set_fault(_TARGETS[fault.target].format(fault.name), fault.name)
        yield world


@pytest.mark.parametrize("fault", _STRUCK, ids=lambda fault: fault.name)
async def test_fault_is_diagnosed_as_promised(struck: BrokenWorld, fault: RunningFault) -> None:
    """The gate of the layer that a fault breaks ends with the diagnosis of the catalogue."""
    (promised,) = (answer.name for answer in fault.answers if answer.kind == "diagnosis")
    layer = fault.name + "-guarded" * (fault.target in (Target.WEBHOOK, Target.SOURCE))
    found = await struck.find_cause(f"layer-is-ready/{layer}", promised, within_s=_SOON_S)

    assert fault.name in found.cause + " ".join(found.evidence)


async def test_component_that_no_fault_strikes_is_sound(struck: BrokenWorld) -> None:
    """The same component without a fault becomes ready: it is the fault that was diagnosed."""
    await struck.until(
        ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
        f"{_SOUND}-guarded",
        "flux-system",
        lambda obj: KubernetesObject(obj).has_condition("Ready"),
    )

    # Pods of the other components may still be starting, and are seen, too.
    while found := await diagnose(struck.world(), f"layer-is-ready/{_SOUND}-guarded"):
        assert struck.clock.elapsed_s() < _SOON_S, found
        await asyncio.sleep(0.05)
