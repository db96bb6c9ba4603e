"""Typed bindings for what has no prebuilt CDKTF package: the vpc, eks and karpenter modules, and the kubectl provider.

They are written by hand. `cdktf get`, which usually fills this folder, was tried: it fails on the Karpenter submodule's variable
types, makes ten thousand lines for vpc, and types every output as a string. A binding here has the inputs and outputs that are
used, under their Terraform names, with SOURCE and VERSION on the class.

Importing this package makes the prebuilt providers load lazily (see `imports.lazy`), and loads nothing.
"""

import sys

from imports.lazy.loader import LazyFinder

sys.meta_path.insert(0, LazyFinder())
