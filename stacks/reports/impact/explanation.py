"""All that a plan does, the worst first. Plain Python."""

from dataclasses import dataclass
from typing import Any

from stacks.reports.impact.change import Change, Class, Level, worst_class
from stacks.reports.impact.hours import prices
from stacks.reports.impact.plan import Plan
from stacks.reports.impact.pools import of_pools
from stacks.reports.impact.resources import of_resources, swallows_all


@dataclass(frozen=True)
class Explanation:
    """What a plan does.

    Attributes:
        changes: the worst first.
        price: the most expensive hour, before and after.
        incomplete: why the plan does not show everything; "" if it does.
    """

    changes: tuple[Change, ...]
    price: dict[str, Any]
    incomplete: str

    @property
    def level(self) -> Level:
        """The worst level."""
        return max((change.level for change in self.changes), default=Level.NONE)

    @property
    def change(self) -> Class:
        """The worst class; Z for a plan without changes."""
        return worst_class([change.change for change in self.changes])


def explain(plan: Plan) -> Explanation:
    """What a plan does to what runs."""
    found = [*([] if swallows_all(plan) else of_pools(plan)), *of_resources(plan)]
    return Explanation(tuple(sorted(found, key=lambda change: -change.level)), prices(plan), plan.incomplete)
