"""One suite for two Fluxes, the lab's and real controllers: Secrets that SOPS encrypted."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from lab.kubernetes.values import Json, Object, at, grow, text
from lab.tools import LabTools, ToolMissingError
from tests.lab_flux.flux_contract import Flux, has_applied
from tests.lab_flux.flux_world import has_failed

SECRET = ("v1", "Secret")
DECRYPTION: Json = {"provider": "sops", "secretRef": {"name": "sops-age"}}
UNREADABLE = (
    "decryption failed for 'Secret.v1.[noGrp]/one': "
    "failed to decrypt and format 'SPACE/one' Secret data: "
)


@dataclass(frozen=True)
class Key:
    """An age key and its recipient."""

    identity: str
    recipient: str


def make_key() -> Key:
    """Make a key with age-keygen; skips without it and sops."""
    try:
        LabTools().find("sops")
    except ToolMissingError as missing:
        pytest.skip(str(missing))
    if not shutil.which("age-keygen"):
        pytest.skip("no age-keygen on PATH")
    identity = subprocess.run(["age-keygen"], capture_output=True, check=True, text=True).stdout
    asked = ["age-keygen", "-y"]
    recipient = subprocess.run(asked, input=identity, capture_output=True, check=True, text=True)
    return Key(identity, recipient.stdout.strip())


@pytest.fixture
def key() -> Key:
    """The key of the cluster."""
    return make_key()


def encrypt(flux: Flux, key: Key, **data: Json) -> Object:
    """Encrypt a Secret, as `.sops.yaml` of cluster repositories has it."""
    metadata: Object = {"name": "one", "namespace": flux.space}
    plain: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **data}
    written = LabTools().run(
        *("sops", "encrypt", "--age", key.recipient, "--encrypted-regex", "^(data|stringData)$"),
        *("--input-type", "json", "--output-type", "json", "--filename-override", "one.json"),
        stdin=json.dumps(plain),
    )
    encrypted: Json = json.loads(written)
    return at(encrypted)


def hold(flux: Flux, files: Mapping[str, str]) -> Object:
    """Make the Secret with the age key."""
    metadata: Object = {"name": "sops-age", "namespace": flux.space}
    data: Object = {name: base64.b64encode(held.encode()).decode() for name, held in files.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


@pytest.mark.parametrize("data", [{"stringData": {"key": "value"}}, {"data": {"key": "dmFsdWU="}}])
async def test_decrypted_secret_is_applied(flux: Flux, key: Key, data: Object) -> None:
    """What the cluster holds is plain, in both ways to write it."""
    await flux.cluster.apply(hold(flux, {"age.agekey": key.identity}))
    commit = await flux.push(one=encrypt(flux, key, **data))
    await flux.begin("a", "./a", decryption=DECRYPTION)
    await flux.until("a", has_applied(commit))

    applied = await flux.ask(SECRET, "one")
    assert ({"key": "dmFsdWU="}, None) == (at(applied, "data"), applied.get("sops"))


async def test_key_that_is_not_there(flux: Flux, key: Key) -> None:
    """The Secret that is missing is named, and that is all."""
    await flux.push(one=encrypt(flux, key, stringData={"key": "value"}))
    await flux.begin("a", "./a", decryption=DECRYPTION)

    said = await flux.tell("a", has_failed)
    assert ("False", "BuildFailed", 'secrets "sops-age" not found') == said


async def test_file_for_another_recipient(flux: Flux, key: Key) -> None:
    """The recipients that the file has are listed; the cluster's own key is not among them."""
    await flux.cluster.apply(hold(flux, {"age.agekey": make_key().identity}))
    await flux.push(one=encrypt(flux, key, stringData={"key": "value"}))
    await flux.begin("a", "./a", decryption=DECRYPTION)

    status, reason, message = await flux.tell("a", has_failed)
    why = (
        "cannot get sops data key: Failed to get the data key required to decrypt the SOPS file."
        f"\n\nGroup 0: FAILED\n  {key.recipient}: FAILED\n    - | failed to create reader for "
        "decrypting sops data key with\n"
    )
    assert ("False", "BuildFailed") == (status, reason)
    assert message.startswith(UNREADABLE + why)
    assert message.endswith("\nbut none were.")
    assert {} == await flux.ask(SECRET, "one")


