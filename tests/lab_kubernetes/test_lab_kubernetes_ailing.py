"""Faults of an API server as a client sees them: codes, words and headers of the real one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx2
import pytest

from lab.kubernetes.ailing import ApiFault
from lab.kubernetes.values import Json, dig
from tests.lab_kubernetes.lab_kubernetes_cluster import CONTROL_PLANE, Cluster

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
MAP: dict[str, Json] = {"metadata": {"name": "prices"}}


def describe(answer: httpx2.Response) -> tuple[int, Json, Json, str]:
    """Code, reason, message, and for how long to leave the server alone."""
    said: Json = answer.json()
    wait = answer.headers.get("Retry-After", "")
    return answer.status_code, dig(said, "reason"), dig(said, "message"), wait


async def ask_until(
    web: httpx2.AsyncClient, path: str, wanted: Callable[[httpx2.Response], bool]
) -> httpx2.Response:
    """Ask until the answer is as wanted; refused connections are no answer."""
    async with asyncio.timeout(5):
        while True:
            try:
                answer = await web.get(path)
                if wanted(answer):
                    return answer
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("fault", "path", "expected"),
    [
        (
            ApiFault.CACHE_COLD,
            PODS,
            (429, "TooManyRequests", "storage is (re)initializing", "1"),
        ),
        (
            ApiFault.ETCD_TIMEOUT,
            PODS,
            (429, "TooManyRequests", "storage is (re)initializing", "30"),
        ),
        (
            ApiFault.ETCD_TIMEOUT,
            f"{PODS}/x",
            (
                504,
                "Timeout",
                "Timeout: request did not complete within the allotted timeout",
                "",
            ),
        ),
        (ApiFault.LEADER_CHANGED, f"{PODS}/x", (500, None, "etcdserver: leader changed", "")),
    ],
)
async def test_refusal_is_in_the_words_of_a_real_server(
    empty: Cluster,
    web: httpx2.AsyncClient,
    fault: ApiFault,
    path: str,
    expected: tuple[int, Json, Json, str],
) -> None:
    """Etcd's own words come without a reason; a cache that is not filled asks to wait."""
    empty.plane.set_fault("", fault)
    found = await ask_until(web, path, lambda answer: answer.status_code == expected[0])
    empty.plane.set_fault("", fault, on=False)
    after = await web.get(PODS)

    assert expected == describe(found)
    assert 200 == after.status_code


async def test_throttled_requests_are_refused_and_probes_pass(
    empty: Cluster, web: httpx2.AsyncClient
) -> None:
    """Priority and fairness answers in plain text, and lets `/readyz` through."""
    empty.plane.set_fault(CONTROL_PLANE.name, ApiFault.THROTTLED)
    refused = await web.get(PODS)
    ready = await web.get("/readyz")

    assert (429, "Too many requests, please try again later.\n", "1") == (
        refused.status_code,
        refused.text,
        refused.headers["Retry-After"],
    )
    assert "ok" == ready.text


async def test_fault_of_another_server_does_not_strike(
    empty: Cluster, web: httpx2.AsyncClient
) -> None:
    """A fault of one control plane leaves the others alone."""
    empty.plane.set_fault("cp-2", ApiFault.THROTTLED)

    assert 200 == (await web.get(PODS)).status_code


async def test_cold_cache_leaves_single_objects_readable(
    empty: Cluster, web: httpx2.AsyncClient
) -> None:
    """Only lists and watches are served from the cache."""
    empty.plane.set_fault("", ApiFault.CACHE_COLD)
    written = await web.post(MAPS, json=MAP)
    read = await web.get(f"{MAPS}/prices")

    assert (201, 200) == (written.status_code, read.status_code)


async def test_server_without_etcd_takes_nothing(empty: Cluster, web: httpx2.AsyncClient) -> None:
    """What is created is refused in etcd's words, what is changed when the server gives up."""
    empty.plane.set_fault("", ApiFault.ETCD_TIMEOUT)
    created = await web.post(MAPS, json=MAP)
    changed = await web.delete(f"{MAPS}/prices")

    assert (500, None, "etcdserver: request timed out", "") == describe(created)
    assert (504, "Timeout") == describe(changed)[:2]


