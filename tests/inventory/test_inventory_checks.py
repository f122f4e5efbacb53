"""Findings: each is raised for its fault, at its place, and not without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import Finding, read_repository
from inventory.rules import RULES
from lab.standins.clusterfiles import find_unquoted_number
from lifecycle.gates.repository import refuses

Write = Callable[[Mapping[str, str]], Path]

TALCONFIG = """\
clusterName: ${CLUSTERNAME}
talosVersion: v1.13.0
kubernetesVersion: v1.36.0
endpoint: https://${VIP}:6443
clusterPodNets: [172.16.0.0/16]
clusterSvcNets: [172.17.0.0/16]
nodes:
  - hostname: one
    ipAddress: ${MASTER1IP_IP}
    controlPlane: true
    installDiskSelector: {serial: abc}
    networkInterfaces: [{deviceSelector: {hardwareAddr: "AA:BB"}, vip: {ip: "${VIP}"}}]
"""
CLUSTERENV = """\
VIP: 10.0.0.5
MASTER1IP: 10.0.0.11/24
GATEWAY: 10.0.0.1
METALLB_RANGE: 10.0.0.130-10.0.0.250
HEADLAMP_IP: 10.0.0.200
PODNET: 172.16.0.0/16
SVCNET: 172.17.0.0/16
DOMAIN_0: lab.example
DOMAIN_0_EMAIL: ops@lab.example
DOMAIN_0_CLOUDFLARE_TOKEN: none
"""


def talos_findings(write: Write, talconfig: str, clusterenv: str = CLUSTERENV) -> list[Finding]:
    """Return the findings about machines and addresses of a cluster."""
    root = write(
        {
            "clusters/main/talos/talconfig.yaml": talconfig,
            "clusters/main/clusterenv.yaml": clusterenv,
        }
    )
    return [f for f in read_repository(root, "main").findings if f.id != "no-entry"]


def described(findings: list[Finding]) -> list[tuple[str, str]]:
    """Return id and place of findings."""
    return [(f.id, f"{Path(f.position.path).name}:{f.position.line}") for f in findings]


def test_sound_machines_have_no_findings(write: Write) -> None:
    """A plain cluster with one control plane is fine."""
    assert [] == talos_findings(write, TALCONFIG)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("10.0.0.5\n", "10.0.0.11\n", ("vip-is-node", "talconfig.yaml:9")),
        ("10.0.0.5\n", "10.0.0.131\n", ("vip-in-pool", "clusterenv.yaml:1")),
        ("10.0.0.130-", "10.0.0.1-", ("vip-in-pool", "clusterenv.yaml:1")),
        ("10.0.0.1\n", "10.0.0.140\n", ("node-in-pool", "clusterenv.yaml:3")),
        ("10.0.0.11/24", "10.0.0.150/24", ("node-in-pool", "talconfig.yaml:9")),
        ("10.0.0.11/24", "172.16.0.9/24", ("networks-overlap", "talconfig.yaml:5")),
    ],
)
def test_wrong_addresses_block_a_bootstrap(
    write: Write, old: str, new: str, found: tuple[str, str]
) -> None:
    """Addresses that collide are errors at the value that says so."""
    findings = talos_findings(write, TALCONFIG, CLUSTERENV.replace(old, new))

    assert found in described(findings)
    assert all(refuses(finding) for finding in findings if finding.id != "clusterenv-refused")


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("HEADLAMP_IP", "DASHBOARD_IP", 1, "clusterenv.yaml lacks names: `HEADLAMP_IP`"),
        ("10.0.0.200", "10.0.0.20", 5, "HEADLAMP_IP lies outside METALLB_RANGE: `10.0.0.20`"),
        ("DOMAIN_0: lab.example", 'DOMAIN_0: ""', 8, "value is empty: `DOMAIN_0`"),
        ("TOKEN: none", "TOKEN: 1234", 10, "number is not quoted: `DOMAIN_0_CLOUDFLARE_TOKEN`"),
        ("GATEWAY: 10.0.0.1", "GATEWAY: 172.17.0.1", 3, "GATEWAY lies in SVCNET: `172.17.0.1`"),
        (
            "PODNET: 172.16.0.0/16",
            "PODNET: 10.0.0.192/26",
            4,
            "METALLB_RANGE reaches into PODNET: `10.0.0.192/26`",
        ),
    ],
)
def test_what_clustertool_would_refuse_is_found_before(
    write: Write, old: str, new: str, line: int, message: str
) -> None:
    """It says so itself only when machine configs are to be generated, and then one at a time."""
    findings = talos_findings(write, TALCONFIG, CLUSTERENV.replace(old, new))

    assert [("clusterenv-refused", line, message)] == [
        (finding.id, finding.position.line, finding.message) for finding in findings
    ]


def test_clusterenv_that_git_does_not_hold_is_one_finding(write: Write) -> None:
    """Every variable of talconfig lacks for one reason, and the repair is one."""
    talconfig = TALCONFIG.replace("hostname: one", "hostname: ${FIRST}-${SECOND}")
    root = write({"clusters/main/talos/talconfig.yaml": talconfig})
    found = [f for f in read_repository(root, "main").findings if "talos-variable" in f.id]

    assert 1 == len(found)
    assert "clusterenv.yaml" in found[0].message


def test_what_sops_adds_is_no_number_of_clusterenv(write: Write) -> None:
    """ClusterTool decrypts the file first, which takes SOPS' own lines away."""
    sops = "sops:\n  shamir_threshold: 3\n  mac: ENC[x]\n  lastmodified: '2026-01-01T00:00:00Z'\n"

    assert [] == talos_findings(write, TALCONFIG, CLUSTERENV + sops)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("serial: abc", "size: <= 1TB", ("disk-by-size-only", "talconfig.yaml:11")),
        ("172.17.0.0/16", "172.16.4.0/24", ("networks-overlap", "talconfig.yaml:6")),
        ("hostname: one", "hostname: ${LACKING}", ("undefined-talos-variable", "talconfig.yaml:8")),
        ("controlPlane: true", "controlPlane: false", ("no-nodes", "talconfig.yaml:8")),
        ("nodes:", "patches: ['@./p.yaml']\nnodes:", ("generated-patches", "talconfig.yaml:7")),
    ],
)
def test_doubtful_talconfigs_are_reported(
    write: Write, old: str, new: str, found: tuple[str, str]
) -> None:
    """What talconfig says itself is judged at its line."""
    assert [found] == described(talos_findings(write, TALCONFIG.replace(old, new)))


