"""kustomize-controller's rules, on real git and kubectl; see `test_flux_contract.py`, too."""

from __future__ import annotations

import pytest

from lab.charts.crds import make_crd, make_crds
from lab.kubernetes.values import Json, Object, at, grow, maps, text
from tests.lab_flux.flux_remote import Remote
from tests.lab_flux.flux_world import (
    GIT,
    KUSTOMIZATION,
    FluxWorld,
    condition,
    has_failed,
    is_ready,
    make_kustomization,
)

SPACE = "flux-system"
_MAP = ("v1", "ConfigMap")


def _config_map(name: str, namespace: str = "flux-system", **data: str) -> Object:
    values: Object = {**data}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": values,
    }


def _recurring_job() -> Object:
    return {
        "apiVersion": "longhorn.io/v1beta2",
        "kind": "RecurringJob",
        "metadata": {"name": "trim", "namespace": "flux-system"},
        "spec": {"cron": "0 2 * * *"},
    }


async def test_applies_a_commit_and_says_which(world: FluxWorld, remote: Remote) -> None:
    """Ready names the revision, the inventory lists the objects, and both generations agree."""
    commit = remote.push({"a/map.yaml": _config_map("one", key="value")})
    await world.apply(make_kustomization("a", "./a"))
    done = await world.until(KUSTOMIZATION, "a", "flux-system", is_ready)
    entries = maps(done, "status", "inventory", "entries")

    assert text(done, "status", "lastAppliedRevision") == f"main@sha1:{commit}"
    assert condition(done, "Ready")[1:] == (
        "ReconciliationSucceeded",
        f"Applied revision: main@sha1:{commit}",
    )
    assert entries == [{"id": "flux-system_one__ConfigMap", "v": "v1"}]
    assert world.ledger.acts["kustomization.apply/a"] == 1


async def test_a_cr_beside_its_crds_release_deadlocks(world: FluxWorld, remote: Remote) -> None:
    """One object of an unknown kind keeps out everything that was built with it."""
    remote.push({"a/all.yaml": [_config_map("one"), _recurring_job()]})
    await world.apply(make_kustomization("a", "./a"))
    failed = await world.until(KUSTOMIZATION, "a", "flux-system", has_failed)

    assert condition(failed, "Ready")[1:] == (
        "ReconciliationFailed",
        (
            "RecurringJob/flux-system/trim dry-run failed: no matches for kind "
            '"RecurringJob" in version "longhorn.io/v1beta2"\n'
        ),
    )
    assert await world.client.find(*_MAP, "one", "flux-system") is None
    assert at(failed, "status")["observedGeneration"] == -1


async def test_the_deadlock_ends_with_the_crd(world: FluxWorld, remote: Remote) -> None:
    """Once the definition is there, the next attempt applies everything."""
    remote.push({"a/all.yaml": [_config_map("one"), _recurring_job()]})
    await world.apply(make_kustomization("a", "./a"))
    await world.until(KUSTOMIZATION, "a", "flux-system", has_failed)
    await world.apply(make_crd(make_crds("longhorn.io", ("v1beta2",), "RecurringJob")[0]))
    await world.until(KUSTOMIZATION, "a", "flux-system", is_ready)

    assert await world.client.find(*_MAP, "one", "flux-system") is not None


async def test_definitions_go_before_what_they_define(world: FluxWorld, remote: Remote) -> None:
    """A CRD and its object in one build work, since definitions are applied and waited for."""
    crd = make_crd(make_crds("longhorn.io", ("v1beta2",), "RecurringJob")[0])
    remote.push({"a/all.yaml": [_recurring_job(), crd]})
    await world.apply(make_kustomization("a", "./a"))
    done = await world.until(
        KUSTOMIZATION, "a", "flux-system", lambda obj: is_ready(obj) or has_failed(obj)
    )

    # The dry run asks for the kind only after the definitions are Established.
    assert condition(done, "Ready")[0] == "True"


