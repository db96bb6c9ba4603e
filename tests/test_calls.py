"""What Python refuses in a page, in one line with the place."""

import os
from pathlib import Path

import pytest

from stacks.reports.calls import explain

OPTIONS = " The fields are in docs/options.md."


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def explained(body: str) -> str | None:
    """What is said of a page, whose body begins in line 3."""
    page = Path("main.py").absolute()
    page.write_text(f"from stacks.config import *\nfrom stacks import config\n{body}\n")
    try:
        exec(compile(page.read_text(), str(page), "exec"), {})  # noqa: S102
    except Exception as error:
        return explain(error, error.__traceback__.tb_next if error.__traceback__ else None)
    return None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("recommended('a', regoin='x')", "3: recommended does not have the field regoin. Did you mean region?"),
        ("ClusterConfig('a', regoin='x')", "3: ClusterConfig does not have the field regoin. Did you mean region?"),
        ("config.recommended('a', regoin='x')", "3: config.recommended does not have the field regoin. Did you mean region?"),
        ("new = recommended\nnew('a', regoin='x')", "4: new does not have the field regoin. Did you mean region?"),
        ("recommended(\n  'ä',\n  regoin='x',\n)", "5: recommended does not have the field regoin. Did you mean region?"),
        ("recommended('a', **{'regoin': 'x'})", "3: recommended does not have the field regoin. Did you mean region?"),
        ("ClusterConfig('a', x=1)", "3: ClusterConfig does not have the field x."),
        (
            "def usual(name):\n    return recommended(name, gpu_instance_type=[])\nusual('a')",
            "4: recommended does not have the field gpu_instance_type. Did you mean gpu_instance_types?",
        ),
        (
            "recommended('a', gpu_pools=[GpuPool('b', limits=8)])",
            "3: GpuPool does not have the field limits. Did you mean limit?",
        ),
        ("GpuPool('b', families=['p5'])", "3: GpuPool must be given limit."),
        ("S3Backend()", "3: S3Backend must be given bucket and region."),
        ("recommended()", "3: recommended must be given name."),
        ("Taint('team', \"x\")", "3: Taint takes its fields by name: write Taint(key='team', value=\"x\")."),
        ("Taint('team', effect='NoExecute')", "3: Taint takes its fields by name: write Taint(key='team', ...)."),
        ("t = 'team'\nTaint(t)", "4: Taint takes its fields by name: write Taint(key=...)."),
        ("Taint(7.5)", "3: Taint takes its fields by name: write Taint(key=...)."),
        ("Budget('1')", "3: Budget takes its fields by name: write Budget(nodes='1')."),
        ("DataVolume(100, 4000)", "3: DataVolume takes its fields by name: write DataVolume(size_gib=100, iops=4000)."),
        ("S3Backend('b', 'eu-west-1')", "3: S3Backend takes its fields by name: write S3Backend(bucket='b', region='eu-west-1')."),
        (
            "SociParallelPull(1, '16mb', 2)",
            "3: SociParallelPull takes its fields by name: write SociParallelPull(downloads=1, chunk_size='16mb', unpacks=2).",
        ),
        (
            "GpuPool('a', ['p5.48xlarge'], 8)",
            "3: GpuPool takes its fields by name: write GpuPool('a', instance_types=['p5.48xlarge'], limit=8).",
        ),
        ("recommended('a', 'us-west-2')", "3: recommended takes its fields by name: write recommended('a', region='us-west-2')."),
        ("recommended('a', name='b')", "3: recommended got multiple values for argument 'name'."),
    ],
)
def test_a_call_that_python_refuses_is_explained_in_the_words_of_the_page(body: str, said: str) -> None:
    assert explained(body) == f"main.py, line {said}{OPTIONS}"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("CLUSTERS = [", "3: '[' was never closed."),
        ("f(1 2)", "3: invalid syntax. Perhaps you forgot a comma?"),
        ("  x = 1", "3: unexpected indent."),
        ("GpuPol('b')", "3: NameError: name 'GpuPol' is not defined. Did you mean GpuPool?"),
        ("Zebra", "3: NameError: name 'Zebra' is not defined."),
        ("import os\nos.environ['NOT_SET']", "4: KeyError: 'NOT_SET'."),
    ],
)
def test_another_mistake_of_the_page_is_a_line(body: str, said: str) -> None:
    assert "NOT_SET" not in os.environ
    assert explained(body) == f"main.py, line {said}"


def test_an_error_below_the_page_is_not_explained() -> None:
    assert explained("def f():\n    return 1 / 0\nf()") is None
