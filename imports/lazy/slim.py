"""A provider's jsii assembly cut to what the project names.

jsii hashes the AWS provider's tarball of 37 MB at every start, unpacks it into 600 MB once, and reads an index of all 2,213
resources. A tarball with the dozen that are used costs next to nothing. It is made once for each set of them, beside the ordinary
one, in less time than unpacking that one takes.

What is used is what the project's Python files name as `cdktf_cdktf_provider_x.y`: to use another resource, name it. An import by a
name that is put together at run time is refused in one line, which says so.
"""

import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

PROJECT = Path(__file__).resolve().parents[2]
NOT_OURS = ("node_modules", "cdktf.out")

_NAMED = re.compile(r"\b((?:cdktf_cdktf|cdktn)_provider_\w+)\.(\w+)")
_IMPORTED = re.compile(r"^\s*from ((?:cdktf_cdktf|cdktn)_provider_\w+) import (?:\(([^)]*)\)|(.*))$", re.MULTILINE)
_REQUIRED = re.compile(r"""require\(["'](?:\.\./)+([\w-]+)""")
_GETTER = re.compile(r"^Object\.defineProperty\(exports, '(\w+)', .*require\('\./([\w-]+)'\).*$", re.MULTILINE)


@cache
def named() -> dict[str, frozenset[str]]:
    """By provider package, the submodules that the project's Python files name."""
    found: dict[str, set[str]] = {}
    for file in _sources():
        for package, submodule in names_in(file.read_text()):
            found.setdefault(package, {"provider"}).add(submodule)
    return {package: frozenset(submodules) for package, submodules in found.items()}


def _sources() -> Iterator[Path]:
    """The project's Python files, wherever somebody puts them."""
    yield from PROJECT.glob("*.py")
    for folder in PROJECT.glob("[!.]*/"):
        if folder.name not in NOT_OURS and not (folder / "pyvenv.cfg").exists():
            yield from folder.rglob("*.py")


def names_in(source: str) -> list[tuple[str, str]]:
    """The pairs of provider package and submodule in `import x.y`, `from x.y import Z` and `from x import y, z as w`."""
    listed = [(package, part.split()) for package, *lists in _IMPORTED.findall(source) for part in "".join(lists).split(",")]
    return _NAMED.findall(source) + [(package, words[0]) for package, words in listed if words]


def namespace(submodule: str) -> str:
    """What jsii calls a Python submodule: `iam_role` is `iamRole`."""
    head, *tail = submodule.split("_")
    return head + "".join(map(str.capitalize, tail))


def slim(tarball: Path, submodules: frozenset[str]) -> Path:
    """The tarball cut to `submodules`; the ordinary one where it is built differently, or its folder cannot be written."""
    key = sha256("\n".join(sorted(submodules)).encode()).hexdigest()[:12]
    cut = tarball.with_name(f"{key}-{tarball.name}")
    if cut.exists():
        return cut
    try:
        with TemporaryDirectory(dir=tarball.parent, prefix=".slim-") as folder:
            made = Path(folder, cut.name)
            _write(tarball, {namespace(submodule) for submodule in submodules}, made)
            return made.replace(cut)  # in one step: another process may be at it too
    except (OSError, LookupError):
        return tarball


def _write(tarball: Path, namespaces: set[str], made: Path) -> None:
    """Copy what belongs to `namespaces`.

    Raises:
        LookupError: the package has no lazy index.
    """
    with tarfile.open(tarball) as package, tarfile.open(made, "w:gz") as cut:
        for name, data in _kept(package, namespaces):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            cut.addfile(member, io.BytesIO(data))


def _kept(package: tarfile.TarFile, namespaces: set[str]) -> Iterator[tuple[str, bytes]]:
    scripts: dict[str, dict[str, bytes]] = {}
    assembly: dict[str, dict[str, object]] = {}
    index = ""
    for member in package:
        data = package.extractfile(member)
        match member.name.split("/"):
            case ["package", ".jsii"] if data:
                assembly = json.load(data)
            case ["package", "package.json"] if data:
                yield member.name, data.read()
            case ["package", "lib", "lazy-index.js"] if data:
                index = data.read().decode()
            case ["package", "lib", folder, *_, file] if data and file.endswith(".js"):
                scripts.setdefault(folder, {})[member.name] = zlib.compress(data.read(), 1)
    folders = dict(_GETTER.findall(index))
    if not folders:
        raise LookupError("no lazy index")
    wanted = [folders[name] for name in namespaces if name in folders]  # a name that is no submodule fails where it is imported
    for folder in wanted:  # and what it requires, which is appended while this goes on
        for name, packed in scripts[folder].items():
            script = zlib.decompress(packed)
            wanted += [other for other in _REQUIRED.findall(script.decode()) if other in scripts and other not in wanted]
            yield name, script
    kept = {name for name, folder in folders.items() if folder in wanted}
    getters = (match[0] for match in _GETTER.finditer(index) if match[1] in kept)
    yield "package/lib/index.js", "\n".join(getters).encode()
    yield "package/.jsii", _assembly(assembly, kept)


def _assembly(assembly: dict[str, dict[str, object]], namespaces: set[str]) -> bytes:
    """The description of the package without the types of other namespaces."""
    for part in ("types", "submodules"):
        assembly[part] = {fqn: it for fqn, it in assembly.get(part, {}).items() if fqn.split(".")[1] in namespaces}
    return json.dumps(assembly).encode()