def test_vip_of_talconfig_itself_is_blamed_where_it_stands(write: Write) -> None:
    """A variable of the usual name that holds another address has nothing to do with it."""
    talconfig = TALCONFIG.replace('vip: {ip: "${VIP}"}', "vip: {ip: 10.0.0.150}")

    assert [("vip-in-pool", "talconfig.yaml:12")] == described(talos_findings(write, talconfig))


def test_port_at_the_end_of_a_value_is_no_bare_number(write: Write) -> None:
    """ClusterTool looks at what follows the first colon of a line, and so do we."""
    more = "S3_URL: http://minio.lab.example:9000\nLISTEN: ::1\n"

    assert [] == talos_findings(write, TALCONFIG, CLUSTERENV + more)
    assert "" == find_unquoted_number(more)
    assert "PORT: 9000" == find_unquoted_number(f"{more}PORT: 9000\n")


def test_even_and_doubled_control_planes_are_reported(write: Write) -> None:
    """Two control planes are worth a warning, two of one name an error."""
    node = TALCONFIG[TALCONFIG.index("  - hostname") :]
    findings = talos_findings(write, TALCONFIG + node)

    assert {"even-control-planes", "duplicate-node"} == {finding.id for finding in findings}


def test_variables_of_encrypted_clusterenv_are_not_called_undefined(write: Write) -> None:
    """Keys of ciphertext are readable, so derived names can be told from wrong ones."""
    encrypted = "\n".join(
        f"{line.partition(':')[0]}: ENC[AES256_GCM,data:x,type:str]"
        for line in CLUSTERENV.splitlines()
    )

    assert [] == talos_findings(write, TALCONFIG, encrypted + "\n")