async def test_server_without_etcd_is_not_ready(empty: Cluster, web: httpx2.AsyncClient) -> None:
    """`/readyz` lists its checks and says which one fails, and no more."""
    empty.plane.set_fault("", ApiFault.ETCD_TIMEOUT)
    answer = await web.get("/readyz")

    assert 500 == answer.status_code
    assert "[+]ping ok\n" in answer.text
    assert "[-]etcd failed: reason withheld\n" in answer.text
    assert "[-]etcd-readiness failed: reason withheld\n" in answer.text
    assert answer.text.endswith("readyz check failed\n")


async def test_restart_is_told_refused_and_over(empty: Cluster, web: httpx2.AsyncClient) -> None:
    """It says that it ends, is gone, says that it starts, and serves again."""
    ending = "apiserver is shutting down"
    starting = "all known HTTP paths have been installed"
    empty.plane.set_fault("", ApiFault.RESTARTING)
    before = await ask_until(web, PODS, lambda answer: ending in answer.text)
    after = await ask_until(web, PODS, lambda answer: starting in answer.text)
    empty.plane.set_fault("", ApiFault.RESTARTING, on=False)
    served = await ask_until(web, PODS, lambda answer: answer.status_code == httpx2.codes.OK)

    assert (503, "ServiceUnavailable", ending, "1") == describe(before)
    assert (503, "5") == (after.status_code, after.headers["Retry-After"])
    assert 200 == served.status_code


async def test_watch_ends_with_gone(empty: Cluster, web: httpx2.AsyncClient) -> None:
    """A watch that stands ends with an ERROR event of 410 once the fault is on."""
    async with web.stream("GET", PODS, params={"watch": "1"}) as answer:
        empty.plane.set_fault("", ApiFault.WATCH_GONE)
        lines = [line async for line in answer.aiter_lines()]

    assert '"type": "ERROR"' in lines[-1]
    assert '"reason": "Expired", "code": 410' in lines[-1]


async def test_watch_is_cut_in_the_middle_of_a_line(
    empty: Cluster, web: httpx2.AsyncClient
) -> None:
    """Half a line comes, then the connection breaks: no end that a client could take for one."""
    empty.plane.set_fault("", ApiFault.WATCH_CUT)
    async with web.stream("GET", PODS, params={"watch": "1"}) as answer:
        pieces = answer.aiter_bytes()
        got = await anext(pieces)
        with pytest.raises(httpx2.TransportError):
            await anext(pieces)

    assert b'{"type":"MODIFIED","object":{"kind":"' == got


async def test_connections_are_reset_before_and_after_the_act(
    empty: Cluster, web: httpx2.AsyncClient
) -> None:
    """Whether a request whose answer is lost was done is to be found out, not to be guessed."""
    empty.plane.set_fault("", ApiFault.RESET)
    with pytest.raises(httpx2.TransportError):
        await web.post(MAPS, json=MAP)  # the first of ten is not heard
    answers = [await web.get(f"{MAPS}/prices") for _ in range(8)]
    with pytest.raises(httpx2.TransportError):
        await web.post(MAPS, json=MAP)  # the tenth is done
    empty.plane.set_fault("", ApiFault.RESET, on=False)
    done = await web.get(f"{MAPS}/prices")

    assert (404, 200) == (answers[-1].status_code, done.status_code)


async def test_discovery_is_incomplete_without_an_aggregated_api(
    empty: Cluster, web: httpx2.AsyncClient
) -> None:
    """The group is listed, stale in the newer form, and does not say what it serves."""
    empty.plane.set_fault("", ApiFault.AGGREGATED_DOWN)
    groups = await web.get("/apis")
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    newer = await web.get("/apis", headers={"Accept": accept})
    asked = await web.get("/apis/metrics.k8s.io/v1beta1")

    assert "metrics.k8s.io/v1beta1" in groups.text
    assert {"version": "v1beta1", "freshness": "Stale"} in newer.json()["items"][-1]["versions"]
    assert (503, "service unavailable\n") == (asked.status_code, asked.text)


async def test_slow_server_answers(empty: Cluster, web: httpx2.AsyncClient) -> None:
    """Late is not never."""
    empty.plane.set_fault("", ApiFault.SLOW)
    begun_s = empty.plane._clock.elapsed_s()
    answer = await web.get(PODS)

    assert 200 == answer.status_code
    assert empty.plane._clock.elapsed_s() - begun_s >= 1.0
