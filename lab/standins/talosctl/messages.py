"""The methods that talosctl calls, with their messages; numbers from Talos 1.13's `api/*.proto`."""

from __future__ import annotations

from typing import NamedTuple

from lab.standins.talosctl.proto import Schema, schema

__all__ = [
    "EVENT_PAYLOADS",
    "IMAGE_SPECS",
    "MACHINE_CONFIG",
    "METHODS",
    "NODENAME",
    "RESOURCE_DEFINITION",
    "Method",
]

_EMPTY = schema("")
_STATUS = schema("code:1u message:2")
_METADATA = schema("hostname:1 error:2 status:3", status=_STATUS)
_STAMP = schema("seconds:1i nanos:2i")
_DURATION = schema("seconds:1i nanos:2i")
_DATA = schema("metadata:1 bytes:2!", metadata=_METADATA)
_CONTAINERD = schema("driver:1u namespace:2u")


class Method(NamedTuple):
    """One gRPC method: where it lives, what it takes and answers."""

    path: str
    request: Schema
    reply: Schema


def _wrapped(line: str = "", **nested: Schema) -> Schema:
    """The reply of a one-to-many method: `messages`, each with its `metadata`."""
    inner = schema(f"metadata:1 {line}", metadata=_METADATA, **nested)
    return schema("messages:1*", messages=inner)


_VERSION = _wrapped(
    "version:2 platform:3 features:4",
    version=schema("tag:1 sha:2 built:3 go_version:4 os:5 arch:6"),
    platform=schema("name:1 mode:2"),
    features=schema("rbac:1?"),
)
_SERVICES = _wrapped(
    "services:2*",
    services=schema(
        "id:1 state:2 events:3 health:4",
        events=schema("events:1*", events=schema("msg:1 state:2 ts:3", ts=_STAMP)),
        health=schema("unknown:1? healthy:2? last_message:3 last_change:4", last_change=_STAMP),
    ),
)
_MEMBERS = _wrapped(
    "members:3*", members=schema("id:2u hostname:3 peer_urls:4* client_urls:5* is_learner:6?")
)
_ETCD_STATUS = _wrapped(
    "member_status:2",
    member_status=schema(
        "protocol_version:1 db_size:2i db_size_in_use:3i leader:4u raft_index:5u raft_term:6u "
        "raft_applied_index:7u errors:8* is_learner:9? member_id:10u storage_version:11"
    ),
)
_ALARMS = _wrapped("member_alarms:2*", member_alarms=schema("member_id:1u alarm:2u"))
_ACTOR = _wrapped("actor_id:2")
_RESOURCE = schema(
    "metadata:1 spec:2",
    metadata=schema(
        "namespace:1 type:2 id:3 version:4 owner:5 phase:6 created:7 updated:8 finalizers:9* "
        "labels:10* annotations:11*",
        created=_STAMP,
        updated=_STAMP,
        labels=schema("key:1 value:2"),
        annotations=schema("key:1 value:2"),
    ),
    spec=schema("proto_spec:1! yaml_spec:2"),
)
_EVENT = schema(
    "metadata:1 data:2 id:3 actor_id:4", metadata=_METADATA, data=schema("type_url:1 value:2!")
)
_MACHINE = "/machine.MachineService/"
_STATE = "/cosi.resource.State/"
_RESOURCE_KEY = "namespace:1 type:2 id:3"

RESOURCE_DEFINITION = schema(
    "resource_type:1 display_type:2 default_namespace:3 aliases:4* all_aliases:5* "
    "print_columns:6* sensitivity:7u",
    print_columns=schema("name:1 json_path:2"),
)

NODENAME = schema("nodename:1")
MACHINE_CONFIG = schema("yaml:1!")
# Where the typed specs that upgrade-k8s reads carry the image.
IMAGE_SPECS = {
    "APIServerConfigs": schema("image:1"),
    "ControllerManagerConfigs": schema("image:2"),
    "SchedulerConfigs": schema("image:2"),
    "KubeletSpecs": schema("image:1"),
}

EVENT_PAYLOADS = {
    "machine.SequenceEvent": schema(
        "sequence:1 action:2u error:3", error=schema("code:1u message:2")
    ),
    "machine.PhaseEvent": schema("phase:1 action:2u"),
    "machine.TaskEvent": schema("task:1 action:2u"),
    "machine.ServiceStateEvent": schema(
        "service:1 action:2u message:3 health:4", health=schema("unknown:1? healthy:2?")
    ),
    "machine.MachineStatusEvent": schema(
        "stage:1u status:2",
        status=schema("ready:1? unmet_conditions:2*", unmet_conditions=schema("name:1 reason:2")),
    ),
}

