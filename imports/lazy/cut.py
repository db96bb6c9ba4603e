"""A provider's jsii assembly, written again with some of its submodules only."""

import io
import json
import re
import tarfile
from collections.abc import Iterator, Set
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

_GETTER = re.compile(r"exports, '(\w+)', .*\brequire\('\./([\w-]+)'\)")
# jsii also uses this file as the index of the whole package, if the package is loaded later, into a folder next to this one
# (see kernel.py).
_INDEX = """\
"use strict";
const { existsSync } = require("node:fs");
const { dirname, join } = require("node:path");
const places = [__dirname, join(`${dirname(__dirname)}.whole`, "lib")];

for (const [name, folder] of Object.entries(FOLDERS)) {
  const get = () => require(places.map((place) => join(place, folder)).find(existsSync));
  Object.defineProperty(exports, name, { get });
}
"""


def cut(tarball: Path, submodules: Set[str], folder: Path) -> Path:
    """The path of `tarball` cut to Python's `submodules`. It is made in `folder` if an earlier run has not left it there.

    Raises:
        LookupError: the package is built in another way than those of today.
        OSError: `folder` cannot be written.
    """
    key = "\n".join([str(tarball.stat().st_size), _INDEX, *sorted(submodules)])
    made = folder / f"{tarball.name.removesuffix('.jsii.tgz')}-{sha256(key.encode()).hexdigest()[:16]}.tar"
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as unfinished:  # another process may be at it too
            writing = Path(unfinished, made.name)
            with tarfile.open(tarball) as package, tarfile.open(writing, "w") as archive:
                for name, data in _kept(package, {_plain(name) for name in submodules}):
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
            writing.replace(made)
    return made


def _plain(name: str) -> str:
    """What a submodule's names have in common: `iam_role` in Python, `iamRole` in JavaScript, and its folder `iam-role`."""
    return re.sub("[_-]", "", name).lower()


def _kept(package: tarfile.TarFile, wanted: Set[str]) -> Iterator[tuple[str, bytes]]:
    """The names and the contents of the files in a cut."""
    indexed: set[str] = set()
    for member in package:
        data = package.extractfile(member)
        match member.name.split("/"):
            case ["package", "package.json"] if data:
                yield member.name, data.read()
            case ["package", ".jsii"] if data:
                assembly = json.load(data)
                for part in ("types", "submodules"):
                    named = assembly.get(part, {}).items()
                    assembly[part] = {fqn: it for fqn, it in named if _plain(fqn.split(".")[1]) in wanted}
                yield member.name, json.dumps(assembly).encode()
            case ["package", "lib", "lazy-index.js"] if data:
                folders = dict(_GETTER.findall(data.read().decode()))
                indexed = {_plain(name) for name, folder in folders.items() if _plain(name) == _plain(folder)}
                yield "package/lib/index.js", _INDEX.replace("FOLDERS", json.dumps(folders)).encode()
            case ["package", "lib", folder, *_, file] if data and file.endswith(".js") and _plain(folder) in wanted:
                script = data.read()
                if b'require("../' in script:
                    raise LookupError(f"{member.name} requires what lies outside of its folder")
                yield member.name, script
    if missing := wanted - indexed:
        raise LookupError(f"lib/lazy-index.js does not name {', '.join(sorted(missing))}")
