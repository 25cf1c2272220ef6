"""Whole groups are held out, in an order that only repository and group decide."""

import pytest

from finetune.corpus.holdout import Item, choose, group_of, opened_folders, split
from finetune.errors import UserError


def item(path, characters=10, source=0, repo="repo", language="python"):
    return Item(source, repo, path, language, characters)


def held(items, share):
    assignments = split(items, share)
    return {one.path for one, where in zip(items, assignments, strict=True) if where.is_held_out}


MODULES = [item(f"m{number}.py") for number in range(20)]


@pytest.mark.parametrize(
    ("path", "opened", "group"),
    [
        ("json/decoder.py", [], "json"),
        ("json/tool/a.py", [], "json"),
        ("abc.py", [], "abc"),
        ("list.h", [], "list"),
        (".bashrc", [], ".bashrc"),
        ("src/json/a.py", ["src"], "src/json"),
        ("src/abc.py", ["src"], "src/abc"),
        ("setup.py", ["src"], "setup"),
        ("src/lib/x.py", ["src", "src/lib"], "src/lib/x"),
        ("src/other/x.py", ["src", "src/lib"], "src/other"),
    ],
)
def test_a_group_is_the_top_package_or_module(path, opened, group):
    assert group_of(path, opened) == group


def test_a_single_top_folder_is_opened_until_there_is_a_choice():
    assert opened_folders([item("src/lib/a.py"), item("src/lib/b.py")]) == ["src", "src/lib"]


def test_a_folder_with_nearly_everything_is_opened_too():
    files = [item("setup.py", 10), item("src/a.py", 60), item("src/b.py", 30)]
    assert opened_folders(files) == ["src"]


def test_two_packages_of_like_size_are_not_opened():
    assert opened_folders([item("a/x.py", 60), item("b/x.py", 40)]) == []


def test_files_of_one_package_are_never_split():
    items = [item(f"p{package}/f{file}.py") for package in range(10) for file in range(5)]
    for share in (0.05, 0.1, 0.3, 0.5):
        packages = {path.split("/")[0] for path in held(items, share)}
        assert held(items, share) == {one.path for one in items if one.path[:2] in packages}


@pytest.mark.parametrize(("share", "count"), [(0.1, 2), (0.25, 5), (0.5, 10)])
def test_groups_are_taken_until_the_share_is_reached(share, count):
    assert len(held(MODULES, share)) == count


def test_a_group_far_larger_than_the_target_is_passed_over():
    sizes = {f"g{number}": 10 for number in range(10)} | {"huge": 900}
    assert "huge" not in choose(sizes, "repo", 0.05)


def test_the_smallest_group_is_held_out_where_all_are_too_large():
    assert choose({"a": 50, "b": 30, "c": 20}, "repo", 0.01) == {"c"}


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_something_is_always_left_to_train_on(share):
    assert 0 < len(choose({"a": 1, "b": 1, "c": 1}, "repo", share)) < 3


def test_single_files_are_told_apart_only_where_there_is_one_group():
    items = [item("list.c", 10, language="c"), item("list.h", 20, language="c")]
    assert held(items, 0.1) == {"list.c"}
    assert [one.group for one in split(items, 0.1)] == ["list.c", "list.h"]


def test_every_language_of_a_source_is_held_out_by_its_own_share():
    items = [item(f"p{n}.py") for n in range(10)] + [
        item(f"g{n}.go", language="go") for n in range(10)
    ]
    assert sorted(path[0] for path in held(items, 0.1)) == ["g", "p"]


def test_another_source_does_not_change_what_a_source_holds_out():
    other = [item(f"x{number}.py", 500, source=1, repo="other") for number in range(7)]
    assert held(MODULES, 0.2) <= held([*MODULES, *other], 0.2)
    assert len(held([*MODULES, *other], 0.2)) > len(held(MODULES, 0.2)) > 0


def test_the_position_of_a_source_does_not_change_what_it_holds_out():
    moved = [item(one.path, source=3) for one in MODULES]
    assert held(moved, 0.2) == held(MODULES, 0.2)


def test_the_order_of_files_does_not_change_what_is_held_out():
    assert held(MODULES[::-1], 0.2) == held(MODULES, 0.2)


def test_a_file_added_to_a_training_group_moves_no_other_file():
    before = held(MODULES, 0.2)
    trained = next(one.path for one in MODULES if one.path not in before)
    added = item(trained.replace(".py", "/new.py"), 1)
    assert held([*MODULES, added], 0.2) & {one.path for one in MODULES} >= before


def test_two_repositories_hold_out_different_files():
    chosen = [choose({f"g{n}": 1 for n in range(50)}, repo, 0.2) for repo in ("one", "two")]
    assert chosen[0] != chosen[1]


def test_a_single_document_cannot_be_split():
    with pytest.raises(UserError, match=r"nothing to hold out and train on.*repo/a\.py"):
        split([item("a.py")], 0.1)


def test_a_language_with_one_file_is_trained_on_where_another_can_be_split():
    items = [item("a.py"), item("b.py"), item("c.go", language="go")]
    assert "c.go" not in held(items, 0.5)