@pytest.mark.parametrize(
    ("talos", "kubernetes", "supported"),
    [
        ("v1.13.9", "v1.36.4", True),
        ("v1.13.0", "v1.37.0", False),
        ("v1.13.0", "v1.30.9", False),
        ("v1.10.6", "v1.33.3", True),
        ("v1.14.0-rc.1", "v1.37.0-rc.0", True),
        ("latest", "v1.36.0", True),
    ],
)
def test_unsupported_pairs_are_told(
    write: Write, talos: str, kubernetes: str, *, supported: bool
) -> None:
    """Talos supports six minor versions of Kubernetes; unknown versions are not judged."""
    text = TALCONFIG.replace("v1.13.0", talos).replace("v1.36.0", kubernetes)
    found = {finding.id for finding in talos_findings(write, text)}

    assert supported == ("unsupported-versions" not in found)


SOPS = """\
creation_rules:
  - path_regex: .*\\.secret\\.yaml$
    encrypted_regex: ((?i)(pass|^data$))
  - path_regex: whole.yaml
"""


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.secret.yaml", "kind: x\nspec:\n  adminPassword: hunter2\n", 3),
        ("a.secret.yaml", "kind: x\ndata:\n  a: b\n", 3),
        ("whole.yaml", "anything: clear\n", 1),
    ],
)
def test_plain_secrets_are_found_by_the_creation_rules(
    write: Write, name: str, text: str, line: int
) -> None:
    """A file that a rule covers and that is not encrypted is an error at the first clear value."""
    root = write({".sops.yaml": SOPS, name: text})
    findings = [f for f in read_repository(root, "main").findings if f.id == "plaintext-secret"]

    assert [(name, line)] == [(f.position.path, f.position.line) for f in findings]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.secret.yaml", "kind: x\ndata:\n  a: ENC[AES256_GCM,data:x]\nname: clear\n"),
        ("a.secret.yaml", "kind: x\nname: clear\npassword: ''\n"),
        ("whole.yaml", "a: b\nsops: {mac: ENC[AES256_GCM,data:x], lastmodified: '2026'}\n"),
        ("other.yaml", "password: hunter2\n"),
    ],
)
def test_encrypted_and_uncovered_files_are_fine(write: Write, name: str, text: str) -> None:
    """Ciphertext, empty values, SOPS' stanza and files without a rule are no findings."""
    root = write({".sops.yaml": SOPS, name: text})

    assert "plaintext-secret" not in {f.id for f in read_repository(root, "main").findings}


def test_plain_secret_shows_behind_the_overlay(write: Write) -> None:
    """The caller's decrypted text must not make a file look plain, nor hide that it is."""
    root = write({".sops.yaml": SOPS, "whole.yaml": "a: clear\n"})
    overlay = {"whole.yaml": "a: decrypted\n"}
    found = {f.id for f in read_repository(root, "main", overlay).findings}

    assert "plaintext-secret" in found


def test_secret_values_are_in_no_finding(write: Write) -> None:
    """Messages name keys, never values."""
    root = write({".sops.yaml": SOPS, "whole.yaml": "a: hunter2\n"})
    texts = [f.message + f.hint for f in read_repository(root, "main").findings]

    assert not any("hunter2" in text for text in texts)


def test_rules_explain_themselves() -> None:
    """Each rule has a paragraph that ends, and a repair that does not."""
    for name, rule in RULES.items():
        assert name == rule.id
        assert rule.explanation.endswith(".")
        assert rule.repair
        assert not rule.repair.endswith(".")


def test_files_encrypted_for_others_are_found(write: Write) -> None:
    """A recipient of .sops.yaml that a file was not encrypted for cannot read it."""
    sops = "sops: {mac: x, lastmodified: x, age: [{recipient: old}]}\n"
    rules = "creation_rules: [{path_regex: x.yaml, age: 'old, new'}]\n"
    root = write({".sops.yaml": rules, "x.yaml": "a: ENC[AES256_GCM,x]\n" + sops})
    findings = [f for f in read_repository(root, "main").findings if f.id != "no-entry"]

    assert [("foreign-recipient", "x.yaml:2")] == described(findings)
    assert "`new`" in findings[0].message
