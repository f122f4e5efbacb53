"""Findings about values of well-known charts."""

from __future__ import annotations

from inventory.rules._rule import ERROR, WARNING, rule

VALUES = (
    rule(
        "crds-not-installed",
        ERROR,
        "A release switches off the CRDs of its chart, or never switches them on, and nothing else"
        " live brings them. On an empty cluster its custom resources are refused; on a running one"
        " the CRDs are never updated.",
        "set crds.enabled: true (cert-manager before 1.15: installCRDs: true), or bring the CRDs"
        " another way",
    ),
    rule(
        "crds-switched-twice",
        ERROR,
        "cert-manager 1.15 to 1.18 refuse installCRDs beside crds.enabled or crds.keep: false, so"
        " the release is never installed or upgraded.",
        "keep crds.enabled and crds.keep, and drop installCRDs",
    ),
    rule(
        "more-replicas-than-nodes",
        WARNING,
        "A chart puts more replicas on nodes of their own than the cluster has nodes. The last"
        " ones stay pending, volumes stay degraded, and upgrades that wait for health stop. It is"
        " an error where something certainly waits for every pod: a release under Flux 2.8 or"
        " later, whose health checks leave none out (unless `waitStrategy: legacy` or"
        " disableWait), or a Kustomization with wait.",
        "lower the number to that of the nodes",
    ),
    rule(
        "drain-blocked",
        WARNING,
        "Longhorn keeps one copy of each volume, and its default policy forbids to drain a node"
        " with a last copy. Upgrades that drain hang on every node with a volume.",
        "keep more copies, or set defaultSettings.nodeDrainPolicy: allow-if-replica-is-stopped",
    ),
    rule(
        "cni-needs-others",
        WARNING,
        "The values of the CNI ask for custom resources whose CRD or controller only comes when"
        " pods have a network. Its first installation fails on an empty cluster.",
        "this tool applies such CRDs before the CNI; for other ways, install the CNI without them"
        " first",
    ),
    rule(
        "backup-schedule-ignored",
        WARNING,
        "A VolSync source has a manual trigger beside its schedule, mostly left over from one"
        " backup by hand. The schedule does not count then: no backup is made any more, and"
        " nothing says so.",
        "remove trigger.manual",
    ),
    rule(
        "schedule-refused",
        ERROR,
        "A schedule is refused when the object is applied: that of a CronJob by the API server, of"
        " VolSync by the pattern of its CRDs, of Longhorn's RecurringJob or CloudNativePG's"
        " ScheduledBackup by their webhooks. What is applied together with it fails, too. Five"
        " fields are minute, hour, day, month and day of the week from 0 to 6;"
        " CloudNativePG has seconds before them.",
        "correct the schedule; a CronJob's time zone belongs in timeZone",
    ),
    rule(
        "schedule-unreadable",
        WARNING,
        "A schedule passes the API server, but its controller cannot read it. VolSync makes one"
        " backup, or restores once, then goes on for ever with an error in its Synchronizing"
        " condition and never follows the schedule; Velero makes no backup at all. Six fields, as"
        " CloudNativePG has them, are the usual reason: the pattern of VolSync's CRDs lets them"
        " pass.",
        "write five fields: minute, hour, day, month, day of the week",
    ),
    rule(
        "schedule-by-seconds",
        WARNING,
        "A schedule of CloudNativePG has five fields. It reads the first as seconds, the second as"
        " minutes and the third as hours, so that a backup meant for every night is made every"
        " hour, and fills what keeps the backups.",
        "put a field for seconds before the others, mostly 0",
    ),
    rule(
        "operator-shut-out",
        WARNING,
        "A NetworkPolicy shuts a namespace with CloudNativePG databases, and none in it lets their"
        " operator in. The databases never become healthy, and every release that waits for one"
        " hangs.",
        "let the operator's namespace in with a namespaceSelector",
    ),
    rule(
        "storage-images-rewritten",
        WARNING,
        "A Kyverno policy rewrites the images of all pods, Longhorn's own among them. Longhorn"
        " keeps track of its engines by their images, and an upgrade does not come to its end.",
        "exclude Longhorn's namespace in the rule",
    ),
)
