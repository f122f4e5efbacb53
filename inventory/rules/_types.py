"""Findings about values that YAML makes other types or texts of than their authors meant."""

from __future__ import annotations

from inventory.rules._rule import ERROR, WARNING, rule

TYPES = (
    rule(
        "wrong-type",
        ERROR,
        "A value has a type that the API server refuses: a number or boolean where a text belongs,"
        " or a text where true, false or a number belongs (`yes` is a text). Flux asks the server"
        " about every object before it applies any, so the whole Kustomization fails. Flux"
        ' substitutes in YAML text and drops quotes on the way, so `"${PORT}"` becomes a number'
        " where PORT is one; a Secret that SOPS encrypted with a bare number decrypts to a number.",
        "quote a text that looks like a number or boolean (of a variable: quote it in the"
        " variable's own value, '\"8080\"'); write booleans as true or false",
    ),
    rule(
        "unknown-field",
        ERROR,
        "An object has a field that its kind does not have: mistyped, or indented by too little or"
        " too much. The API server refuses it (field not declared in schema), and Flux asks the"
        " server about every object before it applies any, so the whole Kustomization fails.",
        "correct the spelling or the indentation",
    ),
    rule(
        "malformed-quantity",
        ERROR,
        "An amount of memory, processors or storage is not written as Kubernetes reads it: a blank"
        " before the unit, or a unit that it does not have, such as GB or gi. The object is"
        " refused, or the chart that makes it.",
        "write a number and Ki, Mi, Gi, Ti, k, M, G, T or m behind it",
    ),
    rule(
        "key-not-text",
        ERROR,
        "A mapping has an unquoted key that is a number, a boolean, null or a date to YAML."
        " Kustomize cannot write it as JSON, so the build fails.",
        "quote the key",
    ),
    rule(
        "rewritten-value",
        WARNING,
        "An unquoted value comes out as another one: `1.10` as `1.1`, `0123` as `83`, a date with"
        " the time of midnight; in a kustomization.yaml that Flux reads, `yes` as `true`. Nothing"
        " says so: another image tag is pulled, another code is set.",
        "quote the value",
    ),
    rule(
        "switch-is-text",
        WARNING,
        "A switch in the values of a release holds a text such as `no` or `off`. Kustomize keeps"
        " it as a text, and to a chart every text that is not empty is true: what was to be off"
        " is on.",
        "write false",
    ),
)