METHODS = {
    "Version": Method(f"{_MACHINE}Version", _EMPTY, _VERSION),
    "ApplyConfiguration": Method(
        f"{_MACHINE}ApplyConfiguration",
        schema(
            "data:1! mode:4u dry_run:5? try_mode_timeout:6",
            try_mode_timeout=_DURATION,
        ),
        _wrapped("warnings:2* mode:3u mode_details:4"),
    ),
    "Bootstrap": Method(
        f"{_MACHINE}Bootstrap", schema("recover_etcd:1? recover_skip_hash_check:2?"), _wrapped()
    ),
    "EtcdRecover": Method(f"{_MACHINE}EtcdRecover", _DATA, _wrapped()),
    "EtcdSnapshot": Method(f"{_MACHINE}EtcdSnapshot", _EMPTY, _DATA),
    "EtcdMemberList": Method(f"{_MACHINE}EtcdMemberList", schema("query_local:1?"), _MEMBERS),
    "EtcdStatus": Method(f"{_MACHINE}EtcdStatus", _EMPTY, _ETCD_STATUS),
    "EtcdRemoveMemberByID": Method(
        f"{_MACHINE}EtcdRemoveMemberByID", schema("member_id:1u"), _wrapped()
    ),
    "EtcdLeaveCluster": Method(f"{_MACHINE}EtcdLeaveCluster", _EMPTY, _wrapped()),
    "EtcdForfeitLeadership": Method(
        f"{_MACHINE}EtcdForfeitLeadership", _EMPTY, _wrapped("member:2")
    ),
    "EtcdDefragment": Method(f"{_MACHINE}EtcdDefragment", _EMPTY, _wrapped()),
    "EtcdAlarmList": Method(f"{_MACHINE}EtcdAlarmList", _EMPTY, _ALARMS),
    "EtcdAlarmDisarm": Method(f"{_MACHINE}EtcdAlarmDisarm", _EMPTY, _ALARMS),
    "ServiceList": Method(f"{_MACHINE}ServiceList", _EMPTY, _SERVICES),
    "ServiceStart": Method(f"{_MACHINE}ServiceStart", schema("id:1"), _wrapped("resp:2")),
    "ServiceStop": Method(f"{_MACHINE}ServiceStop", schema("id:1"), _wrapped("resp:2")),
    "ServiceRestart": Method(f"{_MACHINE}ServiceRestart", schema("id:1"), _wrapped("resp:2")),
    "Kubeconfig": Method(f"{_MACHINE}Kubeconfig", _EMPTY, _DATA),
    "FolderList": Method(
        f"{_MACHINE}List",
        schema("root:1 recurse:2? recursion_depth:3i"),
        schema("metadata:1 name:2 error:7 relative_name:9", metadata=_METADATA),
    ),
    "Read": Method(f"{_MACHINE}Read", schema("path:1"), _DATA),
    "Copy": Method(f"{_MACHINE}Copy", schema("root_path:1"), _DATA),
    "Dmesg": Method(f"{_MACHINE}Dmesg", schema("follow:1? tail:2?"), _DATA),
    "Events": Method(
        f"{_MACHINE}Events",
        schema("tail_events:1i tail_id:2 tail_seconds:3i with_actor_id:4"),
        _EVENT,
    ),
    "Reboot": Method(f"{_MACHINE}Reboot", schema("mode:1u"), _ACTOR),
    "Shutdown": Method(f"{_MACHINE}Shutdown", schema("force:1?"), _ACTOR),
    "Upgrade": Method(
        f"{_MACHINE}Upgrade",
        schema("image:1 preserve:2? stage:3? force:4? reboot_mode:5u"),
        _wrapped("ack:2 actor_id:3"),
    ),
    "MetaWrite": Method(f"{_MACHINE}MetaWrite", schema("key:1u value:2!"), _wrapped()),
    "MetaDelete": Method(f"{_MACHINE}MetaDelete", schema("key:1u"), _wrapped()),
    "Rollback": Method(f"{_MACHINE}Rollback", _EMPTY, _wrapped()),
    "Reset": Method(
        f"{_MACHINE}Reset",
        schema(
            "graceful:1? reboot:2? system_partitions_to_wipe:3* user_disks_to_wipe:4* mode:5u",
            system_partitions_to_wipe=schema("label:1 wipe:2?"),
        ),
        _ACTOR,
    ),
    "HealthCheck": Method(
        "/cluster.ClusterService/HealthCheck",
        schema(
            "wait_timeout:1 cluster_info:2",
            wait_timeout=_DURATION,
            cluster_info=schema("control_plane_nodes:1* worker_nodes:2* force_endpoint:3"),
        ),
        schema("metadata:1 message:2", metadata=_METADATA),
    ),
    "Disks": Method("/storage.StorageService/Disks", _EMPTY, _wrapped()),
    "ImagePull": Method(
        "/machine.ImageService/Pull",
        schema("containerd:1 image_ref:3", containerd=_CONTAINERD),
        schema("name:1"),
    ),
    "ImagePullLegacy": Method(
        f"{_MACHINE}ImagePull", schema("namespace:1u reference:2"), _wrapped()
    ),
    "LifecycleUpgrade": Method(
        "/machine.LifecycleService/Upgrade",
        schema("containerd:1 source:2", containerd=_CONTAINERD, source=schema("image_name:1")),
        schema("progress:1", progress=schema("message:1 exit_code:2i")),
    ),
    "Get": Method(f"{_STATE}Get", schema(_RESOURCE_KEY), schema("resource:1", resource=_RESOURCE)),
    "List": Method(
        f"{_STATE}List", schema("namespace:1 type:2"), schema("resource:1", resource=_RESOURCE)
    ),
    "Watch": Method(
        f"{_STATE}Watch",
        schema(
            f"{_RESOURCE_KEY} options:4 api_version:5u",
            options=schema("bootstrap_contents:1? tail_events:2i"),
        ),
        schema("event:1*", event=schema("resource:1 event_type:2u error:4", resource=_RESOURCE)),
    ),
}
