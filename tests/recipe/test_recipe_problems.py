"""Every problem at once, each with file, line, key and a remedy."""

import pytest


def test_all_problems_are_reported_at_once_in_the_order_of_the_lines(refusal, recipe_text):
    text = recipe_text.replace("tokens: 16384", "tokens: many").replace("path: src", "pth: src")
    assert refusal(text + "engin: zero3\n") == [
        "r.yaml:5: data.sources.0.pth: unknown key; did you mean `path`?",
        "r.yaml:8: train.tokens: must be a whole number; got 'many'",
        "r.yaml:10: engin: unknown key; did you mean `engine`?",
    ]


def test_an_unknown_key_near_to_none_lists_the_known_ones(refusal, recipe_text):
    assert refusal(recipe_text + "fim: {zzz: 1}\n") == [
        "r.yaml:10: fim.zzz: unknown key; known here: rate, spm, spm_layout, cut"
    ]


def test_every_missing_section_is_named(refusal):
    assert refusal("{}") == [
        f"r.yaml:1: {key}: missing" for key in ("name", "base", "data", "train")
    ]


def test_a_missing_key_stands_at_the_line_of_its_section(refusal, recipe_text):
    assert refusal(recipe_text.replace("  tokens: 16384\n", "")) == [
        "r.yaml:7: train.tokens: missing"
    ]


def test_a_bad_entry_of_a_list_is_not_also_called_a_short_list(refusal, recipe_text):
    assert refusal(recipe_text.replace("source_code, path", "source, path")) == [
        "r.yaml:5: data.sources.0.format: must be 'source_code', 'repository', 'git_commits', "
        "'commit_instructions', 'github_issues', 'notebooks', 'notebook_scripts', 'instructions' "
        "or 'chat'; got 'source'"
    ]


def test_no_source_at_all_is_refused(refusal, recipe_text):
    head, tail = recipe_text.split("  sources:")[0], "train: {tokens: 8192, batch_tokens: 8192}\n"
    assert refusal(head + "  sources: []\n" + tail) == [
        "r.yaml:4: data.sources: must have an entry; got an empty list"
    ]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sequences.length", '"3"', "must be a whole number; got '3'"),
        ("sequences.length", "1.5", "must be a whole number; got 1.5"),
        ("sequences.length", "true", "must be a whole number; got true"),
        ("sequences.length", "0", "must be greater than or equal to 1; got 0"),
        ("sequences.length", ".inf", "must be a whole number; got inf"),
        ("sequences.isolate_documents", "1", "must be true or false; got 1"),
        ("sequences.labels", "some", "must be 'all' or 'middle'; got 'some'"),
        ("fim.rate", '"0.5"', "must be a number; got '0.5'"),
        ("fim.rate", "true", "must be a number; got true"),
        ("fim.rate", "1.1", "must be less than or equal to 1; got 1.1"),
        ("train.learning_rate", "0", "must be greater than 0; got 0"),
        ("train.learning_rate", ".inf", "must be a finite number; got inf"),
        ("train.weight_decay", ".nan", "must be a finite number; got nan"),
        ("train.precision", "32", "must be 'bf16', 'fp16' or 'fp32'; got 32"),
        ("name", "7", "must be text; got 7"),
        ("train", "", "must be a mapping of keys; got nothing"),
        ("data.sources", "5", "must be a list; got 5"),
        ("data.sources", "{path: src}", "must be a list; got a mapping"),
        ("data", "[1]", "must be a mapping of keys; got a list"),
    ],
)
def test_a_wrong_type_or_bound_says_what_is_wanted(refusal, recipe_text, key, value, message):
    assert refusal(recipe_text, f"{key}={value}") == [f"command line: {key}: {message}"]


@pytest.mark.parametrize("name", ["a/b", "../a", ".a", "", "a b", '"a\\n"', "é", "x" * 97])
def test_a_name_that_is_no_good_folder_is_refused(refusal, recipe_text, name):
    (line,) = refusal(recipe_text.replace("name: a", f"name: {name or repr('')}"))
    assert line.startswith("r.yaml:1: name: must ")


def test_batch_tokens_that_are_no_multiple_of_the_length_name_the_nearest(refusal, recipe_text):
    assert refusal(recipe_text, "sequences.length=512", "train.batch_tokens=1300") == [
        "command line: train.batch_tokens: 1300 is no multiple of sequences.length (512); "
        "the nearest is 1536"
    ]


def test_batch_tokens_below_the_length_are_raised_to_it(refusal, recipe_text):
    (line,) = refusal(recipe_text, "sequences.length=512", "train.batch_tokens=100")
    assert line.endswith("the nearest is 512")


def test_an_adapter_cannot_be_published_after_full_tuning(refusal, recipe_text):
    text = recipe_text + "tune: {method: full}\npublish: {repo: me/a, artefact: adapter}\n"
    assert refusal(text) == [
        "r.yaml:11: publish.artefact: full tuning makes no adapter; use merged"
    ]


def test_weights_that_are_all_0_leave_nothing_to_train_on(refusal, recipe_text):
    overrides = ("data.sources.0.weight=0", "data.sources.1.weight=0")
    assert refusal(recipe_text, *overrides) == [
        "r.yaml:4: data.sources: every weight is 0: nothing to train on"
    ]


def test_weights_that_leave_no_share_to_a_source_without_one_are_refused(refusal, recipe_text):
    assert refusal(recipe_text, "data.sources.1.weight=1") == [
        "r.yaml:4: data.sources: the weights sum to 1 and leave nothing to the sources without one"
    ]


def test_a_score_for_the_hub_is_of_a_task_that_is_measured(refusal, recipe_text):
    text = recipe_text.replace("publish:", "evaluate: {tasks: [humaneval]}\npublish:")
    (line,) = refusal(
        recipe_text if "evaluate:" in recipe_text else text,
        "publish.repo=me/x",
        "publish.benchmarks={humanevl: {dataset: a/b, task: t}}",
    )
    assert "publish.benchmarks.humanevl: is not among evaluate.tasks" in line


def test_a_source_is_a_path_or_a_package_and_not_both(refusal, recipe_text):
    assert refusal(recipe_text.replace("path: src", "path: src, package: rich")) == [
        "r.yaml:5: data.sources.0: needs exactly one of `path`, `package` and `dataset`"
    ]


def test_a_source_that_is_neither_path_nor_package_is_refused(refusal, recipe_text):
    assert refusal(recipe_text.replace(", path: src", "")) == [
        "r.yaml:5: data.sources.0: needs exactly one of `path`, `package` and `dataset`"
    ]


def test_a_run_cannot_be_its_own_base(refusal, recipe_text):
    assert refusal(recipe_text.replace("{scratch: {licence: mit}}", "{run: a}")) == [
        "r.yaml:2: base.run: is this run itself; name an earlier one"
    ]


def test_contradictions_between_keys_are_reported_together(refusal, recipe_text):
    lines = refusal(recipe_text.replace(", path: src", ""), "sequences.length=1000")
    keys = [line.split(": ")[1] for line in lines]
    assert keys == ["data.sources.0", "train.batch_tokens"]
