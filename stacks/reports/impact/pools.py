"""What a plan does to the nodes of each pool, in words. Plain Python.

Nothing here says how many nodes there are, because only a living cluster knows that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stacks.config.budgets import Allowance, allowance
from stacks.config.times import NEVER
from stacks.reports.impact.change import QUIET, Change, Class, Level, worst_class
from stacks.reports.impact.drift import Drift, class_of, drifts, refused_role, reservations_added, same, swallowed, template
from stacks.reports.impact.hours import dollars, most_expensive_hour
from stacks.reports.impact.plan import KARPENTER, KubernetesObject, Plan, Values
from stacks.reports.impact.requirements import ALL, capacity_types, types, widened

DRIFTED, EMPTY, UNDERUTILIZED = "Drifted", "Empty", "Underutilized"
WHEN_EMPTY = "WhenEmpty"

PODS = ("PodDisruptionBudgets", "pods with karpenter.sh/do-not-disrupt")
STAY = "Running nodes stay."
UNITS = {"nvidia.com/gpu": "GPUs", "cpu": "vCPUs", "memory": "of memory", "nodes": "nodes"}


@dataclass(frozen=True)
class Effect:
    """One thing that happens to a pool."""

    level: Level
    change: Class
    words: str
    held_back_by: tuple[str, ...] = ()


def of_pools(plan: Plan) -> Iterator[Change]:
    """What happens to each pool, and to classes that no pool of the plan uses."""
    found = {name: sorted(_effects(plan, pool), key=lambda effect: -effect.level) for name, pool in plan.pools.items()}
    for name, pool in plan.pools.items():
        if effects := found[name]:
            yield Change(
                name,
                effects[0].level,
                worst_class([effect.change for effect in effects]),
                _together(effects),
                tuple(dict.fromkeys(held for effect in effects for held in effect.held_back_by)),
            )
        elif pool.resource.action == "update":
            yield Change(pool.resource.address, Level.NONE, "U", QUIET)
    for node_class in plan.classes.values():
        users = [pool for pool in plan.pools.values() if class_of(plan, pool) is node_class]
        yield from _of_class(plan, node_class, users, said=any(found[pool.name] for pool in users))


def _together(effects: Sequence[Effect]) -> str:
    """The words of all effects. That running nodes stay is said once, and only where nothing else says otherwise."""
    words = " ".join(effect.words for effect in effects)
    short = words.replace(f" {STAY}", "")
    stay = effects[0].level < Level.DEFERRED and short != words
    return f"{short} {STAY}" if stay else short


def _of_class(plan: Plan, node_class: KubernetesObject, users: Sequence[KubernetesObject], *, said: bool) -> Iterator[Change]:
    """What a plan does to a class. `said`: something happens to the class's pools, which says the rest."""
    action, address = node_class.resource.action, node_class.resource.address
    left = [pool.name for pool in users if pool.resource.action not in ("delete", "replace", "forget")]
    if action in ("delete", "replace") and left:
        waits = action == "replace" and node_class.resource.before.get("wait")
        back = (
            "The apply waits 20 minutes for that, and then fails." if waits else "After that the class is gone until a later apply."
        )
        yield Change(
            address,
            Level.RESTARTS,
            "R",
            f"Kubernetes deletes the node class when the last node of {_and(left)} has ended, and until then Karpenter launches no "
            f"node in {_and(left)}. {back} Running nodes stay.",
        )
    elif action == "delete" and not users:
        yield Change(address, Level.NONE, "R", QUIET)
    elif refused_role(plan, node_class):
        yield Change(
            address,
            Level.NONE,
            "D",
            "Kubernetes refuses another role of a node class before Karpenter 1.7: the apply fails. Running nodes stay.",
        )
    elif action == "update" and not said:
        yield Change(address, Level.NONE, "U", QUIET)


