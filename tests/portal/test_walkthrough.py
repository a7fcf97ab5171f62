import pytest

from portal import walkthrough
from portal.walkthrough import Unexpected


@pytest.fixture
def pair(tmp_path):
    """Two folders that hold the same files."""
    for name in ("source", "destination"):
        folder = tmp_path / name / "deep"
        folder.mkdir(parents=True)
        (folder / "a.bin").write_bytes(b"\x00\x01")
    return tmp_path / "source", tmp_path / "destination"


def test_copies_are_counted(pair):
    assert walkthrough.same_files(*pair) == "1 files, 2 bytes, the same on disk"


def test_a_copy_of_the_same_size_and_time_that_differs_is_found(pair):
    source, destination = pair
    (destination / "deep" / "a.bin").write_bytes(b"\x00\x02")

    with pytest.raises(Unexpected, match="1 differ"):
        walkthrough.same_files(source, destination)


def test_a_missing_copy_is_found(pair):
    source, destination = pair
    (destination / "deep" / "a.bin").unlink()

    with pytest.raises(Unexpected, match="1 are missing"):
        walkthrough.same_files(source, destination)


def test_nothing_is_not_the_same_as_nothing(tmp_path):
    with pytest.raises(Unexpected, match="no files"):
        walkthrough.same_files(tmp_path, tmp_path)


def test_a_step_says_in_one_line_how_it_went(capsys):
    def fail():
        raise Unexpected("the log says:\nline\nlast line")

    assert walkthrough.carried_out("this", lambda: "well")
    assert not walkthrough.carried_out("that", fail)

    assert capsys.readouterr().out == (
        "PASS this (well)\nFAIL that: the log says: … last line\n"
    )
