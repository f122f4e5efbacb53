"""What a client may demand of an object before it is changed: its identity and its version."""

from __future__ import annotations

from lab.kubernetes.errors import ConflictError, InvalidError
from lab.kubernetes.kinds import Kind
from lab.kubernetes.values import Object, name_of, text

__all__ = ["check_identity", "check_preconditions", "check_same"]


def check_same(kind: Kind, obj: Object, live: Object | None) -> None:
    """Hold identity and version, where a client names them, against what is stored.

    Raises:
        ConflictError: they differ.
    """
    uid, now = text(obj, "metadata", "uid"), text(live, "metadata", "uid")
    if uid and uid != now:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {now}"
        raise ConflictError.of_object(kind.plural, kind.group, name_of(obj), why)
    version = text(obj, "metadata", "resourceVersion")
    if version and version != text(live, "metadata", "resourceVersion"):
        raise ConflictError.of_version(kind.plural, kind.group, name_of(obj))


def check_identity(kind: Kind, obj: Object, live: Object) -> None:
    """Refuse a patch that would make another object of a stored one.

    Raises:
        InvalidError: it would.
    """
    uid = text(obj, "metadata", "uid")
    if uid and uid != text(live, "metadata", "uid"):
        why = f'Invalid value: "{uid}": field is immutable'
        cause = ("metadata.uid", "FieldValueInvalid", why)
        raise InvalidError.of_field(kind.kind, kind.group, name_of(obj), cause)


def check_preconditions(kind: Kind, live: Object, wanted: Object) -> None:
    """Hold the preconditions of a deletion against what is stored.

    Raises:
        ConflictError: they do not hold.
    """
    for key, title, guess in (
        ("uid", "UID", "deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", "modified"),
    ):
        asked, found = text(wanted, key), text(live, "metadata", key)
        if asked and asked != found:
            why = (
                f"the {title} in the precondition ({asked}) does not match the {title} in record "
                f"({found}). The object might have been {guess}"
            )
            raise ConflictError.of_object(kind.kind, kind.group, name_of(live), why)
