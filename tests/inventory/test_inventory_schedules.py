"""Findings about schedules that are refused, never followed, or mean another time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import read_repository
from inventory.cron import ScheduleError, fits_volsync_pattern, parse_schedule
from tests.inventory.inventory_files import with_component

Write = Callable[[Mapping[str, str]], Path]

IDS = {"schedule-refused", "schedule-unreadable", "schedule-by-seconds"}
OBJECT = "apiVersion: {api}\nkind: {kind}\nmetadata: {{name: a, namespace: b}}\nspec:\n  {spec}\n"
CRON_JOB = ("batch/v1", "CronJob")
SOURCE = ("volsync.backube/v1alpha1", "ReplicationSource")
DESTINATION = ("volsync.backube/v1alpha1", "ReplicationDestination")
RECURRING = ("longhorn.io/v1beta2", "RecurringJob")
BACKUP = ("postgresql.cnpg.io/v1", "ScheduledBackup")
VELERO = ("velero.io/v1", "Schedule")
RELEASE = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {{name: charts, namespace: b}}
spec: {{url: {url}}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: a, namespace: b}}
spec:
  chart:
    spec: {{chart: {chart}, version: 1.0.0, sourceRef: {{kind: HelmRepository, name: charts}}}}
  values: {values}
"""
VOLSYNC = (
    "{persistence: {c: {volsync: [{src: {enabled: true, trigger: {schedule: 0 5 0 * * *}}}]}}}"
)
TRUECHARTS = "oci://oci.trueforge.org/truecharts"


def found(write: Write, manifest: str, variables: str = "") -> list[str]:
    """Return the findings about schedules, each with its place."""
    files = with_component("one", "a.yaml", manifest)
    files["clusters/main/clusterenv.yaml"] = variables
    findings = read_repository(write(files), "main").findings
    return [f"{f.id} {f.position.line}:{f.position.column}" for f in findings if f.id in IDS]


def scheduled(api: str, kind: str, schedule: str) -> str:
    """Write an object with a schedule."""
    field = "cron" if kind == "RecurringJob" else "schedule"
    spec = f'{field}: "{schedule}"'
    if kind.startswith("Replication"):
        spec = f"trigger: {{{spec}}}"
    return OBJECT.format(api=api, kind=kind, spec=spec)


@pytest.mark.parametrize(
    ("of", "schedule", "wanted"),
    [
        (CRON_JOB, "0 5 0 * * *", "schedule-refused 5:13"),
        (CRON_JOB, "TZ=Europe/Berlin 0 5 * * *", "schedule-refused 5:13"),
        (CRON_JOB, "0 5 * * 7", "schedule-refused 5:13"),
        (RECURRING, "0 5 * *", "schedule-refused 5:9"),
        (BACKUP, "0 60 * * * *", "schedule-refused 5:13"),
        (BACKUP, "0 3 * * *", "schedule-by-seconds 5:13"),
        (SOURCE, "0 5 0 * * *", "schedule-unreadable 5:23"),
        (DESTINATION, "0 25 * * *", "schedule-unreadable 5:23"),
        (SOURCE, "@midnight", "schedule-refused 5:23"),
        (SOURCE, "@every 6h", "schedule-refused 5:23"),
        (SOURCE, "0 5 * * MON", "schedule-refused 5:23"),
        (VELERO, "every night", "schedule-unreadable 5:13"),
    ],
)
def test_schedule_that_its_reader_cannot_follow_is_found(
    write: Write, of: tuple[str, str], schedule: str, wanted: str
) -> None:
    """Refused at once, accepted and never followed, or read by seconds."""
    assert [wanted] == found(write, scheduled(*of, schedule))


@pytest.mark.parametrize(
    ("of", "schedule"),
    [
        (CRON_JOB, "*/15 0-6/2 1,15 JAN-MAR ?"),
        (CRON_JOB, "@every 1h30m"),
        (RECURRING, "0 5 * * *"),
        (BACKUP, "0 0 3 * * 1"),
        (BACKUP, "@daily"),
        (SOURCE, "TZ=UTC 0 5 * * *"),
        (SOURCE, "@daily"),
        (SOURCE, ""),
        (VELERO, "0 5 * * *"),
        (CRON_JOB, "${UNKNOWN_TIME}"),
        (("example.org/v1", "Schedule"), "every night"),
    ],
)
def test_schedule_that_is_followed_is_no_finding(
    write: Write, of: tuple[str, str], schedule: str
) -> None:
    """Also one with a variable that nothing defines here, and one of another API."""
    assert [] == found(write, scheduled(*of, schedule))


