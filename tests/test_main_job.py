"""The whole job, as a user starts it: a base from scratch, then LoRA on it, then a push."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import safe_open

from finetune.errors import Refused
from finetune.jail import find_backend
from finetune.run_folder import digest_of, sha256_of

ROOT = Path(__file__).parent.parent
FINETUNE = (sys.executable, "-c", "import sys; from finetune.cli import main; sys.exit(main())")

BASE = """\
name: base
base:
  scratch: {layers: 2, width: 64, heads: 1, positions: 128, vocabulary: 512, licence: LICENCE}
data:
  sources:
    - {format: source_code, package: json, language: python}
    - {format: source_code, package: email, language: python}
  holdout: 0.1
sequences: {length: 128}
tune: {method: full}
train: {tokens: 4096, batch_tokens: 1024, learning_rate: 3e-3, precision: fp32}
evaluate: {infilling_problems: 4, max_new_tokens: 8, loss_tokens: 2048}
publish: {repo: tests/base, hub: ./hub}
"""
TUNED = """\
name: tuned
base: {run: base}
data:
  sources:
    - {format: source_code, package: logging, language: python}
    - {format: source_code, package: json, language: python, weight: 0}
  holdout: 0.2
sequences: {length: 128}
tune: {method: lora, rank: 4, alpha: 8}
train: {tokens: 4096, batch_tokens: 1024, learning_rate: 3e-3, precision: fp32}
evaluate:
  infilling_problems: 4
  max_new_tokens: 8
  loss_tokens: 2048
  forgetting: [{format: source_code, path: others}]
  tasks: [{name: own, file: own.jsonl, samples: 1, max_new_tokens: 4}]
publish: {repo: tests/tuned, hub: ./hub}
"""

PROBLEM = {"id": "one", "language": "python", "prompt": "x = 1\n#", "tests": "assert x == 1"}
GO = "package main\n\nfunc total(a int, b int) int {\n\treturn a + b\n}\n" * 20


def finetune(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [*FINETUNE, *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both recipes, run to the end and pushed."""
    folder = tmp_path_factory.mktemp("job")
    (folder / "base.yaml").write_text(BASE.replace("LICENCE", "bigcode-openrail-m"))
    (folder / "tuned.yaml").write_text(TUNED)
    own = {**PROBLEM, "stops": ["\n"]}  # whatever is written is a comment
    (folder / "own.jsonl").write_text(json.dumps(own) + "\n")
    (folder / "others").mkdir()
    (folder / "others" / "a.go").write_text(GO)
    runs = str(folder / "runs")
    finetune("run", str(folder / "base.yaml"), "--runs", runs)
    output = finetune("run", str(folder / "tuned.yaml"), "--runs", runs, "--push")
    (folder / "output.txt").write_text(output)
    return folder


@pytest.fixture(scope="module", params=["base", "tuned"])
def run(place: Path, request: pytest.FixtureRequest) -> Path:
    return place / "runs" / str(request.param)


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def test_every_file_of_a_run_is_there(run):
    wanted = {
        *("recipe.yaml", "manifest.jsonl", "drops.jsonl", "log.jsonl", "scores.json"),
        *("report.html", "stages.json", "merged/merge.json"),
        *("release/README.md", "release/LICENSE", "release/model.safetensors"),
    }
    assert {name for name in wanted if not (run / name).is_file()} == set()


def test_the_merge_is_within_its_tolerance(run):
    proof = read(run / "merged" / "merge.json")
    assert proof["max_abs_logit_difference"] <= proof["tolerance"]
    assert proof["argmax_agreement"] == 1.0
    assert proof["tied_embeddings"] is True


def test_losses_fall_on_files_that_were_held_out(run):
    losses = read(run / "scores.json")["losses"]
    assert set(losses["base"]) == {"left_to_right", "psm", "spm"}
    for layout, before in losses["base"].items():
        assert losses["tuned"][layout] < before


def test_gaps_of_every_kind_are_filled_in(run):
    infilling = read(run / "scores.json")["infilling"]
    kinds = {kind: own["base"]["problems"] for kind, own in infilling["kinds"].items()}
    assert kinds == dict.fromkeys(("line", "lines", "function_body", "span"), 4)
    assert infilling["tuned"]["problems"] == 16


