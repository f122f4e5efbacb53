"""One suite for two servers, the lab's and a real kube-apiserver: Leases, CSRs and CronJobs.

What controllers do is left out: a bare API server has no controller manager, so nothing is signed.
"""

from __future__ import annotations

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab.kubernetes.values import Json, Object, at, clone_map, dig, grow, maps, text, texts
from tests.lab_kubernetes.contract_server import MERGE, Server, refusal

LEASES = "/apis/coordination.k8s.io/v1"
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
TIME = "2026-01-01T00:00:00.123456Z"
APPROVED: Object = {"type": "Approved", "status": "True", "reason": "me", "message": "known"}
DENIED: Object = {"type": "Denied", "status": "True", "reason": "me", "message": "unknown"}


def lease(**spec: Json) -> Object:
    """A Lease."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "l"},
        "spec": {"holderIdentity": "x", "leaseDurationSeconds": 60, "renewTime": TIME, **spec},
    }


async def ask_for_lease(server: Server, **spec: Json) -> tuple[int, Json]:
    """Create a Lease."""
    return await server.ask("POST", server.path("leases", api=LEASES), lease(**spec))


async def test_leases_keep_what_they_are_given(server: Server) -> None:
    """The spec comes back digit by digit, without a generation."""
    code, made = await ask_for_lease(server, acquireTime="2026-01-01T00:00:00.500000Z")

    assert (201, TIME) == (code, text(made, "spec", "renewTime"))
    assert "2026-01-01T00:00:00.500000Z" == text(made, "spec", "acquireTime")
    assert dig(made, "metadata", "generation") is None


async def test_leases_are_taken_over_once(server: Server) -> None:
    """Of two who saw the same version only the first gets it."""
    _, made = await ask_for_lease(server)
    mine, path = at(made), server.path("leases", "l", LEASES)
    grow(mine, "spec")["holderIdentity"] = "y"
    first = await server.ask("PUT", path, mine)
    second = await server.ask("PUT", path, mine)

    assert (200, "y") == (first[0], text(first[1], "spec", "holderIdentity"))
    assert (409, "Conflict") == refusal(second)[:2]


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("leaseDurationSeconds", 0, "Invalid value: 0: must be greater than 0"),
        ("leaseTransitions", -1, "Invalid value: -1: must be greater than or equal to 0"),
    ],
)
async def test_leases_of_no_use(server: Server, field: str, value: int, why: str) -> None:
    """A Lease lasts, and changes hands forwards."""
    answer = await ask_for_lease(server, **{field: value})

    said = f'Lease.coordination.k8s.io "l" is invalid: spec.{field}: {why}'
    assert (422, "Invalid", said) == refusal(answer)
    assert f"spec.{field}" == text(maps(answer[1], "details", "causes")[0], "field")


@pytest.mark.parametrize("time", ["yesterday", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z"])
async def test_times_of_leases_have_six_digits(server: Server, time: str) -> None:
    """Whatever else is a time elsewhere is none here."""
    code, reason, message = refusal(await ask_for_lease(server, renewTime=time))

    assert (400, "BadRequest") == (code, reason)
    assert message.startswith(
        'Lease in version "v1" cannot be handled as a Lease: parsing time '
        f'"{time}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse'
    )


def make_request() -> str:
    """Make what a kubelet asks for."""
    names = [(NameOID.COMMON_NAME, "system:node:n1"), (NameOID.ORGANIZATION_NAME, "system:nodes")]
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(*name) for name in names]))
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    return base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()


async def ask_for_certificate(server: Server, **spec: Json) -> tuple[int, Json]:
    """Create a CSR, named after the test's namespace."""
    body: Object = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": server.space},
        "spec": {
            "request": make_request(),
            "signerName": "kubernetes.io/kubelet-serving",
            "usages": ["digital signature", "server auth"],
            **spec,
        },
    }
    return await server.ask("POST", REQUESTS, body)


async def approve(server: Server, request: Json, *conditions: Json) -> tuple[int, Json]:
    """Put conditions on a CSR."""
    changed = clone_map(at(request))
    grow(changed, "status")["conditions"] = list(conditions)
    return await server.ask("PUT", f"{REQUESTS}/{server.space}/approval", changed)


def invalid(server: Server, why: str) -> tuple[int, str, str]:
    """How a CSR is refused."""
    name = f'CertificateSigningRequest.certificates.k8s.io "{server.space}"'
    return 422, "Invalid", f"{name} is invalid: {why}"