async def test_entry_patches_reach_the_children(world: FluxWorld, remote: Remote) -> None:
    """`spec.patches` of an entry are applied by kustomize to what it builds."""
    remote.push(
        {
            "entry/ks.yaml": make_kustomization("child", "./child"),
            "child/map.yaml": _config_map("one", key="${NAME}"),
        }
    )
    patch = (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        "metadata:\n  name: not-used\nspec:\n  postBuild:\n    substitute:\n      NAME: patched\n"
    )
    target: Object = {"group": "kustomize.toolkit.fluxcd.io", "kind": "Kustomization"}
    await world.apply(
        make_kustomization("entry", "./entry", patches=[{"patch": patch, "target": target}])
    )
    await world.until(KUSTOMIZATION, "child", "flux-system", is_ready)

    assert at(await world.client.get(*_MAP, "one", "flux-system"), "data") == {"key": "patched"}


async def test_depends_on_waits_and_then_goes_on(world: FluxWorld, remote: Remote) -> None:
    """A Kustomization stays DependencyNotReady until the other is Ready at the same revision."""
    remote.push({"a/map.yaml": _config_map("one"), "b/map.yaml": _config_map("two")})
    await world.apply(make_kustomization("b", "./b", dependsOn=[{"name": "a"}]))
    waiting = await world.until(KUSTOMIZATION, "b", "flux-system", has_failed)
    await world.apply(make_kustomization("a", "./a"))
    await world.until(KUSTOMIZATION, "b", "flux-system", is_ready)

    assert condition(waiting, "Ready")[1:] == (
        "DependencyNotReady",
        (
            "dependency 'flux-system/a' not found: kustomizations.kustomize.toolkit.fluxcd.io "
            '"a" not found'
        ),
    )


async def test_prunes_what_left_the_commit(world: FluxWorld, remote: Remote) -> None:
    """An object that is no longer built is deleted, unless it opts out."""
    kept = _config_map("kept")
    at(kept, "metadata")["annotations"] = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
    remote.push({"a/map.yaml": [_config_map("one"), _config_map("two"), kept]})
    await world.apply(make_kustomization("a", "./a"))
    await world.until(KUSTOMIZATION, "a", "flux-system", is_ready)
    commit = remote.push({"a/map.yaml": _config_map("one")})
    await world.request(GIT, "cluster", "flux-system", "now")
    await world.until(
        KUSTOMIZATION,
        "a",
        "flux-system",
        lambda obj: text(obj, "status", "lastAppliedRevision") == f"main@sha1:{commit}",
    )

    assert await world.client.find(*_MAP, "two", "flux-system") is None
    assert await world.client.find(*_MAP, "kept", "flux-system") is not None


async def test_a_new_commit_does_not_wait_for_the_interval(
    world: FluxWorld, remote: Remote
) -> None:
    """A source with something new wakes who builds from it, long before its hour is over."""
    remote.push({"a/map.yaml": _config_map("one", key="old")})
    await world.apply(make_kustomization("a", "./a", interval="24h"))
    await world.until(KUSTOMIZATION, "a", "flux-system", is_ready)
    remote.push({"a/map.yaml": _config_map("one", key="new")})
    await world.request(GIT, "cluster", "flux-system", "now")
    changed = await world.until(
        _MAP, "one", "flux-system", lambda obj: at(obj, "data") == {"key": "new"}
    )

    assert text(changed, "metadata", "labels", "kustomize.toolkit.fluxcd.io/name") == "a"


async def test_a_removed_kustomization_takes_its_objects_along(
    world: FluxWorld, remote: Remote
) -> None:
    """The finalizer deletes the inventory before the object goes."""
    remote.push({"a/map.yaml": _config_map("one")})
    await world.apply(make_kustomization("a", "./a"))
    await world.until(KUSTOMIZATION, "a", "flux-system", is_ready)
    await world.client.delete(*KUSTOMIZATION, "a", "flux-system")
    await world.until_gone(KUSTOMIZATION, "a", "flux-system")

    assert await world.client.find(*_MAP, "one", "flux-system") is None


async def test_suspended_does_nothing(world: FluxWorld, remote: Remote) -> None:
    """`spec.suspend` keeps everything as it is until it is taken back."""
    remote.push({"a/map.yaml": _config_map("one"), "b/map.yaml": _config_map("two")})
    await world.apply(make_kustomization("a", "./a", suspend=True), make_kustomization("b", "./b"))
    await world.until(KUSTOMIZATION, "b", "flux-system", is_ready)
    untouched = await world.client.find(*_MAP, "one", "flux-system")
    await world.apply(make_kustomization("a", "./a", suspend=False))
    await world.until(KUSTOMIZATION, "a", "flux-system", is_ready)

    assert untouched is None


