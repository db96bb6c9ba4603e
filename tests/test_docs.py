from dataclasses import fields

import pytest

from main import PROJECT
from stacks.settings import Settings
from tests.synthesis import Json


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_has_every_variable_and_setting_in_its_tables(name: str, stack: Json) -> None:
    first_cells = [line.split("|")[1] for line in (PROJECT / name).read_text().splitlines() if line.startswith("| `")]
    named = {word for cell in first_cells for word in cell.replace("、", ",").replace(" ", "").replace("`", "").split(",")}
    assert named >= stack["variable"].keys() | {setting.name for setting in fields(Settings)}


def test_the_example_of_variables_shows_each(stack: Json) -> None:
    example = (PROJECT / "terraform.tfvars.example").read_text()
    assert all(f"{name} " in example for name in stack["variable"])