def _effects(plan: Plan, pool: KubernetesObject) -> Iterator[Effect]:
    match pool.resource.action:
        case "delete" | "replace":
            yield _ended(plan, pool)
        case "forget":
            yield Effect(
                Level.NONE,
                "U",
                "Terraform forgets the pool. The pool and its nodes stay and cost, and no plan changes them any more.",
            )
        case "create":
            yield _created(plan, pool)
        case _ if pool.unknown:
            yield _unknown(pool, "The plan does not know what the pool will be.")
        case _ if pool.before is not None and pool.after is not None:
            yield from _kept(plan, pool, pool.before, pool.after)


def _ended(plan: Plan, pool: KubernetesObject) -> Effect:
    karpenter = plan.resource(KARPENTER)
    if karpenter and karpenter.action == "delete":
        after = " Karpenter may be gone before its nodes, and then nothing ends them."
    else:
        after = " The new pool begins empty." if pool.resource.action == "replace" else ""
    words = f"Karpenter drains and ends every node of {pool.name}. Budgets do not delay that.{after}"
    return Effect(Level.ENDS, "R", words + _grace(pool.before or {}), _pods(pool.before or {}))


def _created(plan: Plan, pool: KubernetesObject) -> Effect:
    spec = pool.after or {}
    said = ["A new pool" + (f" of {', '.join(names)}" if (names := types(template(spec).get("requirements") or ())) else "")]
    said += [f"limit {_limit(unit, value)}" for unit, value in (spec.get("limits") or {}).items()] or ["without a limit"]
    hour = most_expensive_hour(spec, plan.region)
    words = f"{', '.join(said)}.{f' Most expensive hour {dollars(hour)}.' if hour is not None else ''}"
    if spec.get("replicas"):
        words += f" Karpenter launches {_nodes(spec['replicas'])} at once, billed from the apply on."
    return Effect(Level.NONE, "U", f"{words} Running nodes stay.")


def _kept(plan: Plan, pool: KubernetesObject, before: Values, after: Values) -> Iterator[Effect]:
    """What happens to a pool that is there before and after."""
    if ("replicas" in before) != ("replicas" in after):
        if early := [drift for drift in drifts(plan, pool) if drift.early]:  # the class is applied first
            yield _drift(plan, before, before, early)
        later = "a fixed size later" if "replicas" in after else "another than a fixed size later"
        yield Effect(
            Level.NONE,
            "R",
            f"Kubernetes refuses to give a pool {later}, and the apply fails. Give the pool another name. Running nodes stay.",
        )
        return
    found, node_class = list(drifts(plan, pool)), class_of(plan, pool)
    if found:
        yield _drift(plan, before, after, found)
    for one in filter(None, (pool, node_class)):
        if one.changed_outside:
            thing = "pool" if one is pool else "node class"
            yield _unknown(
                pool,
                f"Somebody changed the {thing} in the cluster, and this apply sets the {thing} back. The plan does not say "
                "what changed.",
            )
    if node_class and node_class.unknown:
        yield _unknown(pool, "The plan does not know what the node class will be.")
    if lost := swallowed(plan, pool):
        yield Effect(
            Level.NONE,
            "D",
            f"Running nodes keep the old {_and(lost)} and do not drift, because the same apply brings Karpenter past 1.12. To "
            "replace the nodes, apply Karpenter's release first, alone.",
        )
    yield from _disruption(before, after, drifting=bool(found))
    yield from _capacity(plan, before, after)
    if node_class and (added := reservations_added(node_class)):
        yield Effect(
            Level.NONE, "U", f"Karpenter may also use the capacity reservations of {', '.join(added)}. Running nodes stay."
        )
    requirements = [template(spec).get("requirements") or () for spec in (before, after)]
    if not found and not widened(*requirements) and not same(*requirements):
        yield Effect(Level.NONE, "U", "Other requirements of new nodes. Running nodes stay.")


