"""What belongs to a field of the configuration: documentation, class of change, Terraform variable. Plain Python."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, ClassVar, NamedTuple, get_args, get_origin

from stacks.config.checks import field_types, has_type, subjects
from stacks.hcl.rules import Must


class Change(str):
    """What a change of a field does to a living deployment. The text starts with a class; if several apply, the worst class counts.

    - Z: no difference in the plan.
    - U: an update in place.
    - D: Karpenter replaces running nodes.
    - R: Terraform replaces a resource.
    """

    NONE: ClassVar["Change"]
    IN_PLACE: ClassVar["Change"]
    DRIFT: ClassVar["Change"]
    REPLACE: ClassVar["Change"]


Change.NONE, Change.IN_PLACE, Change.DRIFT, Change.REPLACE = Change("Z"), Change("U"), Change("D"), Change("R")


class Variable(NamedTuple):
    """Marks a field as the default of a Terraform variable of the same name.

    Attributes:
        musts: its `validation` blocks, and what a literal must be.
        required: whether None means that the variable has no default, so that the user gives the value at plan.
    """

    musts: tuple[Must, ...] = ()
    required: bool = False


@dataclass(frozen=True)
class Option:
    """A field as its documentation describes it."""

    name: str
    text: str
    change: Change
    default: Any
    variable: Variable | None
    hint: Any


@cache
def options_of(kind: type) -> tuple[Option, ...]:
    """The fields of a class, inherited ones included. A field's documentation is the string below it.

    Raises:
        LookupError: a field has no documentation or no class of change.
    """
    texts = {name: text for base in reversed(kind.__mro__) if is_dataclass(base) for name, text in _texts(base)}
    order = subjects(kind)
    found = []
    for field in sorted(fields(kind), key=lambda field: order.index(field.name)):
        hint = field_types(kind)[field.name]
        inner, *extras = get_args(hint) if get_origin(hint) is Annotated else (field.type,)
        change = next((extra for extra in extras if isinstance(extra, Change)), None)
        if change is None or field.name not in texts:
            raise LookupError(f"{kind.__name__}.{field.name} must have a class of change in its type hint, and a docstring below.")
        default = field.default if field.default_factory is MISSING else field.default_factory()
        variable = next((extra for extra in extras if isinstance(extra, Variable)), None)
        found.append(Option(field.name, texts[field.name], change, default, variable, inner))
    return tuple(found)


def terraform_type(hint: Any) -> str:
    """The type of a Terraform variable whose default is a field of this type."""
    examples: dict[str, Any] = {"number": 1, "string": "", "list(string)": [""], "map(string)": {"": ""}}
    return next(name for name, example in examples.items() if has_type(example, hint))


def _texts(kind: type) -> Iterator[tuple[str, str]]:
    """The names of the fields, each with the string below it, its white space folded."""
    (tree,) = ast.parse(inspect.getsource(kind)).body
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())
