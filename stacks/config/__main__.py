"""`make recommended`: print the recommended values beside the default ones."""

from stacks.config import ClusterConfig
from stacks.config.fields import options_of
from stacks.config.recommended import RECOMMENDED

if __name__ == "__main__":
    for field in options_of(ClusterConfig):
        if field.name in RECOMMENDED:
            print(f"{field.name} = {RECOMMENDED[field.name]!r}   # {field.default!r} by default; class {field.change}")
            print(f"    {field.text}")
