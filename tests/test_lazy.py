"""Loading stays lazy: by what is loaded, not by the clock."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path

from imports.lazy.cut import cut
from imports.lazy.loader import EAGER

import pytest

from stacks.app import PROJECT
from stacks.karpenter_stack import FURTHER

pytestmark = pytest.mark.slow  # most tests start Python and Node anew

PREFIX = "cdktf_cdktf_provider_"
RANDOM = PREFIX + "random"

WRITE = """
import json, sys
from pathlib import Path
from stacks.app import write
from stacks.config import ClusterConfig
write([ClusterConfig("karpenter")], Path({outdir!r}), Path({outdir!r}).parent)
print(json.dumps(list(sys.modules)))
"""
# What a Node process has loaded, written when it ends.
SCRIPTS = """
const { writeFileSync } = require("node:fs");
const loaded = () => Object.keys(require("node:module")._cache);
process.on("exit", () => writeFileSync(`${process.env.SCRIPTS_FOLDER}/${process.pid}.json`, JSON.stringify(loaded())));
"""
# A program that makes an integer and a pet of the random provider; how it imports them comes before.
PROGRAM = """
import imports
from cdktf import TerraformStack, Testing
{imports}
stack = TerraformStack(Testing.app(), "stack")
{integer}(stack, "i", min=1, max=2)
{pet}(stack, "p")
print(Testing.synth(stack))
"""


def run(program: str, *paths: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program that finds packages in `paths`, then the project's."""
    found = os.pathsep.join(map(str, [*paths, PROJECT]))
    return subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={**os.environ, "PYTHONPATH": found, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


def resources(ran: subprocess.CompletedProcess[str]) -> set[str]:
    """The types of the resources in the JSON that a program has printed."""
    return set(json.loads(ran.stdout)["resource"])


def copy_of(package: str, folder: Path) -> Path:
    """A package of .venv, copied into another folder."""
    spec = find_spec(package)
    assert spec
    assert spec.origin
    return shutil.copytree(Path(spec.origin).parent, folder / package, ignore=shutil.ignore_patterns("__pycache__"))


def loaded(outdir: Path, **environment: str) -> tuple[set[str], list[str]]:
    """The modules of providers that Python has loaded when a stack is written, and all scripts that Node has."""
    scripts = outdir.parent / f"{outdir.name}-scripts"
    scripts.mkdir()
    preload = scripts / "preload.cjs"
    preload.write_text(SCRIPTS)
    environment |= {"NODE_OPTIONS": f"--require {preload}", "SCRIPTS_FOLDER": str(scripts)}
    ran = run(WRITE.format(outdir=str(outdir)), **environment)
    assert ran.stderr == ""
    parts = [name.split(".") for name in json.loads(ran.stdout) if name.startswith(PREFIX)]
    modules = {f"{p[0]}.{p[1]}" for p in parts if len(p) > 1 and not p[1].startswith("_")}
    return modules, [script for file in scripts.glob("*.json") for script in json.loads(file.read_text())]


def test_importing_imports_starts_and_loads_nothing() -> None:
    ran = run(
        "import imports, stacks.hcl.expressions, sys; loaded = {'cdktf', 'constructs', 'jsii'} & sys.modules.keys()\n"
        "import psutil; print(loaded, psutil.Process().children())"
    )
    assert ran.stdout == "set() []\n"


def test_python_and_node_load_of_the_providers_only_what_the_stack_uses(tmp_path: Path) -> None:
    # Of constructs that the default stack does not have, and of what these share, nothing is loaded.
    others = [PROJECT / f"{module.replace('.', '/')}.py" for module in (*FURTHER, "stacks.aws.addon")]
    named = {
        line.split()[1]
        for file in (PROJECT / "stacks").rglob("*.py")
        if file not in others
        for line in file.read_text().splitlines()
        if line.startswith(f"from {PREFIX}")
    }
    assert len(named) > 10
    modules, scripts = loaded(tmp_path / "out")
    assert modules == named
    parts = [script.partition("/@cdktf/provider-")[2].split("/") for script in scripts if "/@cdktf/provider-" in script]
    required = {f"{PREFIX}{p[0]}.{p[2].replace('-', '_')}" for p in parts} - {f"{PREFIX}{p[0]}.index.js" for p in parts}
    assert len(required) > 10
    assert required <= named


@pytest.mark.parametrize(
    ("imports", "integer", "pet"),
    [
        (f"from {RANDOM}.integer import Integer\nfrom {RANDOM}.pet import Pet", "Integer", "Pet"),
        (f"from {RANDOM} import (  # why (not)\n    integer,\n    pet,\n)", "integer.Integer", "pet.Pet"),
        (f"from {RANDOM} import integer, \\\n    pet", "integer.Integer", "pet.Pet"),
        (f"import {RANDOM} as r; used = [r.integer.Integer, getattr(r, 'p' + 'et').Pet]", "used[0]", "used[1]"),
        (f"from importlib import import_module as load; used = [load('{RANDOM}.' + x) for x in ('integer', 'pet')]",
         "used[0].Integer", "used[1].Pet"),
    ],
)  # fmt: skip
def test_it_does_not_matter_how_or_where_a_submodule_is_imported(imports: str, integer: str, pet: str) -> None:
    ran = run(PROGRAM.format(imports=imports, integer=integer, pet=pet))
    assert resources(ran) == {"random_integer", "random_pet"}
    assert ran.stderr == ""


def test_a_submodule_that_is_imported_after_the_provider_was_used_loads_the_rest_and_says_so() -> None:
    ran = run(PROGRAM.format(imports=f"import {RANDOM} as r", integer="r.integer.Integer", pet="r.pet.Pet"))
    assert resources(ran) == {"random_integer", "random_pet"}
    assert ran.stderr.startswith(f"All of {RANDOM} is loaded")
    assert ran.stderr.count("\n") == 1


def test_what_is_not_a_submodule_is_not_an_attribute_and_the_environment_stays_as_it_was() -> None:
    ran = run(f"import os; before = dict(os.environ)\nimport imports, {RANDOM} as r; print(hasattr(r, 'no'), os.environ == before)")
    assert ran.stdout == "False True\n"


def test_a_path_may_contain_an_apostrophe_and_a_space(tmp_path: Path) -> None:
    folder = tmp_path / "it's here"
    shutil.copytree(PROJECT / "imports", folder / "imports")
    program = PROGRAM.format(imports=f"from {RANDOM} import integer, pet", integer="integer.Integer", pet="pet.Pet")
    ran = run(f"{program}\nassert {str(folder)!r} in imports.__file__", folder, XDG_CACHE_HOME=str(folder))
    assert (len(resources(ran)), ran.stderr) == (2, "")


def test_cuts_are_kept_in_the_users_cache_and_nothing_is_written_beside_a_package(tmp_path: Path) -> None:
    package = copy_of(RANDOM, tmp_path)
    before = set(package.rglob("*"))
    program = PROGRAM.format(imports=f"from {RANDOM} import integer, pet", integer="integer.Integer", pet="pet.Pet")
    ran = run(program, tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"), PYTHONDONTWRITEBYTECODE="1")
    assert resources(ran) == {"random_integer", "random_pet"}
    assert set(package.rglob("*")) == before
    assert len(list((tmp_path / "cache" / "cdktf-lazy").iterdir())) == 1


def test_without_a_cache_all_of_a_provider_is_loaded_and_a_line_says_why(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    program = PROGRAM.format(imports=f"from {RANDOM} import integer, pet", integer="integer.Integer", pet="pet.Pet")
    ran = run(program, XDG_CACHE_HOME=str(file))
    assert resources(ran) == {"random_integer", "random_pet"}
    assert str(file) in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_a_package_that_is_lazy_itself_stays_as_it_is(tmp_path: Path) -> None:
    """As newer jsii-pacmak builds them."""
    init = copy_of(RANDOM, tmp_path) / "__init__.py"
    lines = [line for line in init.read_text().splitlines() if not line.startswith("from . import")]
    lazy = "def __getattr__(name): import importlib; return importlib.import_module(f'{__name__}.{name}') if name != 'own' else 7"
    init.write_text("\n".join([*lines, lazy, "import sys; sys.modules[__name__].__getattr__ = __getattr__"]))
    program = PROGRAM.format(imports=f"import {RANDOM} as r; r.pet, r.integer", integer="r.integer.Integer", pet="r.pet.Pet")
    ran = run(f"{program}\nassert r.own == 7", tmp_path)
    assert (resources(ran), ran.stderr) == ({"random_integer", "random_pet"}, "")


def test_a_package_that_is_built_differently_loads_as_it_always_does(tmp_path: Path) -> None:
    package = tmp_path / f"{PREFIX}other"
    package.mkdir()
    (package / "__init__.py").write_text("from .part import VALUE\n__all__ = ['VALUE']\n")
    (package / "part.py").write_text("VALUE = 7\n")
    ran = run(f"import imports, {package.name}; print({package.name}.VALUE, hasattr({package.name}, 'nothing'))", tmp_path)
    assert ran.stdout == "7 False\n"


def test_a_provider_that_cannot_be_cut_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    tarball = tmp_path / "provider-x@1.jsii.tgz"
    with tarfile.open(tarball, "w:gz") as package:
        package.addfile(tarfile.TarInfo("package/package.json"))
    with pytest.raises(LookupError, match="does not name pet"):
        cut(tarball, {"pet"}, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_library_whose_javascript_uses_a_provider_gets_all_of_it(tmp_path: Path) -> None:
    """And what it makes has its class in Python, where nobody has imported that."""
    assembly = {
        "schema": "jsii/0.10.0",
        "name": "pets",
        "version": "1.0.0",
        "jsiiVersion": "1.0.0 (build 0)",
        "types": {
            "pets.Pets": {
                "assembly": "pets",
                "fqn": "pets.Pets",
                "kind": "class",
                "name": "Pets",
                "methods": [
                    {
                        "name": "make",
                        "static": True,
                        "parameters": [{"name": "scope", "type": {"fqn": "constructs.Construct"}}],
                        "returns": {"type": {"fqn": "constructs.Construct"}},
                    }
                ],
            }
        },
    }
    files = {
        ".jsii": json.dumps(assembly),
        "package.json": '{"name": "pets", "version": "1.0.0", "main": "index.js"}',
        "index.js": 'exports.Pets = class { static make(s) { return new (require("@cdktf/provider-random").pet.Pet)(s, "p"); } };',
    }
    library = tmp_path / "pets" / "_jsii"
    library.mkdir(parents=True)
    with tarfile.open(library / "pets.tgz", "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    (library / "__init__.py").write_text(
        f'import jsii\nimport {RANDOM}._jsii\nloaded = jsii.JSIIAssembly.load("pets", "1.0.0", __name__[0:-6], "pets.tgz")\n'
    )
    (library.parent / "__init__.py").write_text(
        'import jsii\nfrom ._jsii import *\nclass Pets(metaclass=jsii.JSIIMeta, jsii_type="pets.Pets"):\n'
        '    make = classmethod(lambda cls, scope: jsii.sinvoke(cls, "make", [scope]))\n'
    )
    program = PROGRAM.format(imports=f"import pets\nfrom {RANDOM}.integer import Integer", integer="Integer", pet="pets.Pets.make")
    program = program.replace('pets.Pets.make(stack, "p")', "pet = pets.Pets.make(stack)")
    ran = run(f"{program}\nassert type(pet).__module__ == '{RANDOM}.pet'", tmp_path)
    assert resources(ran) == {"random_integer", "random_pet"}
    assert "pets uses it in JavaScript" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_lazy_and_ordinary_loading_synthesize_the_same_bytes(tmp_path: Path) -> None:
    modules, _ = loaded(tmp_path / "eager", **{EAGER: "1"})
    assert len(modules) > 2000
    loaded(tmp_path / "lazy")
    files = {kind: (tmp_path / kind / "stacks" / "karpenter" / "cdk.tf.json").read_bytes() for kind in ("eager", "lazy")}
    assert files["eager"] == files["lazy"]


PLAIN = {
    "stacks.hcl": ["stacks.hcl.expressions", "stacks.hcl.rules"],
    "stacks.knowledge": [
        f"stacks.knowledge.{name}" for name in ("catalogue", "gpu_drivers", "ip_addresses", "regions", "versions")
    ],
    "stacks.config": ["stacks.config", "stacks.config.fleet", "stacks.config.recommended"],
    "stacks.operations": [
        "stacks.operations.output",
        "stacks.operations.clean",
        "stacks.operations.destroy",
        "stacks.operations.deploy",
    ],
    "stacks.kubernetes": ["stacks.kubernetes.manifests", "stacks.kubernetes.bottlerocket"],
}


@pytest.mark.parametrize("room", PLAIN)
def test_plain_python_loads_neither_cdktf_nor_node(room: str) -> None:
    report = f"import {', '.join(PLAIN[room])}; import sys; print(sorted(name.partition('.')[0] for name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", report], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert [name for name in ("cdktf", "constructs", "jsii", "cdktf_cdktf_provider_aws") if f"'{name}'" in loaded] == []
