"""What is decided at synth time. Pure Python.

A setting comes from the environment (`CDKTF_KARPENTER_BACKEND=s3`), else from the context in `cdktf.json` (`"backend": "s3"`),
else it has its default: the environment wins. What a deployment is made of, as its region, is no setting but a Terraform variable.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from os.path import normpath
from pathlib import PurePath
from typing import Any, Literal, TypeAlias, get_args, get_origin

ENVIRONMENT_PREFIX = "CDKTF_KARPENTER_"

# Not settings, though they look like some: `cdktf init`'s feature flags, and the switch of imports.lazy.
_NOT_SETTINGS = {"excludeStackIdFromLogicalIds", "allowSepCharsInLogicalIds", "eager"}


Backend: TypeAlias = Literal["local", "s3"]
Preset: TypeAlias = Literal["reference", "recommended"]


class SettingError(ValueError):
    """A setting that cannot be used. The message names it, what was given and what is allowed, in one line."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings, checked.

    Attributes:
        stack: the name of the stack, and so of its folder below `cdktf.out/stacks` and of its local state.
        preset: `reference`: the plan on a state that the HCL left is empty. `recommended`, for a new deployment: all that is better
            than the HCL and shows in a plan is on.
        offering_checks: warn at plan where EC2 does not offer an instance type in a zone. Wants the right
            ec2:DescribeInstanceTypeOfferings.
        spot_role_check: warn at plan where the account lacks the service-linked role for Spot. Wants the right iam:ListRoles.
        backend: where the state is: `local`, or `s3` for teams.
        local_path: local: the state's file, by default `terraform.<stack>.tfstate` in the project. A relative path starts where
            terraform runs, in `cdktf.out/stacks/<stack>`. It must not be in `cdktf.out`, which the cdktf CLI deletes from.
        s3_bucket, s3_key, s3_region: s3: where. The key is `<stack>/terraform.tfstate` by default.
        s3_use_lockfile: s3: lock with a file beside the state. Wants Terraform 1.10 or newer.
        s3_kms_key_id: s3: the ARN of a KMS key for the state, instead of the bucket's default.
        s3_profile: s3: the AWS profile that reaches the bucket.

    Raises:
        SettingError: a value is of another type, or not allowed.
    """

    stack: str = "karpenter"
    preset: Preset = "reference"
    offering_checks: bool = True
    spot_role_check: bool = True
    backend: Backend = "local"
    local_path: str = ""
    s3_bucket: str = ""
    s3_key: str = ""
    s3_region: str = ""
    s3_use_lockfile: bool = True
    s3_kms_key_id: str = ""
    s3_profile: str = ""

    def __post_init__(self) -> None:
        for setting in fields(self):
            _check_type(setting.name, getattr(self, setting.name), setting.type)
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", self.stack):
            raise SettingError(
                f"stack: {self.stack!r} is no name for a stack: lower-case letters, digits and hyphens, a letter first, "
                "63 characters at most."
            )
        if self.backend == "local" and "cdktf.out" in self._resolved(self.local_state).parts:
            raise SettingError(
                f"local_path must be outside cdktf.out, where `make clean` and the cdktf CLI remove files (got "
                f"{self.local_path!r}). The default is ../../../terraform.{self.stack}.tfstate."
            )
        if self.backend == "s3":
            for name in ("s3_bucket", "s3_region"):
                if not getattr(self, name):
                    raise SettingError(f"{name}: backend s3 needs it, and it is not set.")
        for setting in fields(self):
            backend, _, _ = setting.name.partition("_")
            unused = backend in get_args(Backend) and backend != self.backend
            if unused and getattr(self, setting.name) != setting.default:
                raise SettingError(f"{setting.name}: it is set, but backend is {self.backend!r} and would not use it.")

    @property
    def local_state(self) -> str:
        """The path of the local state, from the folder where terraform runs."""
        # Back to the project: the state outlives `cdktf.out`, and is where `cdktf deploy` has one by default, by an absolute path.
        return self.local_path or f"../../../terraform.{self.stack}.tfstate"

    @property
    def local_workspaces(self) -> str:
        """The path of the states of the stack's workspaces, from the folder where terraform runs.

        A directory for each stack: with one for all, two stacks would share the state of a workspace.
        """
        return f"{self.local_state}.d"

    def _resolved(self, path: str) -> PurePath:
        """A path that starts where terraform runs, from the project."""
        return PurePath(normpath(PurePath("cdktf.out", "stacks", self.stack, path)))

    @property
    def s3_state(self) -> str:
        """The key of the state in the bucket."""
        return self.s3_key or f"{self.stack}/terraform.tfstate"


def load(context: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Settings from `cdktf.json`'s context and the environment.

    Raises:
        SettingError: one is unknown, of another type, or not allowed.
    """
    types = {setting.name: setting.type for setting in fields(Settings)}
    given = {name: value for name, value in context.items() if name not in _NOT_SETTINGS and not name.startswith("cdktf")}
    for variable, text in environment.items():
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if variable.startswith(ENVIRONMENT_PREFIX) and name not in _NOT_SETTINGS:
            given[name] = _from_text(text, types.get(name))
    for name in given:
        if name not in types:
            raise SettingError(f"{name}: no such setting. There are: {', '.join(types)}.")
    return Settings(**given)


def _from_text(text: str, type_: Any) -> Any:
    """The value that an environment variable's text stands for; the text itself where it stands for none."""
    return {"true": True, "false": False}.get(text.lower(), text) if type_ is bool else text


def _check_type(name: str, value: Any, type_: Any) -> None:
    if get_origin(type_) is Literal:
        allowed = get_args(type_)
        if value not in allowed:
            raise SettingError(f"{name}: {value!r} is not allowed. Allowed: {', '.join(map(repr, allowed))}.")
    elif type(value) is not type_:
        raise SettingError(f"{name}: {value!r} is not allowed. Allowed: {_TYPES[type_]}.")


_TYPES: dict[Any, str] = {str: "a string", bool: "true or false"}
