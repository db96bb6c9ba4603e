"""Settings of earlier versions of this program, and the fields that replace them. Plain Python."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stacks.config.checks import ConfigurationError

ENVIRONMENT_PREFIX = "CDKTF_KARPENTER_"
REPLACED = {
    "stack": "ClusterConfig(name)",
    "preset": "recommended(name) instead of ClusterConfig(name)",
    "offering_checks": "the field offering_checks",
    "spot_role_check": "the field spot_role_check",
    "backend": "the field backend: LocalBackend() or S3Backend(...)",
    "local_path": "the field backend: LocalBackend(path)",
    **{
        f"s3_{name}": f"the field backend: S3Backend({name}=...)"
        for name in ("bucket", "key", "region", "use_lockfile", "kms_key_id", "profile")
    },
}


def refuse_replaced_settings(environment: Mapping[str, str], context: Mapping[str, Any]) -> None:
    """Stop at a setting of an earlier version: ignoring `backend`, for example, would plan a second cluster.

    Raises:
        ConfigurationError: there is one, in the environment or in the context of cdktf.json.
    """
    found = [
        f"{name} must not be set: settings are Python now. Unset it, and use {REPLACED.get(_setting(name), 'a field')} in main.py."
        for name in sorted(environment)
        if name.startswith(ENVIRONMENT_PREFIX)
    ]
    found += [
        f'"{name}" must not be in the context of cdktf.json: settings are Python now. Remove it, and use {instead} in main.py.'
        for name, instead in REPLACED.items()
        if name in context
    ]
    if found:
        raise ConfigurationError("\n".join(found))


def context_in(file: Path) -> dict[str, Any]:
    """The context in `cdktf.json`.

    Raises:
        ValueError: the file does not hold a JSON object whose `context` is an object.
    """
    try:
        document = json.loads(file.read_text()) if file.exists() else {}
    except json.JSONDecodeError as error:
        raise ValueError(f"{file.name} must be valid JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    context = document.get("context", {}) if isinstance(document, dict) else document
    if not isinstance(context, dict):
        raise ValueError(f'{file.name} must be a JSON object whose "context" is an object (got {json.dumps(context)}).')
    return context


def _setting(variable: str) -> str:
    return variable.removeprefix(ENVIRONMENT_PREFIX).lower()
