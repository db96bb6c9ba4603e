"""Load only the parts of CDKTF's providers that are used.

`cdktf_cdktf_provider_aws/__init__.py` imports its 2,213 submodules, and the JavaScript behind it requires as many: 20 seconds and
2 GB for a stack that uses ten of them. Two mechanisms avoid that without changing the synthesized JSON:

- In Python (`loader.py`), a provider's submodule is imported when somebody asks for it: by an import, or as an attribute
  (`aws.iam_role`). Newer packages do so themselves.
- In Node (`kernel.py`), jsii gets a provider's assembly cut to the submodules that Python has imported. Nobody guesses which those
  are: the assembly is loaded when a request to Node first names it. A cut (`cut.py`) is made once for each set of submodules, in a
  second or two, and kept in the user's cache.

A provider is loaded as a whole, and a line on stderr says why, if Python imports more of it after that, if the JavaScript of
another package uses it, or if a cut cannot be made or kept.

Tried, and left out because each saves less than a sixth of a synthesis: annotations compiled as strings, a cache of type hints
(which only makes up for such strings), one Node process instead of jsii's two, and an early start of Node.

Importing `imports` only registers the import hook. `EAGER_IMPORTS=1` switches the two off, to compare.
"""
