"""Help texts that several tasks share; each begins with a noun."""

from __future__ import annotations

__all__ = ["ALLOW_HELP", "CLUSTER_HELP", "FAULT_HELP", "OUTPUT_HELP"]

CLUSTER_HELP = {
    "repo": "Path of the cluster repository (the lab's sample with --lab)",
    "cluster": "Name of the cluster, needed when the repository holds several",
    "lab": "Rehearsal in the embedded lab instead of real machines",
    "age-key": "File of the age key that decrypts the repository",
    "charts": "Folder of a chart cache, <name>-<version>.tgz; may be repeated",
    "speed": "Factor by which the lab's time runs faster than the wall's",
}
ALLOW_HELP = {
    "accept": "Name of a component that may stay broken; may be repeated",
    "consent-disk": "Name of a node whose disk may be wiped although it holds data; repeatable",
}
FAULT_HELP = {
    "fault": "Fault of the lab, NAME[:TARGET][@STEP|@SECONDS][+SECONDS]; may be repeated",
    "faults": "File of several faults of the lab, in YAML; may be repeated",
    "fault-seed": "Number that makes a random schedule of passing faults, always the same one",
}
OUTPUT_HELP = {"json": "Output of one JSON document on stdout, for machines"}