def _drift(plan: Plan, before: Values, after: Values, found: list[Drift]) -> Effect:
    """Nodes drift: which, why, and when Karpenter replaces them."""
    everything = [drift for drift in found if drift.nodes == ALL]
    if everything:
        reasons = ", ".join(dict.fromkeys(drift.why for drift in everything if drift.why))
        nodes = f"all nodes drift{f' ({reasons})' if reasons else ''}."
    else:
        nodes = f"{', and '.join(dict.fromkeys(drift.nodes for drift in found))} drift, if there are any."
    old, new = (allowance(_budgets(spec), DRIFTED) for spec in (before, after))
    applies, late = new, "".join(f" {unless}" for unless in dict.fromkeys(drift.unless for drift in found if drift.unless))
    if any(drift.early for drift in found) and new.stricter(old):
        applies = old
        late += " The stricter budget of this plan comes after that: apply the budget first, alone."
    if (fixed := after.get("replicas")) and (after.get("limits") or {}).get("nodes") == fixed:
        held = "Karpenter never replaces them, because the limit of nodes leaves no room for a replacement."
        return Effect(Level.DEFERRED, "D", f"{nodes} {held}{late}", ("limit of nodes",))
    if applies.never:
        words = f"{nodes} The drift budget of 0 holds them back {_until(before, after)}.{late}"
        return Effect(Level.DEFERRED, "D", words, ("drift budget of 0",))
    words = f"{nodes} Karpenter replaces {applies.words()}, each after its replacement is ready.{late}{_grace(before)}"
    return Effect(Level.REPLACES, "D", words, (*_closed(applies), *_pods(before)))


def _unknown(pool: KubernetesObject, words: str) -> Effect:
    """Something changes, and the plan does not say whether nodes drift on it."""
    applies = allowance(_budgets(pool.after or pool.before or {}), DRIFTED)
    if applies.never:
        return Effect(
            Level.DEFERRED, "D", f"{words} If nodes drift, the drift budget of 0 holds them back.", ("drift budget of 0",)
        )
    held = (*_closed(applies), *_pods(pool.before or {}))
    return Effect(Level.REPLACES, "D", f"{words} If nodes drift, Karpenter replaces {applies.words()}.", held)


def _disruption(before: Values, after: Values, *, drifting: bool) -> Iterator[Effect]:
    """Other budgets and another policy of consolidation."""
    old, new = (spec.get("disruption") or {} for spec in (before, after))
    drift = [allowance(_budgets(spec), DRIFTED) for spec in (before, after)]
    budgets = [allowance(_budgets(spec), UNDERUTILIZED) for spec in (before, after)]
    moves = [_consolidates(one) and not allowed.never for one, allowed in zip((old, new), budgets, strict=True)]
    said = False
    if drift[0].opens(drift[1]) and not drifting:
        said = True
        yield Effect(
            Level.REPLACES,
            "D",
            f"Nodes that drifted earlier and were held back are replaced from now on, {drift[1].words()}.{_grace(before)}",
            (*_closed(drift[1]), *_pods(before)),
        )
    if moves[1] and (not moves[0] or budgets[0].opens(budgets[1])):
        said = True
        yield Effect(
            Level.REPLACES,
            "D",
            "Running pods may move: from now on Karpenter also removes or replaces nodes whose pods fit elsewhere, "
            f"{budgets[1].words()}.",
            (*_closed(budgets[1]), *_pods(before)),
        )
    elif _consolidates(new) and not _consolidates(old):
        said = True
        yield Effect(
            Level.DEFERRED,
            "D",
            "Karpenter would now remove nodes whose pods fit elsewhere; the budget of 0 for that holds them back.",
            ("budget of 0 for Underutilized",),
        )
    if not said and not same(old, new):
        changed = [words for key, words in DISRUPTION.items() if not same(old.get(key), new.get(key))]
        yield Effect(Level.NONE, "U", f"Other {_and(changed)}. Running nodes stay.")


DISRUPTION = {"budgets": "budgets", "consolidationPolicy": "consolidation policy", "consolidateAfter": "time before empty nodes go"}


