"""Findings about machines, secrets and upgrades."""

from __future__ import annotations

from inventory.rules._rule import ERROR, INFO, WARNING, rule

TALOS = (
    rule(
        "no-nodes",
        ERROR,
        "talconfig.yaml declares no control plane.",
        "declare the machines under nodes",
    ),
    rule(
        "undefined-talos-variable",
        ERROR,
        "talconfig.yaml uses a name that neither clusterenv.yaml defines nor ClusterTool derives.",
        "define it in clusterenv.yaml",
    ),
    rule(
        "clusterenv-refused",
        WARNING,
        "ClusterTool 4 refuses clusterenv.yaml: a name that it wants is absent or empty, a number "
        "is not quoted, HEADLAMP_IP lies outside METALLB_RANGE, or an address or the range lies in "
        "PODNET or SVCNET. It then generates no machine config, so a bootstrap ends in preflight. "
        "Older versions ask for less: HEADLAMP_IP was DASHBOARD_IP.",
        "add or correct the value; HEADLAMP_IP is a free address of METALLB_RANGE",
    ),
    rule(
        "duplicate-node",
        ERROR,
        "Two nodes have the same host name or address.",
        "give each machine its own",
    ),
    rule(
        "vip-is-node",
        ERROR,
        "The shared address of the control planes is also a node's own address.",
        "choose a free address for the VIP",
    ),
    rule(
        "vip-in-pool",
        ERROR,
        "The control planes' shared address lies in a pool of load-balancer addresses"
        " (METALLB_RANGE, an IPAddressPool, a CiliumLoadBalancerIPPool), so a service may get it.",
        "choose a VIP outside the pool, or shrink the pool",
    ),
    rule(
        "node-in-pool",
        ERROR,
        "A node's address or the gateway lies in a pool of load-balancer addresses"
        " (METALLB_RANGE, an IPAddressPool, a CiliumLoadBalancerIPPool), so a service may get it.",
        "shrink the pool",
    ),
    rule(
        "networks-overlap",
        ERROR,
        "Pod network, service network and node addresses overlap, so packets go astray.",
        "choose networks that do not overlap",
    ),
    rule(
        "even-control-planes",
        WARNING,
        "An even number of control planes tolerates no more failures than one fewer.",
        "use one, three or five control planes",
    ),
    rule(
        "no-install-disk",
        ERROR,
        "A node has neither installDisk nor installDiskSelector, so every disk of the machine fits,"
        " also one that holds data.",
        "name the disk, best by serial, wwid or busPath",
    ),
    rule(
        "disk-by-size-only",
        WARNING,
        "The install disk is chosen by its size alone. When a disk is added or fails, another one"
        " may match, and Talos then overwrites it.",
        "select the disk by serial, wwid, model or busPath",
    ),
    rule(
        "kubeprism-not-listening",
        ERROR,
        "The CNI asks for the Kubernetes API at the loopback address, where KubePrism answers on"
        " every node, but the machine config switches it off or lets it listen on another port."
        " The CNI never starts, and no pod gets a network.",
        "enable machine.features.kubePrism on the port that the CNI asks",
    ),
    rule(
        "talos-api-not-allowed",
        ERROR,
        "A ServiceAccount of talos.dev asks for access to the Talos API that no machine config"
        " patch allows. Without kubernetesTalosAPIAccess its CRD does not exist, and its"
        " Kustomization fails; with other namespaces or roles its Secret is never made, and its"
        " pods never start.",
        "allow its namespace and roles in machine.features.kubernetesTalosAPIAccess of the control"
        " planes",
    ),
    rule(
        "no-csr-approver",
        WARNING,
        "The kubelets ask for serving certificates (rotate-server-certificates), but nothing live"
        " approves their requests. Once those of the bootstrap run out, kubectl logs, exec and"
        " metrics fail.",
        "deploy kubelet-csr-approver, or another approver, or drop rotate-server-certificates",
    ),
    rule(
        "nodes-not-initialized",
        ERROR,
        "The kubelets run with cloud-provider: external, so their nodes carry the taint"
        " node.cloudprovider.kubernetes.io/uninitialized until a cloud controller manager takes it"
        " away. None comes before Flux, and Flux's own pods do not tolerate the taint: they are"
        " never placed. A warning where something in Git tolerates it.",
        "name its manifest in cluster.externalCloudProvider.manifests of the control planes, or"
        " drop cloud-provider: external",
    ),
    rule(
        "user-namespaces-off",
        WARNING,
        "A pod sets hostUsers: false, as newer charts of TrueCharts do by themselves from"
        " Kubernetes 1.33, but Talos allows no user namespaces unless a patch sets the sysctl"
        " user.max_user_namespaces. Its containers do not start: no space left on device.",
        "set user.max_user_namespaces in machine.sysctls, or hostUsers: true (TrueCharts:"
        " podOptions.hostUsers)",
    ),
    rule(
        "vip-as-talos-endpoint",
        WARNING,
        "The Talos API is asked through the shared address of the control planes. It exists only"
        " while etcd works, and moves in the middle of an upgrade, which then hangs.",
        "name the control planes' own addresses as endpoints",
    ),
    rule(
        "generated-patches",
        INFO,
        "talconfig.yaml names patches that Git does not hold: ClusterTool generates them, and a"
        " plain talhelper run on a fresh clone fails.",
        "generate them with ClusterTool, or keep them in Git",
    ),
)

