"""What an API server itself demands of some kinds: Leases, CSRs and the schedules of CronJobs.

The rest of the schemas is left to a real one.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence

from cryptography import x509

from inventory.cron import ScheduleError, parse_schedule
from lab.kubernetes.errors import BadRequestError, InvalidError
from lab.kubernetes.kinds import Kind
from lab.kubernetes.values import Object, at, dig, maps, name_of, number, text, texts

__all__ = ["check_rules"]

_LEASES = "leases.coordination.k8s.io"
_CRON_JOBS = "cronjobs.batch"
_CSRS = "certificatesigningrequests.certificates.k8s.io"
# Go's layout of metav1.MicroTime: six digits, no fewer.
_LAYOUT = "2006-01-02T15:04:05.000000Z07:00"
_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
_FINAL = ("Approved", "Denied", "Failed")  # conditions that stay
_OPPOSITES = ("Approved", "Denied")

Cause = tuple[str, str, str]  # field, reason, message


def check_rules(kind: Kind, obj: Object, live: Object | None, subresource: str = "") -> None:
    """Refuse an object that a real API server would not take; `live` is what it replaces.

    Raises:
        BadRequestError: a field cannot be read.
        InvalidError: fields break a rule; all of them are named.
    """
    causes: Sequence[Cause] = ()
    if kind.resource == _LEASES:
        _check_times(obj)
        causes = [*_find_lease_problems(obj)]
    elif kind.resource == _CRON_JOBS:
        causes = [*_find_schedule_problems(obj, live)]
    elif kind.resource == _CSRS:
        new = [*_find_request_problems(obj)] if live is None else []
        causes = [*new, *_find_approval_problems(obj, live or {}, subresource)]
    if causes:
        raise InvalidError.of_field(kind.kind, kind.group, name_of(obj), *causes)


def _check_times(lease: Object) -> None:
    for key in ("acquireTime", "renewTime"):
        value = dig(lease, "spec", key)
        if value is not None and not _MICRO_TIME.fullmatch(str(value)):
            raise BadRequestError(
                'Lease in version "v1" cannot be handled as a Lease: parsing time '
                f'"{value}" as "{_LAYOUT}": cannot parse'
            )


def _find_lease_problems(lease: Object) -> Iterator[Cause]:
    spec = at(lease, "spec")
    duration, moves = number(spec, "leaseDurationSeconds"), number(spec, "leaseTransitions")
    if "leaseDurationSeconds" in spec and duration <= 0:
        why = f"Invalid value: {duration}: must be greater than 0"
        yield "spec.leaseDurationSeconds", "FieldValueInvalid", why
    if moves < 0:
        why = f"Invalid value: {moves}: must be greater than or equal to 0"
        yield "spec.leaseTransitions", "FieldValueInvalid", why


def _find_schedule_problems(job: Object, live: Object | None) -> Iterator[Cause]:
    field, schedule = "spec.schedule", text(job, "spec", "schedule")
    if not schedule:
        yield field, "FieldValueRequired", "Required value"
        return
    problems = []
    try:
        parse_schedule(schedule)
    except ScheduleError as error:
        problems.append(str(error))
    if "TZ" in schedule and "TZ" not in text(live or {}, "spec", "schedule"):
        problems.append("cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
    elif "TZ" in schedule and text(job, "spec", "timeZone"):
        problems.append("cannot use both timeZone field and TZ or CRON_TZ in schedule")
    for problem in problems:
        yield field, "FieldValueInvalid", f'Invalid value: "{schedule}": {problem}'


def _find_request_problems(request: Object) -> Iterator[Cause]:
    sent = text(request, "spec", "request")
    problem = _find_pem_problem(sent)
    if problem:
        yield "spec.request", "FieldValueInvalid", f'Invalid value: "{sent}": {problem}'
    if not texts(request, "spec", "usages"):
        yield "spec.usages", "FieldValueRequired", "Required value"
    if not text(request, "spec", "signerName"):
        yield "spec.signerName", "FieldValueRequired", "Required value"


def _find_pem_problem(sent: str) -> str:
    pem = _decode(sent)
    if b"-----BEGIN CERTIFICATE REQUEST-----" not in pem:
        return "PEM block type must be CERTIFICATE REQUEST"
    try:
        x509.load_pem_x509_csr(pem)
    except ValueError as error:
        return str(error)
    return ""


def _find_approval_problems(request: Object, live: Object, subresource: str) -> Iterator[Cause]:
    conditions = maps(request, "status", "conditions")
    for position, condition in enumerate(conditions):
        if not text(condition, "status"):
            yield f"status.conditions[{position}].status", "FieldValueRequired", "Required value"
    types = [text(condition, "type") for condition in conditions]
    if set(_OPPOSITES) <= set(types):
        second = next(kind for kind in reversed(types) if kind in _OPPOSITES)
        why = f'Invalid value: "{second}": Approved and Denied conditions are mutually exclusive'
        yield "status.conditions", "FieldValueInvalid", why
    before = {text(condition, "type") for condition in maps(live, "status", "conditions")}
    for kind in _FINAL:
        if kind in before and kind not in types:
            why = f'Forbidden: updates may not remove a condition of type "{kind}"'
            yield "status.conditions", "FieldValueForbidden", why
        if subresource == "status" and kind in _OPPOSITES and kind in types and kind not in before:
            why = f'Forbidden: updates may not add a condition of type "{kind}"'
            yield "status.conditions", "FieldValueForbidden", why
    certificate = text(request, "status", "certificate")
    if certificate and b"-----BEGIN CERTIFICATE-----" not in _decode(certificate):
        why = 'Invalid value: "<certificate data>": must contain at least one CERTIFICATE PEM block'
        yield "status.certificate", "FieldValueInvalid", why


def _decode(value: str) -> bytes:
    try:
        return base64.b64decode(value)
    except binascii.Error:
        return b""
