"""The kinds that a new cluster serves, as one table."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.kubernetes.values import Object

__all__ = ["BUILTIN", "Kind", "PrinterColumn"]


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """One column of `kubectl get`: `path` is a JSONPath such as `.status.phase`."""

    name: str
    type: str
    path: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource: what it is called, where it lives and which subresources it has."""

    group: str
    versions: tuple[str, ...]  # served, the preferred one first
    kind: str
    plural: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    categories: tuple[str, ...] = ()
    crd: str = ""  # name of the CustomResourceDefinition; "" for built-in kinds
    columns: tuple[PrinterColumn, ...] = ()
    schema: Object = field(default_factory=dict)  # of the preferred version, CRDs only

    @property
    def resource(self) -> str:
        """`deployments.apps`; `pods` in the core group. The key everywhere in this package."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def api_version(self, version: str = "") -> str:
        """`apps/v1`; the preferred version unless another is named."""
        chosen = version or self.versions[0]
        return f"{self.group}/{chosen}" if self.group else chosen

    @property
    def singular(self) -> str:
        """The kind in lower case."""
        return self.kind.lower()

    @property
    def has_status(self) -> bool:
        """Whether status is written through its own subresource."""
        return "status" in self.subresources


# group/version: Kind plural [-cluster] [short names after =] [subresources after +]
_TABLE = """
v1            Namespace namespaces -cluster =ns +status +finalize
v1            Node nodes -cluster =no +status
v1            Pod pods =po !all +status +eviction +log
v1            Service services =svc !all +status
v1            ConfigMap configmaps =cm
v1            Secret secrets
v1            ServiceAccount serviceaccounts =sa +token
v1            Endpoints endpoints =ep
v1            Event events =ev
v1            PersistentVolume persistentvolumes -cluster =pv +status
v1            PersistentVolumeClaim persistentvolumeclaims =pvc +status
v1            LimitRange limitranges =limits
v1            ResourceQuota resourcequotas =quota +status
v1            PodTemplate podtemplates
v1            ReplicationController replicationcontrollers =rc !all +status +scale
apps/v1       Deployment deployments =deploy !all +status +scale
apps/v1       ReplicaSet replicasets =rs !all +status +scale
apps/v1       StatefulSet statefulsets =sts !all +status +scale
apps/v1       DaemonSet daemonsets =ds !all +status
apps/v1       ControllerRevision controllerrevisions
batch/v1      Job jobs !all +status
batch/v1      CronJob cronjobs =cj !all +status
autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers =hpa !all +status
policy/v1     PodDisruptionBudget poddisruptionbudgets =pdb +status
rbac.authorization.k8s.io/v1 Role roles
rbac.authorization.k8s.io/v1 RoleBinding rolebindings
rbac.authorization.k8s.io/v1 ClusterRole clusterroles -cluster
rbac.authorization.k8s.io/v1 ClusterRoleBinding clusterrolebindings -cluster
storage.k8s.io/v1 StorageClass storageclasses -cluster =sc
storage.k8s.io/v1 CSIDriver csidrivers -cluster
storage.k8s.io/v1 CSINode csinodes -cluster
storage.k8s.io/v1 VolumeAttachment volumeattachments -cluster +status
storage.k8s.io/v1 CSIStorageCapacity csistoragecapacities
networking.k8s.io/v1 Ingress ingresses =ing +status
networking.k8s.io/v1 IngressClass ingressclasses -cluster
networking.k8s.io/v1 NetworkPolicy networkpolicies =netpol
coordination.k8s.io/v1 Lease leases
discovery.k8s.io/v1 EndpointSlice endpointslices
events.k8s.io/v1 Event events =ev
certificates.k8s.io/v1 CertificateSigningRequest certificatesigningrequests -cluster =csr +status +approval
admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration validatingwebhookconfigurations -cluster
admissionregistration.k8s.io/v1 MutatingWebhookConfiguration mutatingwebhookconfigurations -cluster
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy validatingadmissionpolicies -cluster +status
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding validatingadmissionpolicybindings -cluster
apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions -cluster =crd,crds +status
apiregistration.k8s.io/v1 APIService apiservices -cluster +status
scheduling.k8s.io/v1 PriorityClass priorityclasses -cluster =pc
node.k8s.io/v1 RuntimeClass runtimeclasses -cluster
flowcontrol.apiserver.k8s.io/v1 FlowSchema flowschemas -cluster +status
flowcontrol.apiserver.k8s.io/v1 PriorityLevelConfiguration prioritylevelconfigurations -cluster +status
authorization.k8s.io/v1 SelfSubjectAccessReview selfsubjectaccessreviews -cluster
authorization.k8s.io/v1 SubjectAccessReview subjectaccessreviews -cluster
authentication.k8s.io/v1 TokenReview tokenreviews -cluster
authentication.k8s.io/v1 SelfSubjectReview selfsubjectreviews -cluster
"""  # noqa: E501  one kind a line reads best


def _read_line(line: str) -> Kind:
    api_version, kind, plural, *marks = line.split()
    group, _, version = api_version.rpartition("/")
    short = [mark[1:].split(",") for mark in marks if mark.startswith("=")]
    return Kind(
        group=group,
        versions=(version,),
        kind=kind,
        plural=plural,
        namespaced="-cluster" not in marks,
        short=tuple(short[0]) if short else (),
        subresources=frozenset(mark[1:] for mark in marks if mark.startswith("+")),
        categories=tuple(mark[1:] for mark in marks if mark.startswith("!")),
    )


BUILTIN: tuple[Kind, ...] = tuple(_read_line(line) for line in _TABLE.strip().splitlines())
