"""Whether EC2 can give what the pools ask for: quotas, Spot placement scores, offerings, reservations. Plain Python.

The shapes of the answers are those of the AWS CLI's reference: `list-service-quotas`, `get-spot-placement-scores`,
`describe-instance-type-offerings`, `describe-capacity-reservations`.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from stacks.knowledge.catalogue import FAMILY_SCHEME, family, vcpus_of_all_types
from stacks.operations.checks.facts import Facts, NotKnownError, at, listed, moment, name_of, short, text
from stacks.operations.checks.question import Answer, Finding, Question, Verdict, counted, judged, of_each, question
from stacks.operations.checks.types import LivePool, pools_of, reservations_of

# The names of quotas say which families count: `Running On-Demand G and VT instances`, `All P4, P3 and P2 Spot Instance Requests`,
# `All P5 Spot Instance Requests`, `Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances`.
ON_DEMAND = re.compile(r"Running On-Demand (.+) instances")
SPOT = re.compile(r"All (.+) Spot Instance Requests")
FAMILIES = re.compile(r"\b(?!Standard\b|High\b|Memory\b)([A-Z][A-Za-z]*[0-9]*)\b")

ENDED = ("expired", "cancelled", "failed", "payment-failed", "unavailable")  # states of reservations that give nothing any more

# AWS: a score of 10 means that the request is highly likely to succeed, and with fewer than three types every score is low.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/how-sps-works.html. The threshold is ours.
LOW_SCORE, TYPES_FOR_A_SCORE = 3, 3


# --- Quotas --------------------------------------------------------------------------------------------------------------------


# Reserved instances count as on-demand ones.
MARKETS = {"spot": ("spot",), "on-demand": ("on-demand", "reserved")}


@question("Limits of pools fit EC2's quotas", "nodepools", "quotas", "default_quotas", "instances")
def quotas(facts: Facts) -> Answer:
    """The vCPUs that pools may use at their limits, by quota, beside what else runs in the account."""
    pools, known = pools_of(facts), _quotas(facts)
    others = _used_by_others(facts, known)
    findings, notes = [], []
    blocks = {pool.name for pool in pools if _buys_blocks_only(facts, pool)}
    asked: dict[str, list[tuple[LivePool, Sequence[str]]]] = defaultdict(list)
    for pool in pools:
        for market, capacity_types in MARKETS.items():
            if not set(capacity_types) & set(pool.capacity_types) or pool.name in blocks:
                continue
            by_quota = _by_quota(known, pool.types, market)
            if len(by_quota) > 1 and not pool.names_types:  # Karpenter takes other types where a quota is too small
                largest = max(by_quota, key=lambda name: known.get(name, -1))
                by_quota = {largest: by_quota[largest]}
            for name, types in by_quota.items():
                if name:
                    asked[name].append((pool, types))
                else:
                    families = short(", ".join(sorted(set(map(family, types)))), 40)
                    findings.append(Finding(f"{pool.name}: no {market} quota names {families}.", certain=False))
    for name, users in sorted(asked.items()):
        said = f"{name}: {known[name]:,.0f} vCPUs"
        if unknown := sorted({one for _, types in users for one in types if one not in vcpus_of_all_types()}):
            findings.append(Finding(f"{said}. The program does not know how many {', '.join(unknown)} has.", certain=False))
            continue
        at_limits = {pool.name: pool.vcpus(types) for pool, types in users}
        total = sum(cpus or 0 for cpus in at_limits.values())
        used = [types for pool, types in users if at_limits[pool.name] != 0]
        smallest = min((vcpus_of_all_types()[one] for types in used for one in types), default=0)
        limits = " + ".join(f"{pool} {'no limit' if cpus is None else f'{cpus:,}'}" for pool, cpus in at_limits.items())
        said += f"; limits {limits}{f' = {total:,}' if len(at_limits) > 1 else ''}"
        said += f"; other instances use {others[name]:,}" if others[name] else ""
        left = known[name] - others[name]
        if left < smallest:
            findings.append(Finding(f"{said}. The smallest node needs {smallest}."))
        elif left < total:
            findings.append(Finding(said))
        else:
            notes.append(said)
    if lacks := facts.missing.get("instances"):
        notes.append(f"What else runs is not counted: {f'the right {lacks.right} is missing' if lacks.right else lacks.said}.")
    do = "Request a quota (docs/pending.md#4-quotas), or lower the limits of the pools to what the account may have."
    return judged(len(asked), "quota", findings, do, notes=notes)


def _buys_blocks_only(facts: Facts, pool: LivePool) -> bool:
    """Whether a pool's nodes are in capacity blocks, which do not count against the quotas of instances.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-capacity-blocks.html
    """
    classes = [one for one in listed(facts.answers.get("nodeclasses"), "items") if name_of(one) == pool.node_class]
    found = {text(one, "reservationType") for item in classes for one in listed(item, "status", "capacityReservations")}
    return pool.capacity_types == ("reserved",) and found == {"capacity-block"}


def _used_by_others(facts: Facts, known: dict[str, float]) -> Counter[str]:
    """The vCPUs by quota of instances that no pool of this cluster launched; none where that is not known."""
    used: Counter[str] = Counter()
    for row in listed(facts.answers, "instances"):
        name, lifecycle, cluster, pool = row if isinstance(row, list) and len(row) == 4 else ("", None, None, None)
        if name in vcpus_of_all_types() and lifecycle in (None, "spot") and not (cluster and pool):
            used[_quota_of(known, name, lifecycle or "on-demand")] += vcpus_of_all_types()[name]
    return used


def _by_quota(known: dict[str, float], types: Sequence[str], market: str) -> dict[str, list[str]]:
    """Types by the name of the quota in which they count."""
    names = {one: _quota_of(known, one, market) for one in set(map(family, types))}
    found: dict[str, list[str]] = defaultdict(list)
    for one in types:
        found[names[family(one)]].append(one)
    return found


def _quotas(facts: Facts) -> dict[str, float]:
    """The values of the account by the name of the quota; where the account has none of its own, AWS's default counts."""
    found: dict[str, float] = {}
    own = facts.answer("quotas")
    try:
        defaults = facts.answer("default_quotas")
    except NotKnownError:
        defaults = None
    for answer in (defaults, own):
        for one in listed(answer, "Quotas"):
            value = at(one, "Value")
            if isinstance(value, int | float) and text(one, "QuotaName"):
                found[text(one, "QuotaName")] = value
    if not found:
        raise NotKnownError("Service Quotas named no quota of EC2")
    return found


