"""The documentation: generated tables are those of the code, links lead somewhere, nothing needs a file outside the project."""

import json
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from docs import generate
from stacks.app import PROJECT
from stacks.config import ClusterConfig, GpuPool, recommended
from stacks.config.checks import mistakes
from stacks.config.fields import options_of
from stacks.config.fleet import refuse_mistakes
from stacks.reports.warnings import warnings
from tests.synthesis import Json, copy_program, synth_stack

FILES = [path for pattern in ("*.md", "docs/*.md", ".github/**/*.md") for path in sorted(PROJECT.glob(pattern))]
MARKDOWN = [str(path.relative_to(PROJECT)) for path in FILES]
PAGES = [*MARKDOWN, "Makefile"]

# Where Terraform runs, and what `../` in its arguments starts from.
STACK = Path("cdktf.out/stacks/name")


def without_code(page: str) -> str:
    return re.sub(r"(?ms)^ *```.*?^ *```$", "", page)


def anchors(page: str) -> set[str]:
    """The anchors that GitHub makes of headings."""
    headings = re.findall(r"(?m)^#+ (.*)$", without_code(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: str) -> list[str]:
    return [link for link in re.findall(r"\]\(([^()\s]+)\)", without_code(page)) if not re.match(r"[a-z]+:", link)]


@pytest.mark.parametrize("path", generate.pages(), ids=lambda path: path.name)
def test_generated_tables_are_those_of_the_code(path: Path) -> None:
    assert path.read_text() == generate.render(path.read_text()), "run `make docs`"


def test_the_options_name_every_field() -> None:
    page = (PROJECT / "docs" / "options.md").read_text()
    assert all(f"| `{field.name}` |" in page for kind in (ClusterConfig, *generate.classes()) for field in options_of(kind))


def test_a_table_changes_with_a_default_a_type_a_class_a_text_and_a_plan() -> None:
    name, text, plan = "`karpenter_node_min_size`", "Minimum number of nodes for Karpenter itself.", "1 → updates the node group"
    row = f"| {name} | `number` | `2` | {text} | U | {plan} |"
    page = (PROJECT / "docs" / "options.md").read_text()
    assert row in page
    for old, new in (("`2`", "`1`"), ("`number`", "`string`"), ("| U |", "| Z |"), ("Minimum", "Maximum"), ("updates", "replaces")):
        changed = page.replace(row, row.replace(old, new))
        assert changed != page
        assert generate.render(changed) == page


def test_the_page_of_operation_explains_every_warning() -> None:
    config = recommended("training", gpu_pools=[GpuPool("name", families=["g6e"], limit=8, weight=1)])
    page = (PROJECT / "docs" / "operating.md").read_text()
    checks = [name.replace("nodepool_name_", "nodepool_<name>_") for name in synth_stack(config)["check"]]
    assert checks == [name for name in checks if f"| `{name}` |" in page]


def test_the_example_of_variables_shows_each(stack: Json) -> None:
    example = (PROJECT / "terraform.tfvars.example").read_text()
    assert all(f"{name} " in example for name in stack["variable"])


def test_the_example_of_variables_has_the_defaults() -> None:
    example = (PROJECT / "terraform.tfvars.example").read_text()
    for field in options_of(ClusterConfig):
        if field.variable and not field.variable.required:
            (value,) = re.findall(rf"(?m)^# {field.name} += ([^#\n]+?) *(?:#.*)?$", example)
            assert value == generate.hcl(field.default), field.name


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_a_readme_has_less_than_200_lines(name: str) -> None:
    assert len((PROJECT / name).read_text().splitlines()) < 200


@pytest.mark.parametrize("name", MARKDOWN)
def test_links_lead_somewhere(name: str) -> None:
    page = (PROJECT / name).read_text()
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (PROJECT / name).parent / path if path else PROJECT / name
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("name", PAGES)
def test_nothing_names_a_path_outside_the_project(name: str) -> None:
    text = (PROJECT / name).read_text()
    page = text if name == "Makefile" else re.sub(r"\]\([^()\s]+\)", "", text)
    outside = re.findall(r"(?<![\w.:/~<>-])/(?:work|home|root|Users|opt|srv)/\S*", page)
    # What is not a link is an argument of Terraform, which runs in a stack's folder.
    for found in re.findall(r"(?:\.\./)+", page):
        if len(Path(found).parts) > len(STACK.parts):
            outside.append(found)
    outside += re.findall(r"(?<![./])(?:\.\./){1,2}\w\S*", page)
    for link in links(text):
        if not (PROJECT / name).parent.joinpath(link.partition("#")[0]).resolve().is_relative_to(PROJECT):
            outside.append(link)
    assert not outside


@pytest.mark.parametrize("name", MARKDOWN)
def test_every_example_that_a_page_names_exists(name: str) -> None:
    named = re.findall(r"\bexamples/[\w-]+\.(?:py|yaml)", (PROJECT / name).read_text())
    assert all((PROJECT / path).is_file() for path in named)


def test_every_command_of_make_in_the_documentation_exists() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (PROJECT / "Makefile").read_text()))
    for name in MARKDOWN:
        named = re.findall(r"(?m)(?:^ *|`)make ([a-z]+(?:-[a-z]+)*)", (PROJECT / name).read_text())
        assert set(named) <= targets, name


def test_the_cdktf_cli_runs_what_make_synth_runs() -> None:
    """Without `-m stacks`, a file that writes nothing would deploy the older JSON."""
    for name in (*MARKDOWN, "examples/fleet.py"):
        apps = re.findall(r"--app '([^']*)'", (PROJECT / name).read_text())
        assert all(app.startswith(".venv/bin/python -m stacks ") for app in apps), name