async def test_requests_are_of_who_asks(server: Server) -> None:
    """Whatever name a client writes, the server writes its own."""
    code, made = await ask_for_certificate(server, username="evil", groups=["system:nodes"])

    assert (201, "admin") == (code, text(made, "spec", "username"))
    assert ["system:masters", "system:authenticated"] == texts(made, "spec", "groups")
    assert not maps(made, "status", "conditions")


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("request", "eA==", 'Invalid value: "eA==": PEM block type must be CERTIFICATE REQUEST'),
        ("signerName", "", "Required value"),
        ("usages", [], "Required value"),
    ],
)
async def test_requests_of_no_use(server: Server, field: str, value: Json, why: str) -> None:
    """A request is one, for somebody to sign, for some use."""
    answer = await ask_for_certificate(server, **{field: value})

    assert invalid(server, f"spec.{field}: {why}") == refusal(answer)


async def test_approvals_are_stamped_and_stay(server: Server) -> None:
    """The server adds its times; what is approved is approved for good."""
    _, made = await ask_for_certificate(server, signerName="example.org/nobody")
    code, approved = await approve(server, made, APPROVED)
    [condition] = maps(approved, "status", "conditions")
    stale = await approve(server, made, APPROVED)
    undone = await approve(server, approved)
    reversed_ = await approve(server, approved, condition, DENIED)

    assert 200 == code
    assert APPROVED.items() <= condition.items()
    assert {"lastUpdateTime", "lastTransitionTime"} <= condition.keys()
    assert (409, "Conflict") == refusal(stale)[:2]
    assert refusal(undone) == invalid(
        server,
        'status.conditions: Forbidden: updates may not remove a condition of type "Approved"',
    )
    assert refusal(reversed_) == invalid(
        server,
        'status.conditions: Invalid value: "Denied": Approved and Denied conditions are mutually '
        "exclusive",
    )


async def test_approvals_say_their_status(server: Server) -> None:
    """A condition that is neither true nor false is refused."""
    _, made = await ask_for_certificate(server)
    answer = await approve(server, made, {"type": "Approved", "reason": "me"})

    assert invalid(server, "status.conditions[0].status: Required value") == refusal(answer)


async def test_status_is_no_approval(server: Server) -> None:
    """Approving is a right of its own; a certificate is one. All that is wrong is told at once."""
    await ask_for_certificate(server)
    path = f"{REQUESTS}/{server.space}/status"
    both: Json = {"status": {"conditions": [APPROVED, DENIED]}}
    refused = await server.ask("PATCH", path, both, form=MERGE)
    junk = await server.ask("PATCH", path, {"status": {"certificate": "eA=="}}, form=MERGE)

    exclusive = 'Invalid value: "Denied": Approved and Denied conditions are mutually exclusive'
    added = 'Forbidden: updates may not add a condition of type "{}"'
    assert refusal(refused) == invalid(
        server,
        f"[status.conditions: {exclusive}, status.conditions: {added.format('Approved')}, "
        f"status.conditions: {added.format('Denied')}]",
    )
    assert refusal(junk) == invalid(
        server,
        'status.certificate: Invalid value: "<certificate data>": must contain at least one '
        "CERTIFICATE PEM block",
    )


async def test_requests_do_not_change(server: Server) -> None:
    """Another spec is neither taken nor refused."""
    _, made = await ask_for_certificate(server)
    changed = clone_map(at(made))
    grow(changed, "spec")["usages"] = ["client auth"]
    code, kept = await server.ask("PUT", f"{REQUESTS}/{server.space}", changed)

    assert (200, ["digital signature", "server auth"]) == (code, texts(kept, "spec", "usages"))


@pytest.mark.parametrize(
    ("schedule", "zone", "problems"),
    [
        ("0 5 0 * * *", "", ["expected exactly 5 fields, found 6: [0 5 0 * * *]"]),
        ("0 5 * * 7", "", ["end of range (7) above maximum (6): 7"]),
        (
            "TZ=UTC 0 5 * *",
            "",
            [
                "expected exactly 5 fields, found 4: [0 5 * *]",
                "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
            ],
        ),
        (
            "TZ=UTC 0 5 * * *",
            "Europe/Berlin",
            ["cannot use TZ or CRON_TZ in schedule, use timeZone field instead"],
        ),
    ],
)
async def test_schedules_that_cannot_be_read_are_refused(
    server: Server, schedule: str, zone: str, problems: list[str]
) -> None:
    """A CronJob's schedule is read when it is made, and a zone belongs beside it."""
    container: Object = {"name": "c", "image": "x"}
    pod: Object = {"containers": [container], "restartPolicy": "Never"}
    spec: Object = {
        "schedule": schedule,
        "jobTemplate": {"spec": {"template": {"spec": pod}}},
        **({"timeZone": zone} if zone else {}),
    }
    job: Object = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "j"},
        "spec": spec,
    }
    path = server.path("cronjobs", api="/apis/batch/v1")
    code, answer = await server.ask("POST", path, job)
    causes = [text(cause, "message") for cause in maps(answer, "details", "causes")]

    assert 422 == code
    assert [f'Invalid value: "{schedule}": {problem}' for problem in problems] == causes
