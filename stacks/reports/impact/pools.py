"""What a plan does to the nodes of each pool, in words. Plain Python.

Nothing here says how many nodes there are, because only a living cluster knows that.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from stacks.config.budgets import Allowance, allowance
from stacks.config.times import NEVER, seconds
from stacks.reports.impact.change import QUIET, Change, Class, Level, worst_class
from stacks.reports.impact.drift import (
    DISRUPTION,
    HASHES_ANEW,
    Drift,
    changed_fields,
    class_name,
    class_of,
    crosses,
    drifts,
    not_known,
    refused_role,
    reservations_added,
    same,
    swallowed,
    template,
)
from stacks.reports.impact.hours import dollars, limits_of, most_expensive_hour, shares_of
from stacks.reports.impact.plan import KARPENTER, KubernetesObject, Plan, Values
from stacks.reports.impact.quantities import quantity
from stacks.reports.impact.requirements import ALL, capacity_types, types, widened

DRIFTED, EMPTY, UNDERUTILIZED = "Drifted", "Empty", "Underutilized"
WHEN_EMPTY = "WhenEmpty"

PODS = ("PodDisruptionBudgets", "pods with karpenter.sh/do-not-disrupt")
HELD = f"budget of 0 for {UNDERUTILIZED}"
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
                _together(effects, pool.before or {}),
                tuple(dict.fromkeys(held for effect in effects for held in effect.held_back_by)),
            )
        elif pool.resource.action == "update":
            yield Change(pool.resource.address, Level.NONE, "U", QUIET)
    for node_class in plan.classes.values():
        users = [pool for pool in plan.pools.values() if class_of(plan, pool) is node_class]
        yield from _of_class(plan, node_class, users, said=any(found[pool.name] for pool in users))


def _together(effects: Sequence[Effect], before: Values) -> str:
    """The words of all effects. That running nodes stay, or when their pods end, is said once, and only where that is so."""
    words = " ".join(
        effect.words[:1].upper() + effect.words[1:] if number else effect.words for number, effect in enumerate(effects)
    )
    short = words.replace(f" {STAY}", "")
    stay = effects[0].level < Level.DEFERRED and short != words
    ends = any(effect.level >= Level.REPLACES and PODS[0] not in effect.held_back_by for effect in effects)
    grace = _grace(before) if ends else ""
    return f"{short} {STAY}" if stay else short + grace


def _of_class(plan: Plan, node_class: KubernetesObject, users: Sequence[KubernetesObject], *, said: bool) -> Iterator[Change]:
    """What a plan does to a class. `said`: something happens to the class's pools, which says the rest."""
    action, address = node_class.resource.action, node_class.resource.address
    left = [pool.name for pool in users if pool.resource.action not in ("delete", action)]
    moved = [pool.name for pool in plan.pools.values() if class_name(pool.before) == node_class.name and pool not in users]
    waits = bool(node_class.resource.before.get("wait"))
    if action in ("delete", "replace") and left:
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
    elif action in ("delete", "replace") and moved:
        late = " The apply waits 20 minutes for that at most, and then fails." if waits else ""
        ended = f"Kubernetes deletes the node class when the last node of {_and(moved)} that uses the class has ended.{late}"
        yield Change(address, Level.NONE, "R", ended)
    elif action == "forget":
        stays = "Terraform forgets the node class, which stays, and no plan changes the class any more."
        yield Change(address, Level.NONE, "U", f"{stays} {STAY}")
    elif action == "delete" and not users:
        yield Change(address, Level.NONE, "R", QUIET)
    elif refused_role(plan, node_class):
        yield Change(
            address,
            Level.NONE,
            "D",
            "Kubernetes refuses another role of a node class before Karpenter 1.7: the apply fails. Running nodes stay.",
        )
    elif action == "update" and not said and not users and (fields := changed_fields(node_class)):
        drift = f"The node class changes ({', '.join(fields)}), and the plan does not have its pools. Their nodes drift, if there"
        yield Change(address, Level.REPLACES, "D", f"{drift} are any, and Karpenter replaces them as the pools' budgets allow.")
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
                f"Terraform forgets the pool, which stays, with what its nodes cost, and no plan changes the pool any more. {STAY}",
            )
            yield from _kept(plan, pool, pool.before or {}, pool.before or {})
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
    return Effect(Level.ENDS, "R", words, _pods(pool.before or {}))


