"""Write the generated parts of the documentation, from the configuration model and changes.csv: `make docs`.

A generated part is between `<!-- generated: NAME -->` and `<!-- end of NAME -->`.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from stacks.config import ClusterConfig, VpcCni
from stacks.config.fields import Option, options_of, terraform_type
from stacks.config.network import PRIVATE_SUBNET_BITS, VPC_PREFIXES
from stacks.config.node_group import NodeGroup
from stacks.config.recommended import RECOMMENDED
from stacks.knowledge.catalogue import general_instance_types, gpu_instance_types
from stacks.knowledge.efa import EfaInterface
from stacks.knowledge.ip_addresses import addresses_of_node, addresses_of_subnet
from stacks.knowledge.node_group_room import Room, components, requested, room
from stacks.knowledge.upgrade_path import AFTER_THE_CLUSTER, THE_HCL, upgrade_path
from stacks.knowledge.versions import (
    KARPENTER,
    KARPENTER_PERMISSIONS,
    KARPENTER_RELEASES,
    KARPENTER_WITH,
    KARPENTER_WITH_NETWORK_INTERFACES,
    KUBERNETES,
    LOAD_BALANCER_CONTROLLER,
    LOAD_BALANCER_CONTROLLER_RELEASES,
    karpenter_releases,
    load_balancer_controller_chart,
)

PROJECT = Path(__file__).resolve().parents[1]
REQUIRED = "required"
GOLDEN = PROJECT / "tests" / "golden" / "cdk.tf.json"


class Measured(NamedTuple):
    """A row of changes.csv: what a plan showed when one option was changed on a living cluster, and the class of that change."""

    option: str
    changed_to: str
    plan: str
    change: str


def measured() -> list[Measured]:
    """The rows of changes.csv."""
    with (PROJECT / "docs" / "changes.csv").open(newline="") as file:
        return [Measured(*row) for row in csv.reader(file)][1:]


def classes(kind: type = ClusterConfig) -> list[type]:
    """The dataclasses in the fields of a class, at any depth, each once."""
    found: dict[type, None] = {}
    for field in options_of(kind):
        for part in _dataclasses(field.hint):
            found |= dict.fromkeys([part, *classes(part)])
    return list(found)


def variables() -> str:
    """The fields of ClusterConfig that are defaults of Terraform variables."""
    rows = [
        (
            _code(f.name),
            _code(terraform_type(f.hint)),
            REQUIRED if f.variable.required else _code(hcl(f.default)),
            f.text,
            f.change,
            _plan(f.name),
        )
        for f in options_of(ClusterConfig)
        if f.variable
    ]
    return _table(("variable and field", *HEADER, PLAN), rows)


def cluster() -> str:
    """The other fields of ClusterConfig."""
    listed = [f for f in options_of(ClusterConfig) if not f.variable]
    return _table(("field", *HEADER, PLAN), [(*_row(f), _plan(f.name)) for f in listed])


def recommended() -> str:
    """The values of `recommended`, beside the default ones."""
    rows = [
        (_code(f.name), _code(_python(f.default)), _code(_python(RECOMMENDED[f.name])), f.text, f.change)
        for f in options_of(ClusterConfig)
        if f.name in RECOMMENDED
    ]
    return _table(("field", "`ClusterConfig`", "`recommended`", "what", "class"), rows)


def parts() -> str:
    """A section for each class that a field of ClusterConfig may hold."""
    return "\n\n".join(
        f"### {kind.__name__}\n\n{_first_paragraph(kind)}"
        + (f"\n\n{_table(('field', *HEADER), [_row(f) for f in found])}" if (found := options_of(kind)) else "")
        for kind in classes()
    )


def outputs() -> str:
    """The outputs of a stack."""
    found = json.loads(GOLDEN.read_text())["output"]
    return _table(("output", "what"), [(_code(name), output["description"]) for name, output in found.items()])


def versions() -> str:
    """The versions of the two sets of values, and of what both have."""
    golden = json.loads(GOLDEN.read_text())
    names = [f.name for f in options_of(ClusterConfig) if f.name.endswith("_version") and not f.variable]
    defaults = {f.name: f.default for f in options_of(ClusterConfig)}
    rows: list[tuple[str, ...]] = [(_code(name), defaults[name], RECOMMENDED.get(name, defaults[name])) for name in names]
    rows += [(f"module `{module['source']}`", module["version"], module["version"]) for module in golden["module"].values()]
    providers = golden["terraform"]["required_providers"].values()
    rows += [(f"provider `{provider['source']}`", *[_code(provider["version"])] * 2) for provider in providers]
    return _table(("what", "`ClusterConfig`", "`recommended`"), rows)


def steps() -> str:
    """The steps of an adopted cluster, each with what its plan shows."""
    rows = [
        (
            str(number),
            step.title,
            ", ".join(_code(f"{name}={_python(value)}") for name, value in step.fields.items()),
            step.change,
            "; ".join(
                f"{verb} {_codes(addresses)}"
                for verb, addresses in (("creates", step.created), ("updates", step.updated))
                if addresses
            ),
        )
        for number, step in enumerate(upgrade_path(THE_HCL, RECOMMENDED), start=1)
    ]
    return _table(("", "step", "set", "class", "the plan"), rows)


def after_the_cluster() -> str:
    """What every change of the cluster also plans."""
    return "\n".join(f"- {_code(address)}" for address in AFTER_THE_CLUSTER)


def kubernetes_versions() -> str:
    """The versions of Kubernetes, each with the Bottlerocket that its nodes need."""
    rows = [
        (
            row.version,
            str(row.standard_support_ends),
            str(row.extended_support_ends),
            row.bottlerocket,
        )
        for row in KUBERNETES
    ]
    return _table(("Kubernetes", "standard support ends", "extended support ends", "Bottlerocket from"), rows)


def karpenter_versions() -> str:
    """The releases of Karpenter, each with what is new about it."""
    rows = []
    for row in KARPENTER:
        news = [f"new CRD `{crd}`" for crd in row.crds if row is not KARPENTER[0]]
        news += [
            "another hash of node classes: [change no node class in the same apply](#the-step-to-karpenter-112)"
        ] * row.new_class_hash
        news += [f"needs `{p.action}`" for p in KARPENTER_PERMISSIONS if p.since == row.first]
        allowed = [name for name, since in KARPENTER_WITH.items() if karpenter_releases(since) is row]
        news += [f"allows {_codes(allowed)}"] if allowed else []
        rows.append((f"{row.first} to {row.last}", row.kubernetes, "; ".join(news)))
    return _table(("Karpenter", "Kubernetes at most", "what is new"), rows)


def load_balancer_controllers() -> str:
    """The releases of the load balancer controller that need more than the one before."""
    rows = [
        (row.first, load_balancer_controller_chart(row.first), _codes(row.actions), _codes(row.crds))
        for row in LOAD_BALANCER_CONTROLLER
        if row.actions or row.crds
    ]
    return _table(("controller", "chart", "new IAM actions", "new CRDs"), rows)


def broken_releases() -> str:
    """The releases that are refused, each with its reason."""
    return "\n".join(
        f"- {name} {', '.join(release for release, reason in releases.broken.items() if reason == why)}: {why}"
        for name, releases in (("Karpenter", KARPENTER_RELEASES), ("Load balancer controller", LOAD_BALANCER_CONTROLLER_RELEASES))
        for why in dict.fromkeys(releases.broken.values())
    )


# What a node of each takes stands in the table: with the CNI's own rule, and with targets that suit nodes with 8 GPUs.
COUNTED_TYPES = ("p5.48xlarge", "p5en.48xlarge", "p6-b200.48xlarge", "g6e.48xlarge", "g6e.12xlarge", "g6e.xlarge")
COUNTED_TARGETS = VpcCni(warm_ip_target=2, minimum_ip_target=16)


def ip_addresses() -> str:
    """The addresses of a node, and the nodes that fit in a zone of networks of each size."""
    rows = []
    known = {row.instance_type: row for row in gpu_instance_types()}
    prefixes = range(VPC_PREFIXES[0], VPC_PREFIXES[1] + 1)
    zones = [addresses_of_subnet(prefix + PRIVATE_SUBNET_BITS) for prefix in prefixes]
    for node in map(known.__getitem__, COUNTED_TYPES):
        for cni in (None, COUNTED_TARGETS):
            for efa in (None, *get_args(EfaInterface)) if node.network_cards > 1 else (None,):
                each = addresses_of_node(node, **(asdict(cni) if cni else {}), efa=efa)
                settings = (_code(_python(cni) if cni else "None"), efa or "no")
                rows.append((node.instance_type, *settings, str(each), *(str(zone // each) for zone in zones)))
    nodes = (f"/{prefix}: {zone}" for prefix, zone in zip(prefixes, zones, strict=True))
    return _table(("node", "`vpc_cni`", "EFA", "addresses", *nodes), rows)


EFA_NODES = (4, 32, 100)


def efa_addresses() -> str:
    """The addresses that nodes with EFA take together, by the interfaces that a release of Karpenter makes."""
    (node,) = (row for row in gpu_instance_types() if row.instance_type == COUNTED_TYPES[0])
    releases = {"efa": f"before {KARPENTER_WITH_NETWORK_INTERFACES}", "efa-only": f"from {KARPENTER_WITH_NETWORK_INTERFACES} on"}
    rows = []
    for cni in (None, COUNTED_TARGETS):
        for efa in get_args(EfaInterface):
            each = addresses_of_node(node, **(asdict(cni) if cni else {}), efa=efa)
            numbers = (f"{nodes * each:,}" for nodes in (1, *EFA_NODES))
            rows.append((releases[efa], f"`{efa}`", _code(_python(cni) if cni else "None"), *numbers))
    header = (f"{node.instance_type}, Karpenter", "interfaces of EFA", "`vpc_cni`", "1 node", *(f"{n} nodes" for n in EFA_NODES))
    return _table(header, rows)


def node_group_room() -> str:
    """What every cluster requests on a single node of the node group, what each further add-on adds, and what a node has."""

    def figures(amount: Room) -> tuple[int, int, int]:
        return amount.cpu_millicores, amount.memory_mib, amount.pods

    every, (default,) = figures(requested((), nodes=1)), NodeGroup().karpenter_node_instance_types
    rows = []
    for addon in dict.fromkeys(row.addon for row in components()):
        needed = figures(requested([addon], nodes=1))
        added = (more - less for more, less in zip(needed, every, strict=True)) if addon else needed
        names = _codes(row.name for row in components() if row.addon == addon)
        rows.append((_code(addon) if addon else "every cluster", names, *map(str, added)))
    has = room(next(row for row in general_instance_types() if row.instance_type == default))
    rows.append((f"{default} has", "", *map(str, figures(has))))
    return _table(("add-on", "pods of", "millicores", "MiB", "pods"), rows)


GENERATED: Mapping[str, Callable[[], str]] = {
    f.__name__: f
    for f in (
        variables,
        cluster,
        recommended,
        parts,
        outputs,
        versions,
        steps,
        after_the_cluster,
        kubernetes_versions,
        karpenter_versions,
        load_balancer_controllers,
        broken_releases,
        ip_addresses,
        efa_addresses,
        node_group_room,
    )
}


def render(page: str) -> str:
    """A page with its generated parts as the code has them now."""
    return re.sub(
        r"(?s)(<!-- generated: (\w+) -->\n).*?(<!-- end of \2 -->)",
        lambda match: f"{match[1]}\n{GENERATED[match[2]]()}\n\n{match[3]}",
        page,
    )


def pages() -> list[Path]:
    """The pages with generated parts."""
    return [path for path in sorted((PROJECT / "docs").glob("*.md")) if "<!-- generated:" in path.read_text()]


HEADER = ("type", "default", "what", "class")
PLAN = "changed to → what a plan shows"


def _row(f: Option) -> tuple[str, ...]:
    return _code(f.name), _code(_type(f.hint)), REQUIRED if f.default is MISSING else _code(_python(f.default)), f.text, f.change


def _plan(name: str) -> str:
    return "<br>".join(f"{row.changed_to} → {row.plan}" for row in measured() if row.option == name)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def _code(text: str) -> str:
    return f"`{text}`"


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(map(_code, texts))


def _first_paragraph(kind: type) -> str:
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())


def _type(hint: Any) -> str:
    """A type hint as it is written."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (Union, UnionType):
        return " | ".join(_type(part) for part in arguments)
    if origin is Literal:
        return " | ".join(json.dumps(value) for value in arguments)
    if origin and issubclass(origin, Mapping):
        return f"dict[{', '.join(map(_type, arguments))}]"
    if origin and issubclass(origin, Sequence):
        return f"list[{_type(arguments[0])}]"
    return "None" if hint is NoneType else str(hint.__name__)


def _python(value: Any) -> str:
    """A value as a user writes it, without arguments that are defaults."""
    if is_dataclass(value) and not isinstance(value, type):
        given = [f"{f.name}={_python(getattr(value, f.name))}" for f in fields(value) if getattr(value, f.name) != f.default]
        return f"{type(value).__name__}({', '.join(given)})"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, Sequence) and value:
        return f"[{', '.join(map(_python, value))}]"
    return repr(value)


def hcl(value: Any) -> str:
    """A value as Terraform reads it."""
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _dataclasses(hint: Any) -> Iterator[type]:
    if is_dataclass(hint) and isinstance(hint, type):
        yield hint
    for part in get_args(hint):
        yield from _dataclasses(part)


def main() -> None:
    """Write the pages."""
    for path in pages():
        path.write_text(render(path.read_text()))
        print(f"Wrote {path.relative_to(PROJECT)}")


if __name__ == "__main__":
    main()
