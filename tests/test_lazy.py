"""Loading stays lazy: by what is loaded, not by the clock."""

import importlib
import json
import os
import subprocess
import sys
import tarfile
from importlib.resources import files
from pathlib import Path

from imports.lazy import EAGER, PRELOADS, slim

import pytest
from jsii._embedded import jsii as embedded
from jsii._embedded.jsii import EMBEDDED_FILES, ENTRYPOINT

from stacks.app import PROJECT

PREFIX = "cdktf_cdktf_provider_"

REPORT = """
import json, sys
{before}
from stacks.karpenter_stack import KarpenterStack
from stacks.config import ClusterConfig
from cdktf import App
app = App(outdir={outdir!r}, stack_traces=False)
KarpenterStack(app, ClusterConfig("karpenter"))
app.synth()
import psutil
nodes = psutil.Process().children(recursive=True)
options = nodes[0].environ().get("NODE_OPTIONS")
print(json.dumps({{"modules": list(sys.modules), "nodes": len(nodes), "options": options}}))
"""
# What a Node process has loaded, written when it ends.
SCRIPTS = """
const { writeFileSync } = require("node:fs");
const loaded = () => Object.keys(require("node:module")._cache);
process.on("exit", () => writeFileSync(`${process.env.SCRIPTS_FOLDER}/${process.pid}.json`, JSON.stringify(loaded())));
"""
LAZY = "from imports import lazy; lazy.install()"


def report(outdir: Path, before: str = LAZY, **environment: str) -> dict[str, object]:
    """What a process that synthesizes the stack has loaded, and its Node processes (`scripts`)."""
    scripts = outdir.parent / f"{outdir.name}-scripts"
    scripts.mkdir()
    preload = scripts / "preload.cjs"
    preload.write_text(SCRIPTS)
    environment |= {"NODE_OPTIONS": f"--require {preload}", "SCRIPTS_FOLDER": str(scripts)}
    run = subprocess.run(
        [sys.executable, "-c", REPORT.format(outdir=str(outdir), before=before)],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, object] = json.loads(run.stdout)
    found["scripts"] = [script for file in scripts.glob("*.json") for script in json.loads(file.read_text())]
    return found


def scripts_of(found: dict[str, object], provider: str) -> set[str]:
    """The scripts of a provider that Node has loaded, without what belongs to one resource beside its index."""
    scripts = found["scripts"]
    assert isinstance(scripts, list)
    start = f"/@cdktf/provider-{provider}/lib/"
    return {path.partition(start)[2] for path in scripts if start in path and path.count("/", path.index(start)) <= 5}


def providers(found: dict[str, object]) -> set[str]:
    """The submodules of provider packages that are loaded."""
    modules = found["modules"]
    assert isinstance(modules, list)
    parts = (name.split(".") for name in modules if name.startswith(PREFIX))
    return {f"{p[0]}.{p[1]}" for p in parts if len(p) > 1 and not p[1].startswith("_")}


def test_only_the_providers_submodules_that_the_code_names_are_loaded(tmp_path: Path) -> None:
    named = {
        line.split()[1]
        for file in (PROJECT / "stacks").glob("*.py")
        for line in file.read_text().splitlines()
        if line.startswith(f"from {PREFIX}")
    }
    assert len(named) > 10
    assert providers(report(tmp_path / "out")) == named


def test_node_is_one_process_that_alone_has_the_preloads(tmp_path: Path) -> None:
    found = report(tmp_path / "out")
    assert found["nodes"] == 1
    for preload in PRELOADS:
        assert str(preload) in str(found["options"])
        assert str(preload) not in os.environ.get("NODE_OPTIONS", "")


def test_a_jsii_that_is_built_differently_relays_as_it_always_does(tmp_path: Path) -> None:
    """The copy is told apart by a space."""
    for name, file in EMBEDDED_FILES.items():
        copy = tmp_path / file
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(files(embedded).joinpath(name).read_text().replace("readFD:3,writeFD:3", "readFD:3, writeFD:3"))
    found = report(tmp_path / "out", JSII_RUNTIME=str(tmp_path / EMBEDDED_FILES[ENTRYPOINT]))
    assert found["nodes"] == 2
    assert providers(found)


