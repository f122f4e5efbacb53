"""One suite for two Fluxes, the lab's and real controllers: what a Kustomization says and does.

Pods do not run in the real one, which has no controller manager.
"""

from __future__ import annotations

import asyncio

import pytest

from lab.kubernetes.values import Json, Object, grow, maps, text
from tests.lab_flux.flux_contract import Flux, has_applied
from tests.lab_flux.flux_world import KUSTOMIZATION, condition, has_failed, is_ready


async def test_what_is_applied_is_told(flux: Flux) -> None:
    """Ready names the revision, the inventory lists the objects."""
    commit = await flux.push(one=flux.settings("one", key="value"))
    await flux.begin("a", "./a")
    done = await flux.until("a", has_applied(commit))

    assert ("True", "ReconciliationSucceeded", f"Applied revision: main@sha1:{commit}") == (
        condition(done, "Ready")
    )
    entries = maps(done, "status", "inventory", "entries")
    assert [{"id": f"{flux.space}_one__ConfigMap", "v": "v1"}] == entries
    assert f"main@sha1:{commit}" == text(done, "status", "lastAttemptedRevision")


async def test_one_unknown_kind_keeps_everything_out(flux: Flux) -> None:
    """The whole build is tried first: the deadlock of a CR beside its release."""
    job: Object = {
        "apiVersion": "longhorn.io/v1beta2",
        "kind": "RecurringJob",
        "metadata": {"name": "trim", "namespace": flux.space},
        "spec": {"cron": "0 2 * * *"},
    }
    await flux.push(all=[flux.settings("one"), job])
    await flux.begin("a", "./a")

    said = await flux.tell("a", has_failed)
    why = 'no matches for kind "RecurringJob" in version "longhorn.io/v1beta2"'
    message = f"RecurringJob/SPACE/trim dry-run failed: {why}\n"
    assert ("False", "ReconciliationFailed", message) == said
    assert await flux.data_of("one") is None


async def test_kind_beside_its_own_definition(flux: Flux) -> None:
    """A definition that lies as a manifest beside its objects goes first: no deadlock."""
    group = f"{flux.space}.lab.example"
    schema: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version: Object = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    definition: Object = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "scope": "Namespaced",
            "versions": [version],
        },
    }
    widget: Object = {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": "one", "namespace": flux.space},
    }
    commit = await flux.push(all=[widget, definition])
    await flux.begin("a", "./a")

    done = await flux.until("a", has_applied(commit))
    assert "True" == condition(done, "Ready")[0]


async def test_what_was_applied_before_is_told(flux: Flux) -> None:
    """Definitions go first; what they changed stands below the error of what comes after."""
    lost = flux.settings("one")
    grow(lost, "metadata")["namespace"] = "nowhere"
    space: Object = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": f"{flux.space}-b"},
    }
    await flux.push(all=[lost, space])
    await flux.begin("a", "./a")

    said = await flux.tell("a", has_failed)
    why = 'ConfigMap/nowhere/one not found: namespaces "nowhere" not found'
    assert ("False", "ReconciliationFailed") == said[:2]
    assert said[2] in {f"{why}\nNamespace/SPACE-b created\n", f"{why}\n"}


async def test_missing_namespace(flux: Flux) -> None:
    """An object in a namespace that nobody creates fails the dry run."""
    lost = flux.settings("one")
    grow(lost, "metadata")["namespace"] = "nowhere"
    await flux.push(one=lost)
    await flux.begin("a", "./a")

    said = await flux.tell("a", has_failed)
    message = 'ConfigMap/nowhere/one not found: namespaces "nowhere" not found\n'
    assert ("False", "ReconciliationFailed", message) == said


async def test_missing_source(flux: Flux) -> None:
    """A source that is not there is waited for, and named."""
    await flux.begin("a", "./a", sourceRef={"kind": "GitRepository", "name": "none"})

    said = await flux.tell("a", has_failed)
    message = 'GitRepository.source.toolkit.fluxcd.io "none" not found'
    assert ("False", "ArtifactFailed", message) == said


async def test_missing_path(flux: Flux) -> None:
    """A path that the commit does not have is told with the path."""
    await flux.begin("a", "./none")

    status, reason, message = await flux.tell("a", has_failed)
    assert ("False", "ArtifactFailed") == (status, reason)
    assert message.startswith("kustomization path not found: stat ")
    assert message.endswith("/none: no such file or directory")


async def test_build_that_fails(flux: Flux) -> None:
    """A kustomization.yaml that names a missing file is a failed build."""
    kustomization: Object = {"resources": ["none.yaml"]}
    await flux.push(kustomization=kustomization)
    await flux.begin("a", "./a")

    status, reason, message = await flux.tell("a", has_failed)
    assert ("False", "BuildFailed") == (status, reason)
    assert "kustomize build failed: accumulating resources: " in message
    assert "none.yaml" in message


async def test_dependency_that_is_not_ready(flux: Flux) -> None:
    """Nothing is applied before what it depends on is ready; then it is."""
    await flux.push(one=flux.settings("one"))
    await flux.begin("b", "./none")
    await flux.until("b", has_failed)
    await flux.begin("a", "./a", dependsOn=[{"name": "b"}])
    said = await flux.tell("a", has_failed)
    held = await flux.data_of("one")
    await flux.begin("b", "./a", prune=False)
    await flux.until("a", is_ready)

    assert ("False", "DependencyNotReady", "dependency 'SPACE/b' is not ready") == said
    assert (None, {}) == (held, await flux.data_of("one") or {})


