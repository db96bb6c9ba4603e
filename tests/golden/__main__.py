"""`make golden`: take what is synthesized now as the golden files."""

from pathlib import Path

from stacks.testing import synth_cluster
from tests.configurations import GOLDEN

if __name__ == "__main__":
    for name, config in GOLDEN.items():
        Path(__file__).with_name(name).write_text(synth_cluster(config))