def test_a_language_that_was_not_trained_on_is_measured_and_in_no_total(place):
    run = place / "runs" / "tuned"
    scores = read(run / "scores.json")
    assert scores["trained_languages"] == ["python"]
    assert set(scores["losses_by_language"]) == {"python", "go"}
    assert scores["losses"] == scores["losses_by_language"]["python"]
    assert scores["forgetting"][0]["documents"] == {"go": 1}
    assert "Measured without being trained on: go." in (run / "release" / "README.md").read_text()
    assert "go, left to right" in (run / "report.html").read_text()


def test_the_card_states_the_scores_of_the_run(run):
    card = (run / "release" / "README.md").read_text()
    tuned = read(run / "scores.json")["losses"]["tuned"]["psm"]
    assert f"{round(tuned, 4)}" in card


def test_the_licence_of_the_base_reaches_its_derivative(run):
    card = (run / "release" / "README.md").read_text()
    assert "license: bigcode-openrail-m" in card
    assert "Attachment A" in (run / "release" / "LICENSE").read_text()


def test_the_release_holds_the_merged_weights(run):
    with safe_open(run / "release" / "model.safetensors", "np") as released:
        names = set(released.keys())
    assert "transformer.wte.weight" in names
    assert not any("lora" in name for name in names)


def test_the_tuned_run_stands_on_the_merged_weights_of_its_base(place):
    runs = place / "runs"
    weights = {"model.safetensors": sha256_of(runs / "base" / "merged" / "model.safetensors")}
    assert read(runs / "tuned" / "stages.json")["train"]["inputs"]["base"] == digest_of(weights)


def test_a_source_of_weight_zero_is_measured_and_not_trained(place):
    lines = [
        json.loads(line)
        for line in (place / "runs" / "tuned" / "manifest.jsonl").read_text().splitlines()
    ]
    splits = {line["split"] for line in lines if line["source"] == 1}
    assert splits == {"holdout"}


def test_the_push_leaves_exactly_the_release_in_the_hub(place):
    hub = place / "hub" / "tests" / "tuned"
    release = place / "runs" / "tuned" / "release"
    assert {p.name for p in hub.iterdir()} == {p.name for p in release.iterdir()}
    assert all((hub / p.name).read_bytes() == p.read_bytes() for p in release.iterdir())


def test_without_push_nothing_is_uploaded(place):
    assert not (place / "hub" / "tests" / "base").exists()


def test_the_table_and_the_path_of_the_report_end_the_run(place):
    output = (place / "output.txt").read_text()
    assert "Before and after" in output
    assert f"report: {place / 'runs' / 'tuned' / 'report.html'}" in output


def test_a_second_run_does_nothing_again(place):
    output = finetune("run", str(place / "tuned.yaml"), "--runs", str(place / "runs"))
    for stage in ("prepare", "train", "merge", "evaluate", "release"):
        assert f"{stage}: done before" in output


@pytest.mark.parametrize(
    ("override", "stage"),
    [
        ("train.learning_rate=1e-3", "train"),
        ("data.holdout=0.3", "prepare"),
        ("evaluate.infilling_problems=2", "evaluate"),
        ("publish.summary=new", "release"),
    ],
)
def test_a_changed_key_is_named_with_the_stage_to_redo(place, override, stage):
    runs = str(place / "runs")
    output = finetune("run", str(place / "tuned.yaml"), override, "--runs", runs, code=2)
    assert f"{override.partition('=')[0]} changed since `{stage}` ran" in output
    assert f"--redo {stage}" in output


def test_a_changed_file_of_another_language_is_noticed(place):
    arguments = ("run", str(place / "tuned.yaml"), "--runs", str(place / "runs"))
    file = place / "others" / "a.go"
    file.write_text(GO + "// more\n")
    output = finetune(*arguments, code=2)
    file.write_text(GO)
    assert "evaluate.forgetting.0: content changed since `evaluate` ran" in output


@pytest.mark.parametrize("command", ["train", "merge", "evaluate"])
def test_a_stage_alone_does_not_go_on_with_data_that_the_recipe_no_longer_names(place, command):
    runs = str(place / "runs")
    recipe = str(place / "tuned.yaml")
    output = finetune(command, recipe, "data.holdout=0.3", "--runs", runs, code=2)
    assert "data.holdout changed since `prepare` ran" in output


