from pathlib import Path

GOLDEN = Path(__file__).with_name("golden") / "cdk.tf.json"


def test_the_json_is_the_golden_copy_byte_for_byte(stack_file: Path) -> None:
    """After a wanted change: `make golden`, and read the diff."""
    assert stack_file.read_text() == GOLDEN.read_text()