def _created(plan: Plan, pool: KubernetesObject) -> Effect:
    spec, (_, limits) = pool.after or {}, limits_of(plan, pool)
    said = ["A new pool" + (f" of {', '.join(names)}" if (names := types(template(spec).get("requirements") or ())) else "")]
    said += [f"limit {_limit(unit, value)}" for unit, value in limits.items()] or ["without a limit"]
    hour = most_expensive_hour(spec, limits, plan.region)
    words = f"{', '.join(said)}.{f' Most expensive hour {dollars(hour)}.' if hour is not None else ''}"
    if spec.get("replicas"):
        words += f" Karpenter launches {_nodes(spec['replicas'])} at once, billed from the apply on."
    return Effect(Level.NONE, "U", f"{words} Running nodes stay.")


def _kept(plan: Plan, pool: KubernetesObject, before: Values, after: Values) -> Iterator[Effect]:
    """What happens to a pool that is there before and after."""
    if ("replicas" in before) != ("replicas" in after):
        if early := [drift for drift in drifts(plan, pool) if drift.early]:  # the class is applied first
            yield _drift(before, before, early, ({}, {}))
        later = "a fixed size later" if "replicas" in after else "another than a fixed size later"
        yield Effect(
            Level.NONE,
            "R",
            f"Kubernetes refuses to give a pool {later}, and the apply fails. Give the pool another name. Running nodes stay.",
        )
        return
    found, node_class = list(drifts(plan, pool)), class_of(plan, pool)
    if found:
        yield _drift(before, after, found, limits_of(plan, pool))
    for one in filter(None, (pool, node_class)):
        if one.changed_outside:
            thing = "pool" if one is pool else "node class"
            back = f"Somebody changed the {thing} in the cluster, and this apply sets the {thing} back."
            effect = _unknown(pool, f"{back} The plan does not say what changed.")
            if one is pool and "replicas" in after:
                ended = "If the fixed size was raised, Karpenter ends the further nodes now, and budgets do not delay that."
                effect = replace(effect, level=Level.ENDS, words=f"{effect.words} {ended}")
            yield effect
    if node_class and node_class.unknown:
        yield _unknown(pool, "The plan does not know what the node class will be.")
    elif (shares := shares_of(plan, pool))[1] < shares[0]:
        pods = f"{shares[0]} to {shares[1]} pod{'s' if shares[1] > 1 else ''} per GPU."
        yield Effect(Level.NONE, "U", f"{pods} New nodes may not have room for all pods of the old ones within the limit.")
    old, new = plan.kubernetes
    if old != new and not node_class:
        yield _unknown(
            pool, f"The plan does not have the node class {class_name(after)}, which may select other images for Kubernetes {new}."
        )
    if foreign := list(not_known(before, after)):
        yield _unknown(pool, f"The pool changes in {_and(foreign)}, which this program does not know.")
    lost = swallowed(plan, pool)
    if lost and not crosses(plan, HASHES_ANEW):
        yield _unknown(pool, f"The node class changes ({', '.join(lost)}), while the same apply takes Karpenter back past 1.12.")
    elif lost:
        yield Effect(
            Level.NONE,
            "D",
            f"Running nodes keep the old {_and(lost)} and do not drift, because the same apply brings Karpenter past 1.12. To "
            "replace the nodes, apply Karpenter's release first, alone.",
        )
    all_drift = any(drift.nodes == ALL for drift in found)
    earlier = [] if all_drift else list(_earlier_drift(before, after))
    yield from earlier
    yield from _disruption(before, after, said=all_drift or bool(earlier))
    yield from _capacity(plan, before, after, limits_of(plan, pool))
    if node_class and (added := reservations_added(node_class)):
        yield Effect(
            Level.NONE, "U", f"Karpenter may also use the capacity reservations of {', '.join(added)}. Running nodes stay."
        )
    requirements = [template(spec).get("requirements") or () for spec in (before, after)]
    if not found and not widened(*requirements) and not same(*requirements):
        yield Effect(Level.NONE, "U", "Other requirements of new nodes. Running nodes stay.")


