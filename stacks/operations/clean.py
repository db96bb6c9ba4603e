"""`make clean`: remove what the set-up and synthesis made, and nothing else."""

import shutil
import sys
from pathlib import Path

from stacks.config.backends import OUTPUT
from stacks.operations.output import StateInOutputError, keep_lock_files, refuse_states
from stacks.operations.terminal import coloured

MADE = (".venv", "node_modules", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".import_linter_cache", ".hypothesis")


class NotRemovedError(RuntimeError):
    """Something could not be removed."""


def main(project: Path) -> None:
    """Remove what was made; the project keeps the lock files of the providers.

    Raises:
        StateInOutputError: `cdktf.out` holds a state.
        NotRemovedError: something could not be removed. The message names what, and why.
    """
    outdir = project / OUTPUT
    refuse_states(outdir.relative_to(project))
    keep_lock_files(project, outdir)
    stayed = []
    for path in [outdir, *project.glob(".venv-*"), *(project / name for name in MADE)]:
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            stayed.append(f"{path} ({error.strerror}: {error.filename})" if error.filename else f"{path} ({error})")
    if stayed:
        raise NotRemovedError(f"Not removed: {', '.join(stayed)}. Run `make clean` again when they can be written.")
    print("Removed cdktf.out, the virtual environments and the caches. States and lock files stay. Next: make synth")


if __name__ == "__main__":
    try:
        main(Path())
    except (StateInOutputError, OSError) as error:
        sys.exit(coloured(f"Nothing was removed. {error}", "red", sys.stderr))
    except NotRemovedError as error:
        sys.exit(coloured(str(error), "red", sys.stderr))
