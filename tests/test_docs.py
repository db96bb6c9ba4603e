import pytest

from stacks.app import PROJECT
from stacks.config import ClusterConfig
from stacks.config.fields import documented
from tests.synthesis import Json


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_has_every_variable_and_field_in_its_tables(name: str) -> None:
    first_cells = [line.split("|")[1] for line in (PROJECT / name).read_text().splitlines() if line.startswith("| `")]
    named = {word for cell in first_cells for word in cell.replace("、", ",").replace(" ", "").replace("`", "").split(",")}
    assert named >= {field.name for field in documented(ClusterConfig)}


def test_the_example_of_variables_shows_each(stack: Json) -> None:
    example = (PROJECT / "terraform.tfvars.example").read_text()
    assert all(f"{name} " in example for name in stack["variable"])
