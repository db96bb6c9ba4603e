"""For every test in this folder or below, whatever the test imports first: CDKTF's packages load lazily."""

import imports  # noqa: F401