def test_a_release_works_with_transformers_alone(place):
    release = place / "runs" / "tuned" / "release"
    done = subprocess.run(
        [sys.executable, "examples/use_a_release.py", str(release)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("def add(a, b):\n    return [")


def test_preview_prints_blocks_whose_segments_stand_in_their_documents(place):
    output = subprocess.run(
        [
            *(*FINETUNE, "preview", str(place / "tuned.yaml"), "--json", "-n", "3"),
            *("--runs", str(place / "runs")),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    blocks = [json.loads(line) for line in output.splitlines()]
    assert len(blocks) == 3
    for block in blocks:
        assert len(block["input_ids"]) == len(block["labels"]) == len(block["position_ids"]) == 128
        for one in block["documents"]:
            assert one["layout"] in (None, "psm", "spm")
            assert block["position_ids"][one["start"]] == 0
            assert one["end"] <= 128


def test_preview_s_ids_follow_from_its_segments_and_cuts_alone(place):
    """Rebuilt with nothing but `tokenizers` from what the command prints."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(place / "runs" / "base" / "merged" / "tokenizer.json"))
    tokenizer.encode_special_tokens = True  # names of special tokens are text

    def ids(text):
        return tokenizer.encode(text, add_special_tokens=False).ids

    command = ["preview", str(place / "tuned.yaml"), "--json", "-n", "20"]
    output = subprocess.run(
        [*FINETUNE, *command, "--runs", str(place / "runs")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    layouts = set()
    for block in map(json.loads, output.splitlines()):
        for one in block["documents"]:
            found, text = block["input_ids"][one["start"] : one["end"]], one["segment"]
            layouts.add(one["layout"])
            if one["layout"] is None:
                assert found in (ids(text), [*ids(text), 0])
                continue
            a, b = one["prefix_end"], one["middle_end"]
            prefix, middle, suffix = ids(text[:a]), ids(text[a:b]), ids(text[b:])
            expected = {
                "psm": [1, *prefix, 3, *suffix, 2, *middle, 0],
                "spm": [1, 3, *suffix, 2, *prefix, *middle, 0],
            }
            assert found == expected[one["layout"]]
            assert block["labels"][one["start"] + 1 : one["end"]] == found[1:]
    assert layouts == {None, "psm", "spm"}


def test_preview_writes_a_page(place, tmp_path):
    page = tmp_path / "blocks.html"
    command = ["preview", str(place / "tuned.yaml"), "--html", str(page)]
    done = subprocess.run(
        [*FINETUNE, *command, "--runs", str(place / "runs")], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, f"{page}\n")
    assert "<html" in page.read_text(encoding="utf-8")


def test_a_gate_that_fails_keeps_the_release_back_and_exits_3(place, tmp_path):
    """A limit that no model can meet: the loss must fall by nothing at all from a better base."""
    recipe = place / "gated.yaml"
    text = TUNED.replace("name: tuned", "name: gated").replace("3e-3", "1.0")
    gated = "evaluate:\n  gate: {psm: {max_loss_rise: 0.0}}\n"
    recipe.write_text(text.replace("evaluate:\n", gated))
    assert gated in recipe.read_text()
    runs = str(place / "runs")
    output = finetune("run", str(recipe), "--runs", runs, "--despite-doctor", code=3)
    assert "release: the gate did not pass: psm loss rose by" in output
    assert not (place / "runs" / "gated" / "release").exists()


def test_the_example_of_sequences_runs():
    done = subprocess.run(
        [sys.executable, "examples/sequences_by_hand.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "nominal rate 0.500" in done.stdout


def test_completions_are_written_and_judged_apart_from_a_finished_run(place):
    recipe = ("evaluate", str(place / "tuned.yaml"), "--runs", str(place / "runs"))
    scores = (place / "runs" / "tuned" / "scores.json").read_bytes()
    untasked = finetune(
        "evaluate", str(place / "base.yaml"), *recipe[2:], "--generate-only", code=2
    )
    assert "there are none, so there is nothing to write" in untasked
    more = "evaluate.tasks.0.samples=2"
    printed = finetune(*recipe, "--generate-only", more)
    files = sorted((place / "runs" / "tuned" / "evaluation").glob("*/own-*.completions.jsonl"))
    assert [file.parent.name for file in files] == ["base", "tuned"]
    assert all(str(file) in printed for file in files)
    assert (place / "runs" / "tuned" / "scores.json").read_bytes() == scores
    try:
        find_backend()
    except Refused as error:
        pytest.skip(str(error))
    judged = finetune("evaluate", "--judge", *map(str, files))
    assert judged.count("own: 2 of 2 completions of 1 problems passed") == 2