async def test_secret_without_a_key(flux: Flux, key: Key) -> None:
    """A Secret none of whose entries ends with `.agekey` is as good as no key."""
    await flux.cluster.apply(hold(flux, {"key.txt": key.identity}))
    await flux.push(one=encrypt(flux, key, stringData={"key": "value"}))
    await flux.begin("a", "./a", decryption=DECRYPTION)

    status, reason, message = await flux.tell("a", has_failed)
    assert ("False", "BuildFailed") == (status, reason)
    assert message.startswith(f"{UNREADABLE}cannot get sops data key: Failed to get the data key")
    assert "failed to load age identities. Did not find keys in" in message


async def test_key_that_is_none(flux: Flux, key: Key) -> None:
    """An entry that is no age key fails the build before anything is decrypted."""
    await flux.cluster.apply(hold(flux, {"age.agekey": "nonsense"}))
    await flux.push(one=encrypt(flux, key, stringData={"key": "value"}))
    await flux.begin("a", "./a", decryption=DECRYPTION)

    said = await flux.tell("a", has_failed)
    message = (
        "failed to import 'age.agekey' data from sops decryption Secret 'SPACE/sops-age': "
        "failed to parse and add to age identities: unknown identity type"
    )
    assert ("False", "BuildFailed", message) == said


async def test_value_that_was_tampered_with(flux: Flux, key: Key) -> None:
    """Each value is authenticated by itself, though the file's own sum is not looked at."""
    await flux.cluster.apply(hold(flux, {"age.agekey": key.identity}))
    encrypted = encrypt(flux, key, stringData={"key": "value"})
    value = text(encrypted, "stringData", "key")
    grow(encrypted, "stringData")["key"] = value.replace("data:", "data:AAAA")
    await flux.push(one=encrypted)
    await flux.begin("a", "./a", decryption=DECRYPTION)

    said = await flux.tell("a", has_failed)
    message = (
        f"{UNREADABLE}error decrypting sops tree: Error walking tree: Could not decrypt value: "
        "Could not decrypt with AES_GCM: cipher: message authentication failed"
    )
    assert ("False", "BuildFailed", message) == said


async def test_secret_that_nobody_decrypts(flux: Flux, key: Key) -> None:
    """Without decryption the ciphertext is applied and counts as ready, if it was stringData."""
    commit = await flux.push(one=encrypt(flux, key, stringData={"key": "value"}))
    await flux.begin("a", "./a")
    await flux.until("a", has_applied(commit))

    value = text(await flux.ask(SECRET, "one"), "data", "key")
    assert base64.b64decode(value).startswith(b"ENC[AES256_GCM,data:")


async def test_data_that_nobody_decrypts(flux: Flux, key: Key) -> None:
    """Without decryption ciphertext in data is no base64, and the Secret refused for SOPS' sake."""
    await flux.push(one=encrypt(flux, key, data={"key": "dmFsdWU="}))
    await flux.begin("a", "./a")

    said = await flux.tell("a", has_failed)
    why = "is SOPS encrypted, configuring decryption is required for this secret to be reconciled"
    assert ("False", "ReconciliationFailed", f"Secret/SPACE/one {why}") == said
    assert {} == await flux.ask(SECRET, "one")


async def test_map_that_nobody_decrypts(flux: Flux) -> None:
    """Other kinds of Kubernetes itself lose SOPS' stanza as well."""
    encrypted = flux.settings("one", key="ENC[AES256_GCM,data:x]")
    encrypted["sops"] = {"mac": "x"}
    commit = await flux.push(one=encrypted)
    await flux.begin("a", "./a")
    await flux.until("a", has_applied(commit))

    assert {"key": "ENC[AES256_GCM,data:x]"} == await flux.data_of("one")
