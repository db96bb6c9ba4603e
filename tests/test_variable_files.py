"""Variable files that the cdktf CLI would load for every stack."""

from pathlib import Path

import pytest

from stacks.config import ClusterConfig, recommended
from stacks.config.checks import ConfigurationError
from stacks.config.fields import options_of
from stacks.config.variable_files import wrong_variable_files


def refused(project: Path, clusters: list[ClusterConfig]) -> list[str]:
    return list(wrong_variable_files(clusters, project))


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("terraform.tfvars", 'region = "us-west-2"\n'),
        ("terraform.tfvars", 'gpu_limit=8\n  region="us-west-2"\n'),
        ("terraform.tfvars.json", '{"region": "us-west-2"}'),
        ("team.auto.tfvars", 'region = "us-west-2"\n'),
        ("team.auto.tfvars.json", '{"region": "us-west-2", "gpu_limit": 8}'),
    ],
)
def test_a_file_cannot_set_a_variable_that_python_has_given(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    clusters = [ClusterConfig("a", region="us-west-2"), ClusterConfig("b"), ClusterConfig("c", region="eu-west-1")]
    assert refused(tmp_path, clusters) == [
        f"{file} must not set region, because Python gives it for a, c, and the cdktf CLI loads the file for every stack. Remove "
        "region from one of the two."
    ]


def test_all_variables_in_all_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "terraform.tfvars").write_text('region = "us-west-2"\ngpu_limit = 8\n')
    (tmp_path / "a.auto.tfvars").write_text("gpu_limit = 8\n")
    found = refused(tmp_path, [recommended("a", region="us-west-2")])  # whose gpu_limit is Python's too
    assert [line.split(",")[0] for line in found] == [
        "a.auto.tfvars must not set gpu_limit",
        "terraform.tfvars must not set gpu_limit",
        "terraform.tfvars must not set region",
    ]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("terraform.tfvars", 'gpu_instance_types = ["p5.48xlarge"]\n# region = "us-west-2"\n'),
        ("terraform.tfvars", 'vpc_cidr = "10.1.0.0/16" # not region = "us-west-2"\n'),
        ("prod.tfvars", 'region = "us-west-2"\n'),  # the CLI loads it only where somebody asks for it
        ("terraform.tfvars.json.example", '{"region": "us-west-2"}'),
        ("terraform.tfvars.json", "{}"),
    ],
)
def test_other_files_and_other_variables_are_accepted(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    assert refused(tmp_path, [ClusterConfig("a", region="us-west-2")]) == []


def test_a_file_may_set_what_python_left_to_it(tmp_path: Path) -> None:
    names = [field.name for field in options_of(ClusterConfig) if field.variable]
    (tmp_path / "terraform.tfvars").write_text("".join(f"{name} = null\n" for name in names))
    assert refused(tmp_path, [ClusterConfig("a")]) == []


@pytest.mark.parametrize("text", ["{", "7"])
def test_a_file_of_variables_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "terraform.tfvars.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"^terraform\.tfvars\.json must be a JSON object of variables: "):
        refused(tmp_path, [ClusterConfig("a", region="us-west-2")])


def test_a_file_may_set_the_prefix_that_recommended_takes_from_the_entry(tmp_path: Path) -> None:
    (tmp_path / "terraform.tfvars").write_text('cluster_name_prefix = "eks-spot-gpu"\n')
    assert refused(tmp_path, [recommended("training"), recommended("research")]) == []
    (text,) = refused(tmp_path, [recommended("training", cluster_name_prefix="other")])
    assert text.startswith("terraform.tfvars must not set cluster_name_prefix, because Python gives it for training")