def _quota_of(known: dict[str, float], name: str, market: str) -> str:
    """The name of the quota in which a family counts; "" if no name says so."""
    scheme = FAMILY_SCHEME.match(name)
    if not scheme:
        return ""
    letters, generation = scheme[1].upper(), scheme[2]
    pattern = SPOT if market == "spot" else ON_DEMAND
    families = {name: {one.upper() for one in FAMILIES.findall(match[1])} for name in known if (match := pattern.fullmatch(name))}
    # A generation first (P5), then the category (P), then the letter that im, is and gr belong to. T's quota is not
    # that of Trn, should Trn's be missing in the list.
    wanted = (f"{letters}{generation}", letters, *([letters[0]] if letters in ("IM", "IS", "GR") else []))
    return next((quota for one in wanted for quota, of in families.items() if one in of), "")


# --- Spot placement scores -----------------------------------------------------------------------------------------------------


@question("Spot placement scores are not low", "nodepools", "scores", "zones", "offerings")
def scores(facts: Facts) -> Answer:
    """The score of each zone for the nodes that the limit of a pool allows, the best zone first."""
    spot = {pool.name: pool for pool in pools_of(facts) if pool.names_types and "spot" in pool.capacity_types}
    names = _zone_names(facts)
    offered = _offered(facts)
    notes, best = [], []

    def ask(name: str) -> Iterator[Finding]:
        pool = spot[name]
        found = sorted(
            (
                (score, names.get(zone, zone))
                for one in listed(facts.answer(f"scores/{pool.name}"), "SpotPlacementScores")
                if isinstance(score := at(one, "Score"), int) and (zone := text(one, "AvailabilityZoneId"))
            ),
            key=lambda one: (-one[0], one[1]),
        )
        nodes = counted(pool.nodes_at_limit or 1, "node")
        lines = [f"{pool.name}, {nodes}: {zone} {score} of 10{_types_in(offered, pool, zone)}" for score, zone in found]
        notes.extend(lines)
        if not found:
            yield Finding(f"{pool.name}: EC2 gave no score.", certain=False)
            return
        best.append(f"{pool.name} {found[0][1]} {found[0][0]}")
        if found[0][0] <= LOW_SCORE:
            many = len(pool.types) >= TYPES_FOR_A_SCORE
            few = f", and with fewer than {TYPES_FOR_A_SCORE} types EC2 scores low whatever the capacity is"
            yield Finding(f"{pool.name}: the best score is {found[0][0]}{'' if many else few}.", certain=many)

    findings = of_each(list(spot), ask)
    do = (
        "More types, fewer nodes, on-demand beside Spot, another region, or a reservation: docs/pending.md#5-spot-placement-scores."
    )
    said = f"best: {', '.join(best)}" if best else "no pool that names its types buys Spot"
    return judged(len(spot), "pool", findings, do, said=said, notes=notes)