SECRETS = (
    rule(
        "plaintext-secret",
        ERROR,
        ".sops.yaml says that this file must be encrypted, but it is plain text.",
        "encrypt it with sops before it is committed; treat its values as known",
    ),
    rule(
        "uncovered-secret",
        WARNING,
        "A Secret lies in Git in clear text and no rule of .sops.yaml covers its file, so nothing"
        " ever asks for its encryption.",
        "name the file *.secret.yaml or add a creation rule, then encrypt it",
    ),
    rule(
        "foreign-recipient",
        WARNING,
        "The file is encrypted for other recipients than .sops.yaml names: a key was changed"
        " without updating the file, so the holder of the new key cannot read it.",
        "run sops updatekeys on the file",
    ),
    rule(
        "unknown-recipient",
        WARNING,
        "The file is also encrypted for a recipient that its rule in .sops.yaml does not name:"
        " whoever holds that key, perhaps a lost one, still reads it.",
        "run sops updatekeys on the file, or name the recipient in .sops.yaml",
    ),
    rule(
        "encrypted-without-rule",
        WARNING,
        "The file is encrypted, but no rule of .sops.yaml covers it. Whoever edits it by hand or"
        " changes keys has nothing that says for whom to encrypt it.",
        "add a creation rule that covers it",
    ),
    rule(
        "key-does-not-fit",
        ERROR,
        "The age key that was given is none of the file's recipients, so a bootstrap with this key"
        " stops here.",
        "give the key of a recipient, or run sops updatekeys where the old key is",
    ),
    rule(
        "file-does-not-decrypt",
        ERROR,
        "SOPS refuses the file although it has a stanza: it was changed by hand or damaged.",
        "take the file's last good version from Git and change it with sops edit",
    ),
    rule(
        "decryption-missing",
        ERROR,
        "A Kustomization applies an object that SOPS encrypted and has no spec.decryption. A Secret"
        " with stringData reaches the cluster with its ciphertext, and Flux calls that ready: what"
        " reads it fails later, with a wrong password. One with data is refused.",
        "set spec.decryption (provider: sops, secretRef: {name: sops-age}) in that Kustomization,"
        " or in the entry's patches for all of them",
    ),
    rule(
        "sops-key-in-tree",
        WARNING,
        "The repository holds the Secret with its own age key, encrypted with that key. A first"
        " install needs the key from outside all the same.",
        "keep the age key outside Git, in two places",
    ),
)

UPGRADES = (
    rule(
        "two-upgraders",
        ERROR,
        "system-upgrade-controller plans and tuppr upgrade objects are live together; they upgrade"
        " the same nodes behind each other's back.",
        "keep one of the two",
    ),
    rule(
        "drain-without-retry",
        WARNING,
        "With policy.waitForVolumeDetach tuppr drains a node itself and keeps talosctl from it."
        " talosctl tries evictions again until its timeout; tuppr gives up at the first one that a"
        " PodDisruptionBudget refuses, as Longhorn's and CloudNativePG's do while volumes are in"
        " use, and begins anew for ever.",
        "remove waitForVolumeDetach and let Talos drain, or make sure that nothing refuses",
    ),
    rule(
        "upgrade-without-health-checks",
        WARNING,
        "A TalosUpgrade has no healthChecks, and the cluster holds replicated storage or databases."
        " A node counts as done when it is Ready again; their replicas are not there yet, and the"
        " next node takes the last good ones with it.",
        "add healthChecks, for Longhorn volumes: status.robustness == 'healthy' ||"
        " status.state != 'attached'",
    ),
    rule(
        "plan-fits-no-node",
        WARNING,
        "A plan of system-upgrade-controller selects nodes by a label of Node Feature Discovery,"
        " but nothing live runs that. The plan fits no node and never says so.",
        "deploy node-feature-discovery, or select by another label",
    ),
    rule(
        "unsupported-versions",
        ERROR,
        "talconfig.yaml pairs a Talos version with a Kubernetes version that it does not support.",
        "choose a Kubernetes version that the Talos version supports",
    ),
    rule(
        "version-drift",
        WARNING,
        "The repository states different versions of the same thing in different places.",
        "make them the same; an upgrade controller goes to the version it is told",
    ),
    rule(
        "unsupported-hop",
        ERROR,
        "An upgrade plan or setting leads from the version in talconfig.yaml over more than one"
        " minor version, or to a pair of Talos and Kubernetes that is not supported. Neither Talos"
        " nor Kubernetes upgrades like that.",
        "go through every minor version in between, Talos first, each to its last patch",
    ),
    rule(
        "tool-skew",
        WARNING,
        "A tool pin does not fit the cluster: talosctl should be of the cluster's Talos minor"
        " version, kubectl within one of its Kubernetes, flux of its Flux.",
        "pin the tool to the cluster's version",
    ),
    rule(
        "image-skew",
        INFO,
        "A kubectl image is more than one minor version away from the cluster's Kubernetes.",
        "use an image of the cluster's minor version",
    ),
)
