"""Faults of what is encrypted, and of what should be."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyrage
import yaml

from lab.faults.repository.tree import DoesNotApplyError, Tree
from lab.faults.repository.values import RepositoryFault, answered_by
from lab.faults.values import Answer
from lab.kubernetes.values import Json, Object, at, clone, maps, text

__all__ = ["SECRET_FAULTS"]

_GUIDE = "https://fluxcd.io/flux/guides/mozilla-sops/"
_SOPS = "https://getsops.io/docs/"
_RULES = ".sops.yaml"


def _list_encrypted(tree: Tree) -> Iterator[tuple[str, Object]]:
    """Walk over the encrypted files of the cluster, with what stands in them as it is."""
    for path in sorted((tree.root / "clusters" / tree.inventory.cluster).rglob("*.y*ml")):
        name = path.relative_to(tree.root).as_posix()
        content = path.read_text(encoding="utf-8", errors="replace")
        if "\nsops:" not in content or "ENC[" not in content:
            continue
        document = yaml.load(content, Loader=yaml.CSafeLoader)
        if isinstance(document, dict):
            yield name, document


def _pick_encrypted(tree: Tree) -> tuple[str, Object]:
    for name, document in _list_encrypted(tree):
        # Without the deploy key or the variables, nothing else would be looked at.
        keys = {*at(document, "stringData"), *at(document, "data")}
        if document.get("kind") == "Secret" and "identity" not in keys:
            return name, document
    raise DoesNotApplyError("it has no encrypted Secret")


def _make_clear(document: Object) -> Object:
    shell = ("apiVersion", "kind", "metadata", "type")
    kept: Object = {key: document[key] for key in shell if key in document}
    keys = [*at(document, "stringData"), *at(document, "data")] or ["password"]
    return {**kept, "stringData": dict.fromkeys(keys, "readable-for-everybody")}


def _commit_in_clear(tree: Tree) -> None:
    name, document = _pick_encrypted(tree)
    tree.write(name, yaml.safe_dump(_make_clear(document), sort_keys=False))


def _encrypt_for_stranger(tree: Tree) -> None:
    name, document = _pick_encrypted(tree)
    stranger = str(pyrage.x25519.Identity.generate().to_public())
    tree.write(name, yaml.safe_dump(_make_clear(document), sort_keys=False))
    # Its own rules, since --age does not go before those of .sops.yaml.
    rules = tree.root / ".git" / "lab-sops.yaml"
    rules.parent.mkdir(exist_ok=True)
    rule: Object = {"age": stranger, "encrypted_regex": "^(data|stringData)$"}
    rules.write_text(yaml.safe_dump({"creation_rules": [rule]}), encoding="utf-8")
    tree.tools.run("sops", "--config", str(rules), "encrypt", "-i", name, cwd=tree.root)
    rules.unlink()


def _damage(tree: Tree) -> None:
    name, _ = _pick_encrypted(tree)
    content = tree.read(name)
    broken = re.sub(r"(mac: ENC\[AES256_GCM,data:)(.)", _change_letter, content, count=1)
    if broken == content:
        raise DoesNotApplyError(f"has no authentication code: `{name}`")
    tree.write(name, broken)


def _change_letter(found: re.Match[str]) -> str:
    return found[1] + ("A" if found[2] != "A" else "B")


def _change_key(tree: Tree) -> None:
    """Name another recipient in every rule, without updating what the rules are for."""
    stranger = str(pyrage.x25519.Identity.generate().to_public())

    def change(document: Object) -> None:
        for rule in maps(document, "creation_rules"):
            if text(rule, "age"):
                rule["age"] = stranger

    if not (tree.root / _RULES).is_file():
        raise DoesNotApplyError("it has no .sops.yaml")
    if next(_list_encrypted(tree), None) is None:
        raise DoesNotApplyError("nothing in it is encrypted")
    tree.change(_RULES, change)


def _name_uncovered(tree: Tree) -> None:
    component = tree.pick_component()
    path = f"{component.path}/lab-claim.yaml"
    if any(_covers(rule, path) for rule in _read_rules(tree)):
        raise DoesNotApplyError("a rule of .sops.yaml covers every manifest")
    secret: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "lab-claim", "namespace": component.target_namespace or "default"},
        "stringData": {"claim": "readable-for-everybody"},
    }
    tree.add_object(component, "lab-claim", secret)


def _forget_decryption(tree: Tree) -> None:
    """Take `decryption` out of the entries and components, also where it is patched in."""
    next(_list_encrypted_objects(tree))
    for path in sorted(_list_decrypting(tree)):
        documents = [*yaml.load_all(tree.read(path), Loader=yaml.CSafeLoader)]
        kept = [_without_decryption(document) for document in documents]
        tree.write(path, yaml.safe_dump_all(kept, sort_keys=False, width=10_000))


def _list_encrypted_objects(tree: Tree) -> Iterator[str]:
    for _, item in tree.inventory.objects():
        if "sops" in item.raw:
            yield item.name
    raise DoesNotApplyError("no Kustomization applies anything encrypted")


def _list_decrypting(tree: Tree) -> set[str]:
    files = {
        *(entry.file for entry in tree.inventory.entries),
        *(component.position.path for component in tree.inventory.components),
    }
    return {path for path in files if "decryption:" in tree.read(path)}


def _without_decryption(value: Json) -> Json:
    if isinstance(value, dict):
        return {
            key: _without_decryption(item) for key, item in value.items() if key != "decryption"
        }
    if isinstance(value, list):
        return [_without_decryption(item) for item in value]
    if isinstance(value, str) and "decryption:" in value:
        patch: Json = yaml.load(value, Loader=yaml.CSafeLoader)
        return yaml.safe_dump(_without_decryption(patch), sort_keys=False)
    return value


def _read_rules(tree: Tree) -> list[str]:
    document: Json = yaml.load(tree.read(_RULES), Loader=yaml.CSafeLoader)
    return [text(rule, "path_regex") for rule in maps(clone(document), "creation_rules")]


def _covers(rule: str, path: str) -> bool:
    try:
        return re.search(rule, path) is not None
    except re.error:
        return True  # nobody knows


SECRET_FAULTS = (
    RepositoryFault(
        "secret-in-clear",
        "A Secret that .sops.yaml wants encrypted is committed in clear.",
        f"{_GUIDE}#encrypting-secrets-using-age",
        _commit_in_clear,
        answered_by("plaintext-secret"),
    ),
    RepositoryFault(
        "secret-of-stranger",
        "A Secret is encrypted for a key that nobody here has.",
        "https://github.com/onedr0p/cluster-template/issues/156",
        _encrypt_for_stranger,
        (*answered_by("foreign-recipient", "key-does-not-fit"), Answer("gate", "secrets-decrypt")),
    ),
    RepositoryFault(
        "secret-damaged",
        "An encrypted Secret was changed by hand, so that its authentication code is wrong.",
        f"{_SOPS}#message-authentication-code",
        _damage,
        (*answered_by("file-does-not-decrypt"), Answer("gate", "secrets-decrypt")),
    ),
    RepositoryFault(
        "decryption-forgotten",
        "No Kustomization says that it decrypts, so that ciphertext is applied as it is.",
        _GUIDE,
        _forget_decryption,
        answered_by("decryption-missing"),
    ),
    RepositoryFault(
        "key-changed",
        ".sops.yaml names a new key, but the files are still encrypted for the old one.",
        f"{_SOPS}#updatekeys-command",
        _change_key,
        answered_by("foreign-recipient"),
    ),
    RepositoryFault(
        "secret-without-rule",
        "A Secret in clear lies in a file that no rule of .sops.yaml covers.",
        f"{_GUIDE}#encrypting-secrets-using-age",
        _name_uncovered,
        answered_by("uncovered-secret"),
    ),
)