def _zone_names(facts: Facts) -> dict[str, str]:
    """The account's names of zones by their ids; empty where that is unknown."""
    found = listed(facts.answers.get("zones"), "AvailabilityZones")
    return {text(one, "ZoneId"): text(one, "ZoneName") for one in found if text(one, "ZoneName")}


def _offered(facts: Facts) -> dict[str, set[str]]:
    """The types that EC2 has in each zone; empty where that is unknown."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in listed(facts.answers.get("offerings"), "InstanceTypeOfferings"):
        found[text(one, "Location")].add(text(one, "InstanceType"))
    return found


def _types_in(offered: dict[str, set[str]], pool: LivePool, zone: str) -> str:
    types = [one for one in pool.types if one in offered.get(zone, ())]
    return f", {', '.join(types)}" if types else ""


# --- Offerings -----------------------------------------------------------------------------------------------------------------


@question("EC2 offers the types of the pools", "nodepools", "nodeclasses", "offerings")
def offerings(facts: Facts) -> Answer:
    """Where EC2 has the types at all. A zone that the pool may not use does not count."""
    named = [pool for pool in pools_of(facts) if pool.names_types]
    if not named:
        return Answer(Verdict.NOT_APPLICABLE, "no pool names its types")
    facts.answer("offerings")
    offered = _offered(facts)
    findings, notes = [], []
    for pool in named:
        zones = sorted(offered) if pool.zones is None else pool.zones
        by_zone = {zone: [one for one in pool.types if one in offered.get(zone, ())] for zone in zones}
        notes += [f"{pool.name}: {zone} {', '.join(types)}" for zone, types in _most_first(by_zone) if types]
        if not any(by_zone.values()):
            where = f"in {', '.join(zones)}" if zones else "in a zone that the pool and its node class have"
            findings.append(Finding(f"{pool.name}: EC2 offers none of {', '.join(pool.types)} {where}."))
        elif nowhere := [one for one in pool.types if not any(one in types for types in by_zone.values())]:
            notes.append(f"{pool.name}: EC2 does not offer {', '.join(nowhere)} in a zone of the pool.")
    return judged(
        len(named), "pool", findings, "Other types, zones=[], or another region: docs/pending.md#3-offerings.", notes=notes
    )


def _most_first(by_zone: dict[str, list[str]]) -> list[tuple[str, list[str]]]:
    return sorted(by_zone.items(), key=lambda one: (-len(one[1]), one[0]))


# --- Reservations --------------------------------------------------------------------------------------------------------------


@question("Reservations are found, and not about to end", "nodepools", "nodeclasses", "reservations")
def reservations(facts: Facts) -> Answer:
    """A selection that finds nothing is silent: the node class is READY, and nodes are bought in other ways."""
    reserved = [pool for pool in pools_of(facts) if "reserved" in pool.capacity_types]
    if not reserved:
        return Answer(Verdict.NOT_APPLICABLE, "no pool uses reservations")
    classes = {name_of(item): item for item in facts.objects("nodeclasses")}
    answer = facts.answer("reservations") if any(reservations_of(facts)) else {}
    free = {text(one, "CapacityReservationId"): one for one in listed(answer, "CapacityReservations")}
    findings, notes = [], []
    for pool in reserved:
        item = classes.get(pool.node_class)
        if at(item, "status") is None:
            findings.append(Finding(f"{pool.name}: the node class {pool.node_class} has no status.", certain=False))
            continue
        found = listed(item, "status", "capacityReservations")
        if not found:
            findings.append(Finding(f"{pool.name}: the node class {pool.node_class} finds no reservation."))
        for one in found:
            words = f"{pool.name}: {_reservation(one, free.get(text(one, 'id')))}"
            state = text(free.get(text(one, "id")), "State")
            if state in ENDED:
                findings.append(Finding(f"{words}. EC2 says that it is {state}."))
            elif text(one, "state") == "expiring":
                findings.append(Finding(f"{words}. It ends soon, and Karpenter launches nothing there any more."))
            else:
                notes.append(words)
    do = "Correct capacity_reservations, or reserve again: docs/capacity.md#reservations-and-capacity-blocks."
    return judged(len(findings) + len(notes), "reservation", findings, do, notes=notes)


def _reservation(one: object, described: object) -> str:
    words = " ".join(filter(None, (text(one, part) for part in ("id", "instanceType", "availabilityZone"))))
    if ends := moment(at(one, "endTime")):
        words += f", until {ends:%Y-%m-%d %H:%M} UTC"
    free, total = at(described, "AvailableInstanceCount"), at(described, "TotalInstanceCount")
    return f"{words}, {free} of {total} free" if free is not None else words


QUESTIONS: Sequence[Question] = (quotas, scores, offerings, reservations)