def python_of(name: str) -> list[str]:
    """The blocks of Python in a page."""
    return re.findall(r"(?ms)^```python\n(.*?)^```$", (PROJECT / name).read_text())


def test_the_commands_without_make_are_those_of_the_makefile() -> None:
    page, makefile = ((PROJECT / name).read_text() for name in ("docs/without-make.md", "Makefile"))
    named = re.findall(r"`make ([a-z-]+)[^`]*` \| `\.venv/bin/(?:python )?([^`]+?)(?: training| examples/\S+ proof)?`", page)
    assert [target for target, _ in named] == [
        *("synth", "test", "plan", "impact", "apply", "doctor", "capacity", "upgrade-plan", "prove", "destroy")
    ]
    recipes = {target: makefile.partition(f"\n{target}: ")[2].partition("\n\n")[0] for target, _ in named}
    for target, command in named[1:]:  # what runs main.py is a variable of the Makefile
        assert command in recipes[target]


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_main_py_of_a_readme_is_a_valid_configuration(name: str, tmp_path: Path) -> None:
    page: dict[str, Any] = {}
    exec(python_of(name)[0], page)  # noqa: S102  (our own page)
    refuse_mistakes(page["CLUSTERS"], tmp_path)


def test_the_test_of_the_readme_passes() -> None:
    page: dict[str, Any] = {}
    exec(python_of("README.md")[1], page)  # noqa: S102  (our own page)
    page["test_a_network_looks_for_zones"]()


def test_the_main_py_for_ci_is_a_valid_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("STATE_BUCKET", "acme-terraform")
    (text,) = [block for block in python_of("docs/operating.md") if "environ" in block]
    page: dict[str, Any] = {}
    exec(text, page)  # noqa: S102  (our own page)
    refuse_mistakes([page["cluster"]], tmp_path)


def test_the_pools_of_the_page_on_capacity_are_valid_and_bring_no_warning() -> None:
    page: dict[str, Any] = {}
    (text,) = python_of("docs/capacity.md")
    exec(text.replace("ClusterConfig(\n", "cluster = ClusterConfig(\n"), page)  # noqa: S102  (our own page)
    assert list(mistakes("c", page["cluster"])) == []
    assert list(warnings([page["cluster"]], date(2026, 1, 1))) == []


@pytest.mark.parametrize("name", ["docs/storage.md", "docs/pod-identities.md"])
def test_the_cluster_of_a_page_is_a_valid_configuration(name: str, tmp_path: Path) -> None:
    page: dict[str, Any] = {}
    (text,) = python_of(name)
    exec(text, page)  # noqa: S102  (our own page)
    refuse_mistakes([page["cluster"]], tmp_path)


@pytest.mark.parametrize(
    ("name", "number", "file"),
    [("README.md", 0, "main.py"), ("README.zh-CN.md", 0, "main.py"), ("README.md", 1, "mytests/test_network.py")],
)
def test_the_python_of_a_readme_passes_make_check(name: str, number: int, file: str) -> None:
    """But for mypy, which would take a minute. `refuse_mistakes` checks the types of the fields."""
    for command in (["format", "--check"], ["check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "--stdin-filename", file, "-"]
        ran = subprocess.run(ruff, input=python_of(name)[number], cwd=PROJECT, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_plan_was_measured_for_every_field_and_showed_a_class_of_the_field() -> None:
    fields = {field.name: field for field in options_of(ClusterConfig)}
    rows = generate.measured()
    assert list(dict.fromkeys(row.option for row in rows)) == list(fields), "docs/changes.csv"
    for row in rows:
        assert row.change in re.findall(r"\b[ZUDR]\b", fields[row.option].change), row
        assert (row.change == "Z") == row.plan.startswith(("nothing", "another stack")), row


@pytest.mark.slow
def test_the_first_change_in_contributing_changes_the_json(tmp_path: Path, stack: Json) -> None:
    if "log_retention_days" in stack["variable"]:
        pytest.skip("the change has been made here")
    copy_program(tmp_path)
    for name in ("terraform.tfvars.example", "docs/changes.csv", "tests/configurations.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / name)
    for step in re.split(r"(?m)^\d+\. ", (PROJECT / "CONTRIBUTING.md").read_text())[1:]:
        for block in re.findall(r"(?ms)^   ```diff$(.*?)^   ```$", step):
            lines = [line[3:] for line in block.splitlines() if line]
            context = "".join(f"{line[1:]}\n" for line in lines if line[0] == " ")
            added = "".join(f"{line[1:]}\n" for line in lines if line[0] == "+")
            file = tmp_path / links(step)[0]
            before, found, after = file.read_text().partition(context) if context else (file.read_text(), "", "")
            assert found == context, f"{file.name} must contain: {context}"
            file.write_text(before + found + added + after)
    for command in (["main.py"], ["-m", "tests.configurations"]):
        subprocess.run([sys.executable, *command], cwd=tmp_path, check=True, capture_output=True)
    changed: Json = json.loads((tmp_path / "cdktf.out" / "stacks" / "karpenter" / "cdk.tf.json").read_text())
    assert changed["variable"].keys() - stack["variable"].keys() == {"log_retention_days"}
    assert changed["module"]["eks"]["cloudwatch_log_group_retention_in_days"] == "${var.log_retention_days}"
    assert "log_retention_days = 90" in (tmp_path / "terraform.tfvars.example").read_text()
    assert "\nlog_retention_days,30," in (tmp_path / "docs" / "changes.csv").read_text()