def _drift(before: Values, after: Values, found: list[Drift], limits: tuple[Values, Values]) -> Effect:
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
        late += (
            f" The budgets of this plan come after that: {new.words()}. Apply the budgets first, alone."
            if old.stricter(new)
            else " The stricter budget of this plan comes after that: apply the budget first, alone."
        )
    if lowered := [unit for unit in limits[1] if _lowered(*limits, unit)]:
        late += f" The lower limit of {_and([UNITS.get(unit, unit) for unit in lowered])} may leave no room for a replacement."
    if not _room(after):
        held = "Karpenter never replaces them, because the limit of nodes leaves no room for a replacement."
        return Effect(Level.DEFERRED, "D", f"{nodes} {held}{late}", ("limit of nodes",))
    if applies.never:
        words = f"{nodes} The drift budget of 0 holds them back {_until(before, after)}.{late}"
        return Effect(Level.DEFERRED, "D", words, ("drift budget of 0",))
    words = f"{nodes} Karpenter replaces {applies.words()}, each after its replacement is ready.{late}"
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


def _earlier_drift(before: Values, after: Values) -> Iterator[Effect]:
    """Nodes that drifted earlier, and that other budgets or new room for replacements let go."""
    old, new = (allowance(_budgets(spec), DRIFTED) for spec in (before, after))
    opens = not new.never and (old.opens(new) or not _room(before))
    if not _room(after) or not (opens or old.stricter(new)):
        return
    if new.stricter(old) and _room(before):
        which, how = "", "at other times or in other numbers from now on:"
    else:
        which, how = (" and were held back", "from now on,") if opens else (" and wait for their turn", "faster from now on,")
    words = f"Nodes that drifted earlier{which} are replaced {how} {new.words()}, if there are any."
    yield Effect(Level.REPLACES, "D", words, (*_closed(new), *_pods(before)))


def _disruption(before: Values, after: Values, *, said: bool) -> Iterator[Effect]:
    """Other budgets and another policy of consolidation. `said`: the budgets are explained with the nodes that drift."""
    old, new = (spec.get("disruption") or {} for spec in (before, after))
    budgets = [allowance(_budgets(spec), UNDERUTILIZED) for spec in (before, after)]
    moves = [_consolidates(spec) and not allowed.never for spec, allowed in zip((before, after), budgets, strict=True)]
    if moves[1] and (not moves[0] or budgets[0].stricter(budgets[1]) or _eager(new) > _eager(old)):
        said = True
        sooner = " sooner" if moves[0] else ""
        yield Effect(
            Level.REPLACES,
            "D",
            f"Running pods may move{sooner}: from now on Karpenter removes or replaces nodes whose pods fit elsewhere, "
            f"{budgets[1].words()}.",
            (
                *_closed(budgets[1], HELD),
                *PODS,
            ),  # a grace period ends that for drift only: NewCandidate in pkg/controllers/disruption
        )
    elif _consolidates(after) and not _consolidates(before):
        said = True
        yield Effect(
            Level.DEFERRED,
            "D",
            "Karpenter would now remove nodes whose pods fit elsewhere; the budget of 0 for that holds them back.",
            (HELD,),
        )
    changed = [words for key, words in DISRUPTION.items() if not same(old.get(key), new.get(key))]
    if changed and not said:
        yield Effect(Level.NONE, "U", f"Other {_and(changed)}. Running nodes stay.")


def _eager(disruption: Values) -> tuple[bool, float]:
    """How readily Karpenter moves pods: by the policy, and by the time that it waits after the last change on a node."""
    policy, after = disruption.get("consolidationPolicy"), disruption.get("consolidateAfter", "0s")
    return policy != "Balanced", -seconds(after) if after != NEVER else -math.inf


