"""Findings about addresses of load balancers."""

from __future__ import annotations

from inventory.rules._rule import ERROR, INFO, WARNING, rule

ADDRESSES = (
    rule(
        "address-given-twice",
        WARNING,
        "Two services ask for the same load-balancer address; only one of them gets it.",
        "give each service its own address, or share it: the same metallb.io/allow-shared-ip or"
        " lbipam.cilium.io/sharing-key at both (Cilium across namespaces: sharing-cross-namespace)",
    ),
    rule(
        "address-outside-pool",
        WARNING,
        "A service asks for a load-balancer address that lies in no pool of those who hand out"
        " addresses, or in none that is for it: MetalLB's IPAddressPools or METALLB_RANGE, Cilium's"
        " CiliumLoadBalancerIPPools. It never gets one.",
        "choose an address of a pool, or widen the pool",
    ),
    rule(
        "address-not-reserved",
        WARNING,
        "A service asks for no address where others ask for addresses of the same pool. Whoever"
        " comes first is served first: when everything starts at once, after a rebuild most of all,"
        " it may get the address that another service asks for, which then gets none.",
        "give it an address of its own, or keep those that are asked for in a pool of MetalLB with"
        " autoAssign: false",
    ),
    rule(
        "address-not-assigned",
        ERROR,
        "A service of type LoadBalancer asks for no address, and all pools of MetalLB are for those"
        " that ask (autoAssign: false), as in ClusterTool's template. It stays pending for ever,"
        " and so does the Kustomization that waits for it. A warning where a chart makes the"
        " service, which may ask in ways that are not seen here.",
        "give it an address by metallb.io/loadBalancerIPs, or leave autoAssign of a pool on",
    ),
    rule(
        "address-ignored",
        WARNING,
        "A service asks for its address in an annotation that nobody here reads: MetalLB's where"
        " Cilium hands out addresses, or the other way round. It gets another one.",
        "use metallb.io/loadBalancerIPs for MetalLB, lbipam.cilium.io/ips for Cilium",
    ),
    rule(
        "address-not-announced",
        WARNING,
        "Cilium gives services addresses, but nothing tells the network where they are: no"
        " CiliumL2AnnouncementPolicy with loadBalancerIPs: true and no BGP, or a policy while the"
        " values of Cilium leave l2announcements off. Nobody outside the cluster reaches them.",
        "set l2announcements.enabled: true in Cilium's values and loadBalancerIPs: true in a"
        " CiliumL2AnnouncementPolicy, or announce them by BGP",
    ),
    rule(
        "address-differs",
        WARNING,
        "A service names one address in loadBalancerIP and another in its annotation.",
        "make them the same",
    ),
    rule(
        "address-one-sided",
        INFO,
        "The values of a chart ask for a load-balancer address in loadBalancerIP or in an"
        " annotation, not in both. Kubernetes deprecates the field, and which of them counts"
        " depends on the chart and on who hands out addresses: a change of those leaves the service"
        " with another one.",
        "TrueCharts: set both to the same address; a Service as it is: set the annotation alone",
    ),
    rule(
        "address-refused",
        WARNING,
        "A Service names its address in loadBalancerIP and in MetalLB's annotation. MetalLB since"
        " 0.13 refuses that even where both are the same, and gives it none.",
        "remove loadBalancerIP",
    ),
)