def _capacity(plan: Plan, before: Values, after: Values) -> Iterator[Effect]:
    """Limits, a fixed size, weight, and what else Karpenter may launch."""
    old, new = (spec.get("limits") or {} for spec in (before, after))
    said = [
        _limits(unit, old.get(unit), new.get(unit))
        for unit in dict.fromkeys((*old, *new))
        if str(old.get(unit)) != str(new.get(unit))
    ]
    requirements = [template(spec).get("requirements") or () for spec in (before, after)]
    if wider := widened(*requirements):
        said.append(f"Karpenter may also launch {wider}.")
    if before.get("weight") != after.get("weight"):
        said.append(f"weight {before.get('weight') or 'none'} to {after.get('weight') or 'none'}.")
    hours = [most_expensive_hour(spec, plan.region) for spec in (before, after)]
    if hours[0] != hours[1]:
        said.append(f"Most expensive hour {' to '.join('not known' if hour is None else dollars(hour) for hour in hours)}.")
    sizes = [int(spec.get("replicas") or 0) for spec in (before, after)]
    if sizes[1] > sizes[0]:
        more = f"Karpenter launches {_nodes(sizes[1] - sizes[0], 'more ')} now, billed from the apply on."
        yield Effect(Level.NONE, "U", f"fixed size {sizes[0]} to {_nodes(sizes[1])}. {more}")
    elif sizes[1] < sizes[0]:
        ended = f"Karpenter ends {_nodes(sizes[0] - sizes[1])}, and budgets do not delay that."
        yield Effect(Level.ENDS, "U", f"fixed size {sizes[0]} to {_nodes(sizes[1])}. {ended}", _pods(before))
    if said:
        yield Effect(Level.NONE, "U", " ".join([*said, STAY]))


def _limits(unit: str, before: object, after: object) -> str:
    if after is None:
        return f"no limit of {UNITS.get(unit, unit)} any more ({before} before): nothing caps the bill."
    return f"limit {before if before is not None else 'none'} to {_limit(unit, after)}."


def _limit(unit: str, value: object) -> str:
    return f"{value} {UNITS.get(unit, unit)}"


def _budgets(spec: Values) -> list[Values] | None:
    return (spec.get("disruption") or {}).get("budgets")


def _consolidates(disruption: Values) -> bool:
    """Whether Karpenter removes nodes whose pods fit elsewhere. The CRD's default policy does."""
    return disruption.get("consolidationPolicy") != WHEN_EMPTY and disruption.get("consolidateAfter") != NEVER


def _until(before: Values, after: Values) -> str:
    """When a held-back node goes nevertheless. A running node keeps its old expiry."""
    disruption, spec = after.get("disruption") or {}, template(before)
    empties = disruption.get("consolidateAfter") != NEVER and not allowance(disruption.get("budgets"), EMPTY).never
    ways = ["are empty"] if empties else []
    ways += ["expire"] if spec.get("expireAfter") != NEVER else []
    ways += ["are interrupted"] if "spot" in capacity_types(spec.get("requirements") or ()) else []
    return (
        f"until they {', '.join(ways[:-1])} or {ways[-1]}" if len(ways) > 1 else f"until they {ways[0] if ways else 'are deleted'}"
    )


def _closed(applies: Allowance) -> tuple[str, ...]:
    """The budget of 0 that applies at times."""
    closed = applies.closed()
    return (f"drift budget of 0 {closed}",) if closed else ()


def _pods(spec: Values) -> tuple[str, ...]:
    """What pods hold a node back with. A grace period of the node ends that."""
    return () if template(spec).get("terminationGracePeriod") else PODS


def _grace(spec: Values) -> str:
    grace = template(spec).get("terminationGracePeriod")
    return f" {grace} later its pods end, in spite of PodDisruptionBudgets and karpenter.sh/do-not-disrupt." if grace else ""


def _nodes(number: int, more: str = "") -> str:
    return f"{number} {more}node{'' if number == 1 else 's'}"


def _and(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