async def test_a_request_is_handled_even_when_it_fails(world: FluxWorld, remote: Remote) -> None:
    """A status of lastHandledReconcileAt means handled, not succeeded."""
    remote.push({"a/map.yaml": _recurring_job()})
    await world.apply(make_kustomization("a", "./a", retryInterval="1h"))
    await world.until(KUSTOMIZATION, "a", "flux-system", has_failed)
    await world.request(KUSTOMIZATION, "a", "flux-system", "2026-01-01T00:00:00Z")
    failed = await world.until(
        KUSTOMIZATION,
        "a",
        "flux-system",
        lambda obj: text(obj, "status", "lastHandledReconcileAt") == "2026-01-01T00:00:00Z",
    )

    assert condition(failed, "Ready")[0] == "False"
    assert condition(failed, "Reconciling")[1] == "ProgressingWithRetry"


async def test_waits_for_what_it_applied(world: FluxWorld, remote: Remote) -> None:
    """With `wait`, a workload that never becomes ready fails the health check in time."""
    world.broken.add("stuck")
    workload: Object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "stuck", "namespace": "flux-system"},
        "spec": {
            "selector": {"matchLabels": {"app": "stuck"}},
            "template": {
                "metadata": {"labels": {"app": "stuck"}},
                "spec": {"containers": [{"name": "a", "image": "b"}]},
            },
        },
    }
    remote.push({"a/workload.yaml": workload})
    await world.apply(make_kustomization("a", "./a", wait=True, timeout="20s"))
    failed = await world.until(KUSTOMIZATION, "a", "flux-system", has_failed)

    assert condition(failed, "Ready")[1] == "HealthCheckFailed"
    assert condition(failed, "Ready")[2].endswith(
        "timeout waiting for: [Deployment/flux-system/stuck status: 'InProgress']"
    )
    assert condition(failed, "Healthy")[0] == "False"


async def test_a_deploy_key_is_needed_where_it_is_named(world: FluxWorld, remote: Remote) -> None:
    """A GitRepository whose Secret is missing says so and has no artifact."""
    remote.push({"a/map.yaml": _config_map("one")})
    spec: Object = {
        "interval": "1m",
        "url": "ssh://git@git.lab.example/test.git",
        "ref": {"branch": "main"},
        "secretRef": {"name": "deploy-key"},
    }
    await world.apply(
        {
            "apiVersion": GIT[0],
            "kind": "GitRepository",
            "metadata": {"name": "private", "namespace": "flux-system"},
            "spec": spec,
        }
    )
    failed = await world.until(GIT, "private", "flux-system", has_failed)

    assert condition(failed, "Ready")[1:] == (
        "AuthenticationFailed",
        "failed to get secret 'flux-system/deploy-key': secrets \"deploy-key\" not found",
    )
    assert "artifact" not in at(failed, "status")


@pytest.mark.parametrize(
    ("image", "args", "is_strict"),
    [
        ("ghcr.io/fluxcd/kustomize-controller:v1.9.4", [], True),
        ("ghcr.io/fluxcd/kustomize-controller:v1.8.0", [], False),
        ("x", ["--feature-gates=StrictPostBuildSubstitutions=false"], False),
        (
            "ghcr.io/fluxcd/kustomize-controller:v1.8.0",
            ["--feature-gates=OOMWatch=true,StrictPostBuildSubstitutions=true"],
            True,
        ),
    ],
)
async def test_undefined_variables_depend_on_the_controller(
    world: FluxWorld, remote: Remote, image: str, args: list[Json], *, is_strict: bool
) -> None:
    """Strict since 1.9, and wherever the feature gate says so."""
    deployment = await world.client.get("apps/v1", "Deployment", "kustomize-controller", SPACE)
    container: Object = {"name": "manager", "image": image, "args": args}
    grow(deployment, "spec", "template", "spec")["containers"] = [container]
    await world.client.update(deployment)
    remote.push({"a/map.yaml": _config_map("one", key="${NAME}${NONE}")})
    await world.apply(make_kustomization("a", "./a", postBuild={"substitute": {"NAME": "lab"}}))
    done = await world.until(KUSTOMIZATION, "a", SPACE, lambda o: is_ready(o) or has_failed(o))

    assert is_strict is (condition(done, "Ready")[1] == "BuildFailed")
