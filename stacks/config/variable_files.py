"""The variable files of the project, which the cdktf CLI loads for every stack. Plain Python."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from stacks.config.checks import ConfigurationError
from stacks.config.cluster import ClusterConfig
from stacks.config.fields import options_of

# What the cdktf CLI loads by itself for every stack.
VARIABLE_FILES = ("terraform.tfvars", "terraform.tfvars.json", "*.auto.tfvars", "*.auto.tfvars.json")


def wrong_variable_files(clusters: Sequence[ClusterConfig], project: Path) -> Iterator[str]:
    """Files that set a variable which Python gives for a cluster: Terraform would prefer the file."""
    given: dict[str, list[str]] = {}
    for cluster in clusters:
        for field in options_of(ClusterConfig):
            # `recommended` gives the prefix, and not the user: a file that sets the prefix keeps a living cluster.
            derived = field.name == "cluster_name_prefix" and cluster.cluster_name_prefix == cluster.name
            if field.variable and not derived and getattr(cluster, field.name) != field.default:
                given.setdefault(field.name, []).append(cluster.name)
    for file in sorted(path for pattern in VARIABLE_FILES for path in project.glob(pattern)):
        for name in sorted(variables_in(file) & given.keys()):
            yield (
                f"{file.name} must not set {name}, because Python gives it for {', '.join(given[name])}, and the cdktf CLI loads "
                f"the file for every stack. Remove {name} from one of the two."
            )


def variables_in(file: Path) -> set[str]:
    """The variables that a file sets.

    Raises:
        ConfigurationError: a file in JSON is not an object.
    """
    text = file.read_text()
    if file.suffix == ".json":
        try:
            return set(json.loads(text))
        except (json.JSONDecodeError, TypeError) as error:
            raise ConfigurationError(f"{file.name} must be a JSON object of variables: {error}.") from None
    return set(re.findall(r"^\s*(\w+)\s*=", text, re.MULTILINE))