def _capacity(plan: Plan, before: Values, after: Values, limits: tuple[Values, Values]) -> Iterator[Effect]:
    """Limits, in whole GPUs, a fixed size, weight, and what else Karpenter may launch."""
    old, new = limits
    said = [
        _limits(unit, old.get(unit), new.get(unit), capped=bool(new) or "replicas" in after)
        for unit in dict.fromkeys((*old, *new))
        if _amount(old, unit) != _amount(new, unit)
    ]
    requirements = [template(spec).get("requirements") or () for spec in (before, after)]
    if wider := widened(*requirements):
        said.append(f"Karpenter may also launch {wider}.")
    if before.get("weight") != after.get("weight"):
        said.append(f"weight {before.get('weight') or 'none'} to {after.get('weight') or 'none'}.")
    hours = [most_expensive_hour(spec, most, plan.region) for spec, most in zip((before, after), limits, strict=True)]
    if hours[0] != hours[1]:
        said.append(f"Most expensive hour {' to '.join('not known' if hour is None else dollars(hour) for hour in hours)}.")
    sizes = [int(spec.get("replicas") or 0) for spec in (before, after)]
    if sizes[1] > sizes[0]:
        most = quantity(limit) if (limit := (after.get("limits") or {}).get("nodes")) is not None else sizes[1]
        launched = max(int(min(most, sizes[1])) - sizes[0], 0)
        beyond = "" if launched == sizes[1] - sizes[0] else f" The limit of {_nodes(int(most))} allows no more."
        more = f"Karpenter launches {_nodes(launched, 'more ')} now, billed from the apply on.{beyond}"
        yield Effect(Level.NONE, "U", f"fixed size {sizes[0]} to {_nodes(sizes[1])}. {more}")
    elif sizes[1] < sizes[0]:
        ended = f"Karpenter ends {_nodes(sizes[0] - sizes[1])}, and budgets do not delay that."
        yield Effect(Level.ENDS, "U", f"fixed size {sizes[0]} to {_nodes(sizes[1])}. {ended}", _pods(before))
    if said:
        yield Effect(Level.NONE, "U", " ".join([*said, STAY]))


def _lowered(before: Values, after: Values, unit: str) -> bool:
    old, new = (_amount(limits, unit) for limits in (before, after))
    return new is not None and (old is None or new < old)


def _amount(limits: Values, unit: str) -> Decimal | None:
    """A limit; None for none."""
    return None if limits.get(unit) is None else quantity(limits[unit])


def _room(spec: Values) -> bool:
    """Whether the limit of nodes lets a replacement start beside a fixed number of nodes."""
    most = _amount(spec.get("limits") or {}, "nodes")
    return not spec.get("replicas") or most is None or most > spec["replicas"]


def _limits(unit: str, before: object, after: object, *, capped: bool) -> str:
    if after is None:
        return f"no limit of {UNITS.get(unit, unit)} any more ({before} before){'' if capped else ': nothing caps the bill'}."
    return f"limit {before if before is not None else 'none'} to {_limit(unit, after)}."


def _limit(unit: str, value: object) -> str:
    things = UNITS.get(unit, unit)
    return f"{value} {things.removesuffix('s') if str(value) == '1' else things}"


def _budgets(spec: Values) -> list[Values] | None:
    return (spec.get("disruption") or {}).get("budgets")


def _consolidates(spec: Values) -> bool:
    """Whether Karpenter removes nodes whose pods fit elsewhere. The CRD's default policy does; a fixed size excludes that."""
    disruption = spec.get("disruption") or {}
    policy, after = disruption.get("consolidationPolicy"), disruption.get("consolidateAfter")
    return "replicas" not in spec and policy != WHEN_EMPTY and after != NEVER


def _until(before: Values, after: Values) -> str:
    """When a held-back node goes nevertheless. A running node keeps its old expiry."""
    disruption, spec = after.get("disruption") or {}, template(before)
    empties = (
        "replicas" not in after
        and disruption.get("consolidateAfter") != NEVER
        and not allowance(disruption.get("budgets"), EMPTY).never
    )
    ways = ["are empty"] if empties else []
    ways += ["expire"] if spec.get("expireAfter") != NEVER else []
    ways += ["are interrupted"] if "spot" in capacity_types(spec.get("requirements") or ()) else []
    return (
        f"until they {', '.join(ways[:-1])} or {ways[-1]}" if len(ways) > 1 else f"until they {ways[0] if ways else 'are deleted'}"
    )


def _closed(applies: Allowance, budget: str = "drift budget of 0") -> tuple[str, ...]:
    """The budget of 0 that applies at times."""
    closed = applies.closed()
    return (f"{budget} {closed}",) if closed else ()


def _pods(spec: Values) -> tuple[str, ...]:
    """What pods hold a node back with. A grace period of the node ends that."""
    return () if template(spec).get("terminationGracePeriod") else PODS


def _grace(spec: Values) -> str:
    grace = template(spec).get("terminationGracePeriod")
    late = f" Pods end at the latest {grace} after their node begins to drain, in spite of {_and(list(PODS))}."
    return late if grace else ""


def _nodes(number: int, more: str = "") -> str:
    return f"{number} {more}node{'' if number == 1 else 's'}"


def _and(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