def test_what_a_library_prints_in_node_is_printed(tmp_path: Path) -> None:
    script = tmp_path / "prints.cjs"
    script.write_text('process.on("exit", () => { console.log("to stdout"); console.error("to stderr: \\u00e9"); });')
    run = subprocess.run(
        [sys.executable, "-c", LAZY],
        cwd=PROJECT,
        env={**os.environ, "NODE_OPTIONS": f"--require {script}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (run.stdout, run.stderr) == ("to stdout\n", "to stderr: \u00e9\n")


def test_node_loads_no_more_of_a_provider_than_is_used(tmp_path: Path) -> None:
    found = report(tmp_path / "out")
    used = {name.partition(".")[2] for name in providers(found) if name.startswith(f"{PREFIX}aws.")}
    loaded = {script.partition("/")[0] for script in scripts_of(found, "aws")} - {"index.js"}
    assert len(used) > 5
    assert loaded == {name.replace("_", "-") for name in used}


def test_where_an_assembly_cannot_be_cut_node_still_loads_only_what_is_used(tmp_path: Path) -> None:
    """Of the helm provider, which is small: jsii unpacks the whole of the AWS provider in ten seconds, into 600 MB."""
    whole = "lambda tarball, submodules: tarball if 'helm' in tarball.name else cut(tarball, submodules)"
    found = report(tmp_path / "out", before=f"{LAZY}\nfrom imports.lazy import slim; cut = slim.slim; slim.slim = {whole}")
    assert scripts_of(found, "helm") == {"lazy-index.js", "provider/index.js", "release/index.js"}


def test_a_package_that_is_built_differently_loads_as_it_always_does(tmp_path: Path) -> None:
    package = tmp_path / f"{PREFIX}other"
    package.mkdir()
    (package / "__init__.py").write_text("from .part import VALUE\n__all__ = ['VALUE']\n")
    (package / "part.py").write_text("VALUE = 7\n")
    code = f"{LAZY}\nimport {package.name}; print({package.name}.VALUE, hasattr({package.name}, 'nothing'))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "7 False\n"


def test_a_submodule_that_no_file_names_is_refused_in_one_line() -> None:
    with pytest.raises(ImportError, match=r"cdktf_cdktf_provider_aws\.s3\w+: no Python file of the project names it"):
        importlib.import_module(PREFIX + "aws.s3" + "_bucket")


def test_every_way_to_write_an_import_names_a_submodule() -> None:
    package = PREFIX + "x"
    source = "\n".join(
        [
            f"import {package}.a",
            f"from {package}.b import B",
            f"from {package} import c, d as e  # why",
            f"from {package} import (\n    f,\n    g,\n)",
        ]
    )
    assert {submodule for _, submodule in slim.names_in(source)} == {"a", "b", "c", "d", "f", "g"}


def test_a_python_file_anywhere_in_the_project_names_submodules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slim, "PROJECT", tmp_path)
    for name in ("a.py", "of/our/b.py", ".hidden/c.py", "node_modules/d.py", "env/lib/e.py"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"from {PREFIX}x.{file.stem} import Y")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert slim.named.__wrapped__() == {PREFIX + "x": {"a", "b", "provider"}}


def test_a_provider_that_cannot_be_cut_loads_whole(tmp_path: Path) -> None:
    tarball = tmp_path / "provider-x@1.jsii.tgz"
    with tarfile.open(tarball, "w:gz") as package:
        package.addfile(tarfile.TarInfo("package/package.json"))
    assert slim.slim(tarball, frozenset({"provider"})) == tarball
    assert list(tmp_path.iterdir()) == [tarball]


def test_a_submodule_that_nobody_imported_is_there_when_it_is_asked_for() -> None:
    """`cdktf_cdktf_provider_random.pet`, which stands here so that a file names it."""
    import cdktf_cdktf_provider_random

    assert cdktf_cdktf_provider_random.pet.Pet.__name__ == "Pet"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = vars(cdktf_cdktf_provider_random)["__getattr__"]("nothing")


@pytest.mark.parametrize("length", ["four", None])
def test_jsii_still_refuses_an_argument_of_another_type(length: object) -> None:
    from cdktf import Testing as CdktfTesting
    from cdktf_cdktf_provider_random.string_resource import StringResource

    with pytest.raises(TypeError, match="length"):
        StringResource(CdktfTesting.stub_version(CdktfTesting.app()), "x", length=length)  # type: ignore[arg-type]


@pytest.mark.slow
def test_lazy_and_ordinary_loading_synthesize_the_same_bytes(tmp_path: Path) -> None:
    eager = report(tmp_path / "eager", **{EAGER: "1"})
    assert len(providers(eager)) > 2000
    report(tmp_path / "lazy")
    files = {kind: (tmp_path / kind / "stacks" / "karpenter" / "cdk.tf.json").read_bytes() for kind in ("eager", "lazy")}
    assert files["eager"] == files["lazy"]