def test_schedule_is_judged_with_its_variables(write: Write) -> None:
    """What clusterenv.yaml puts in counts."""
    manifest = scheduled(*CRON_JOB, "${WHEN}")

    assert ["schedule-refused 5:13"] == found(write, manifest, "WHEN: 1 2 3")
    assert [] == found(write, manifest, "WHEN: 1 2 3 * *")


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (
            VOLSYNC,
            "schedule-unreadable 12:82",
        ),
        (
            "{cnpg: {main: {backups: {enabled: true, scheduledBackups: [{schedule: 0 3 * * *}]}}}}",
            "schedule-by-seconds 12:81",
        ),
        (
            "{workload: {main: {type: CronJob, schedule: never}}}",
            "schedule-refused 12:55",
        ),
    ],
)
def test_schedules_in_values_of_truecharts_are_found(
    write: Write, values: str, wanted: str
) -> None:
    """Where the common library reads them, as long as nothing on the way is switched off."""
    off = values.replace("enabled: true", "enabled: false").replace("CronJob", "Deployment")
    parent = values.replace("c: {", "c: {enabled: false, ", 1)
    parent = parent.replace("main: {", "main: {enabled: false, ")
    texts = (values, off, parent)
    ours = [RELEASE.format(url=TRUECHARTS, chart="plex", values=text) for text in texts]
    others = RELEASE.format(url="https://example.org", chart="plex", values=values)

    assert [wanted] == found(write, ours[0])
    assert [[], [], []] == [found(write, text) for text in (*ours[1:], others)]


@pytest.mark.parametrize(
    ("chart", "values", "wanted"),
    [
        (
            "app-template",
            "{controllers: {a: {type: cronjob, cronjob: {schedule: 1 2 3}}}}",
            ["schedule-refused 12:65"],
        ),
        ("app-template", "{controllers: {a: {cronjob: {schedule: 1 2 3}}}}", []),
        ("velero", "{schedules: {a: {schedule: 1 2 3}}}", ["schedule-unreadable 12:38"]),
        ("velero", "{schedules: {a: {disabled: true, schedule: 1 2 3}}}", []),
    ],
)
def test_schedules_in_values_of_other_charts_are_found(
    write: Write, chart: str, values: str, wanted: list[str]
) -> None:
    """Charts whose values are known; a controller without the type is no CronJob."""
    manifest = RELEASE.format(url="https://example.org", chart=chart, values=values)

    assert wanted == found(write, manifest)


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        ("0 5 0 * * *", "expected exactly 5 fields, found 6: [0 5 0 * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("*2 * * * *", 'failed to parse int from *2: strconv.Atoi: parsing "*2": invalid syntax'),
        ("*/-2 * * * *", "negative number (-2) not allowed: -2"),
        ("@often", "unrecognized descriptor: @often"),
        ("@every x", 'failed to parse duration @every x: time: invalid duration "x"'),
        ("TZ=UTC", "nothing follows TZ=UTC"),
    ],
)
def test_reasons_are_those_of_the_real_parser(schedule: str, reason: str) -> None:
    """The words of robfig/cron 3.0.1, which controllers put into their conditions."""
    with pytest.raises(ScheduleError) as caught:
        parse_schedule(schedule)

    assert reason == str(caught.value)


def test_pattern_of_volsync_is_open_to_the_left() -> None:
    """Whatever stands before five good fields passes; names, `?` and intervals do not."""
    passing = ("0 5 * * *", "0 5 0 * * *", "x 0 5 * * *", "00000", "@hourlyx", "1-5,10 * * * *")
    refused = ("", "0 5 * *", "0 5 * * MON", "? 5 * * ?", "@every 5m", "0 0 1-5,7-9 * *")

    assert [True] * len(passing) == [fits_volsync_pattern(text) for text in passing]
    assert [False] * len(refused) == [fits_volsync_pattern(text) for text in refused]


def test_hostile_schedules_are_judged_at_once(write: Write) -> None:
    """Neither digits nor lists without end make the pattern take its time."""
    for text in ("1" * 100_000 + "x", "1," * 50 + "x", "1 " * 59 + "x"):
        assert [] != found(write, scheduled(*SOURCE, text))
