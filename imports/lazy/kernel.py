"""Between jsii and Node: Node gets only the parts of a provider that Python has imported."""

import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imports.lazy.cut import cut
from imports.lazy.loader import PROVIDER

import attr
import jsii
from jsii import _reference_map as references
from jsii._kernel.types import LoadRequest, LoadResponse

_DEPENDENCY = re.compile(rf"^import ({PROVIDER.pattern})\._jsii", re.MULTILINE)


@dataclass
class _Provider:
    """What jsii wants to load, what Python has imported of it, and what Node has."""

    request: LoadRequest
    submodules: set[str] = field(default_factory=set)
    is_loaded: bool = False
    is_whole: bool = False


class Kernel:
    """Takes jsii's requests, and hands them on to Node; before the first that names a provider, it loads that provider."""

    def __init__(self) -> None:
        self._node = jsii.kernel.provider
        self._providers: dict[str, _Provider] = {}
        self._behind: set[str] = set()  # the packages of which Python has imported what Node may not have

    def load(self, request: LoadRequest) -> LoadResponse:
        """Keep a provider for later. Load anything else, and before it all of the providers that its JavaScript may use."""
        folder = Path(request.tarball).parent
        package = folder.parent.name
        if PROVIDER.fullmatch(package):
            self._providers[package] = _Provider(request)
            return LoadResponse(assembly=request.name, types=0)
        init = folder / "__init__.py"
        for dependency in _DEPENDENCY.findall(init.read_text() if init.exists() else ""):
            if provider := self._providers.get(dependency):
                if not provider.is_loaded:
                    self._load(dependency)
                self._load_whole(dependency, f"{package} uses it in JavaScript")
        return self._node.load(request)

    def imports(self, package: str, submodule: str) -> None:
        """Python is about to import a provider's submodule."""
        if (provider := self._providers.get(package)) and not provider.is_whole:
            provider.submodules.add(submodule)
            self._behind.add(package)

    def names(self, package: str, submodules: Iterable[str]) -> None:
        """Tell jsii where to find the class of an object that JavaScript made, if Python has not imported its submodule yet."""
        if provider := self._providers.get(package):
            for submodule in submodules:
                first, *more = submodule.split("_")
                namespace = first + "".join(map(str.title, more))
                references._submodule_fqn_map[f"{provider.request.name}.{namespace}"] = f"{package}.{submodule}"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The method of that name, for every request but `load`."""
        send: Callable[..., Any] = getattr(self._node, name)

        def load_and_send(request: object, **named: object) -> object:
            text = repr(request)
            for package in [p for p in self._behind if self._providers[p].request.name in text]:
                self._load(package)
            return send(request, **named)

        return load_and_send if self._behind else send

    def _load(self, package: str) -> None:
        self._behind.discard(package)
        provider = self._providers[package]
        if provider.is_loaded:
            self._load_whole(package, "Python imported more of it after its first use; imports at the top of a file avoid this")
            return
        try:
            tarball = cut(Path(provider.request.tarball), provider.submodules, cache_folder())
        except (LookupError, OSError, RuntimeError) as error:
            self._load_whole(package, str(error))
        else:
            self._node.load(attr.evolve(provider.request, tarball=str(tarball)))
        provider.is_loaded = True

    def _load_whole(self, package: str, reason: str) -> None:
        provider = self._providers[package]
        if provider.is_whole:
            return
        sys.stderr.write(f"All of {package} is loaded, which can take half a minute: {reason}.\n")
        # jsii loads no name twice. What it loads by another has the types of the assembly, and the modules that the cut left out.
        name = f"{provider.request.name}.whole" if provider.is_loaded else provider.request.name
        self._node.load(attr.evolve(provider.request, name=name))
        provider.is_whole = True


def cache_folder() -> Path:
    """Where cuts are kept: in the platform's cache folder."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    usual = {"darwin": "Library/Caches", "win32": "AppData/Local"}.get(sys.platform, ".cache")
    return (given if given.is_absolute() else Path.home() / usual) / "cdktf-lazy"


kernel = Kernel()
jsii.kernel.provider = kernel  # type: ignore[assignment]
