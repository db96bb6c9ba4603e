"""The stack and its constructs."""

import imports  # noqa: F401  (first: it makes the prebuilt providers load lazily)
