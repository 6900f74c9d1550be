"""The picture of the house is the house."""

from tests.house import BLOCK, PAGE, imports, picture


def test_no_room_uses_one_that_uses_it():
    used = imports()
    assert not [(room, near) for room, nears in used.items() for near in nears if room in used.get(near, ())]


def test_the_picture_in_the_design_is_drawn_from_the_imports_as_they_are():
    drawn = BLOCK.search(PAGE.read_text())
    assert drawn is not None and drawn.group(0) == picture(), "run: make house"