async def test_dependency_that_is_missing(flux: Flux) -> None:
    """A name that nobody has is told as such."""
    await flux.push(one=flux.settings("one"))
    await flux.begin("a", "./a", dependsOn=[{"name": "none"}])

    said = await flux.tell("a", has_failed)
    why = 'kustomizations.kustomize.toolkit.fluxcd.io "none" not found'
    message = f"dependency 'SPACE/none' not found: {why}"
    assert ("False", "DependencyNotReady", message) == said


async def test_what_left_git_leaves_the_cluster(flux: Flux) -> None:
    """Pruning removes what the last commit does not have, and only that."""
    first = await flux.push(one=flux.settings("one"), two=flux.settings("two", key="value"))
    await flux.begin("a", "./a")
    await flux.until("a", has_applied(first))
    second = await flux.push(one=flux.settings("three"))
    await flux.until("a", has_applied(second))

    assert [None, {"key": "value"}] == [await flux.data_of("one"), await flux.data_of("two")]
    assert {} == (await flux.data_of("three") or {})


async def test_kustomization_that_goes_takes_its_objects(flux: Flux) -> None:
    """The finalizer removes what was applied before the Kustomization itself goes."""
    commit = await flux.push(one=flux.settings("one"))
    await flux.begin("a", "./a")
    await flux.until("a", has_applied(commit))
    await flux.cluster.remove(KUSTOMIZATION, "a", flux.space)
    async with asyncio.timeout(20):
        while await flux.cluster.find(KUSTOMIZATION, "a", flux.space):  # noqa: ASYNC110  see above
            await asyncio.sleep(0.05)

    assert await flux.data_of("one") is None


async def test_variables_are_substituted(flux: Flux) -> None:
    """Values and defaults; `$$` stays a dollar, and annotated objects as they are."""
    spared = flux.settings("two", key="${NAME}")
    grow(spared, "metadata")["annotations"] = {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}
    written = "${NAME}-${NONE:=default}-$${RAW}-${NAME:0:2}"
    commit = await flux.push(one=flux.settings("one", key=written), two=spared)
    await flux.cluster.apply(flux.settings("settings", NAME="lab"))
    sources: Json = [{"kind": "ConfigMap", "name": "settings"}]
    await flux.begin("a", "./a", postBuild={"substituteFrom": sources})
    await flux.until("a", has_applied(commit))

    assert {"key": "lab-default-${RAW}-la"} == await flux.data_of("one")
    assert {"key": "${NAME}"} == await flux.data_of("two")


async def test_undefined_variables_fail_the_build(flux: Flux) -> None:
    """Since Flux 2.9 a name that no source defines, and that has no default, is an error."""
    await flux.push(one=flux.settings("one", key="${NAME}-${NONE}"))
    await flux.begin("a", "./a", postBuild={"substitute": {"NAME": "lab"}})

    said = await flux.tell("a", has_failed)
    message = (
        "post build failed for 'ConfigMap.v1.[noGrp]/one': envsubst error: variable substitution "
        'failed: variable not set (strict mode): "NONE"'
    )
    assert ("False", "BuildFailed", message) == said


@pytest.mark.parametrize(("strategy", "shown"), [("WithVariables", "x${A:=b}"), ("Always", "xb")])
async def test_substitution_without_variables(flux: Flux, strategy: str, shown: str) -> None:
    """Where there is no variable nothing is substituted, unless it is asked for."""
    commit = await flux.push(one=flux.settings("one", key="x${A:=b}"))
    await flux.begin("a", "./a", postBuild={"substituteStrategy": strategy})
    await flux.until("a", has_applied(commit))

    assert {"key": shown} == await flux.data_of("one")


@pytest.mark.parametrize("is_optional", [True, False])
async def test_variables_from_nowhere(flux: Flux, *, is_optional: bool) -> None:
    """A source of variables that is missing fails the build, unless it is optional."""
    await flux.push(one=flux.settings("one", key="x${NONE}"))
    sources: Json = [{"kind": "ConfigMap", "name": "none", "optional": is_optional}]
    post: Json = {"substituteFrom": sources}
    await flux.begin("a", "./a", postBuild=post)
    status, reason, message = await flux.tell("a", lambda obj: is_ready(obj) or has_failed(obj))

    if is_optional:
        assert ("True", {"key": "x${NONE}"}) == (status, await flux.data_of("one"))
    else:
        assert ("False", "BuildFailed") == (status, reason)
        assert "substitute from 'ConfigMap/none' error: configmaps \"none\" not found" in message


async def test_suspended_does_nothing(flux: Flux) -> None:
    """What is suspended says nothing, and goes on where it is resumed."""
    commit = await flux.push(one=flux.settings("one"))
    await flux.begin("b", "./a", prune=False, suspend=True)
    await flux.begin("a", "./none")
    await flux.until("a", has_failed)  # long enough for b, too
    before = await flux.cluster.find(KUSTOMIZATION, "b", flux.space)
    await flux.begin("b", "./a", prune=False, suspend=False)
    await flux.until("b", has_applied(commit))

    assert ("", "", "") == condition(before or {}, "Ready")


async def test_health_that_never_comes(flux: Flux) -> None:
    """A workload that nobody runs is waited for until the timeout, and named."""
    await flux.push(
        web={
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "broken", "namespace": flux.space},
            "spec": {
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "web", "image": "x:1"}]},
                },
            },
        }
    )
    await flux.begin("a", "./a", wait=True, timeout="3s")
    said = await flux.tell("a", lambda obj: condition(obj, "Ready")[1] == "HealthCheckFailed")

    assert "False" == said[0]
    assert "timeout waiting for: [Deployment/SPACE/broken status: 'InProgress']" in said[2]
