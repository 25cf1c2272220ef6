"""`finetune complete` with a model that has learned a text by heart."""

import json
import shutil
from pathlib import Path

import pytest

from finetune.cli import main
from finetune.completing.complete import complete_at
from finetune.completing.cursor import parse_cursor
from finetune.completing.model import find_model
from finetune.completing.sources import look_up
from finetune.errors import UserError
from finetune.run_folder import RunFolder
from finetune.trace import BLOOM_FILE, write_bloom
from tests.completing.conftest import LICENCE, MIDDLE, PREFIX, SUFFIX


def completed(where, code, *, place="2", **settings):
    model = find_model(where, where)
    return complete_at(model, parse_cursor(f"{code}:{place}"), max_new_tokens=60, **settings)


def copy_of(learned, folder, *parts):
    """Some parts of the run, elsewhere."""
    for part in (*parts, "stages.json"):
        source, target = learned / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)
    return folder


def at_the_gap(tmp_path):
    """The file as the model knows it: the gap begins with line 2."""
    file = tmp_path / "gap.py"
    file.write_text(PREFIX + SUFFIX)
    return file, "2:1"


def test_a_text_learned_by_heart_is_named_with_its_licence_and_place(learned, tmp_path):
    file, place = at_the_gap(tmp_path)
    filled = completed(learned, file, place=place)
    assert (filled.text, filled.finish) == (MIDDLE, "stop")
    (source,) = filled.lookup.sources
    assert filled.lookup.by == "corpus"
    assert (source.repo, source.path, source.licence) == ("someone/lib", "src/sums.py", "LGPL-3.0")
    assert (source.document.first_line, source.document.last_line) == (4, 7)
    assert filled.text[source.completion.start : source.completion.end] == MIDDLE.strip()


def test_the_command_prints_the_completion_alone_and_its_sources_beside_it(
    learned, tmp_path, capsys, monkeypatch
):
    file, place = at_the_gap(tmp_path)
    monkeypatch.chdir(learned.parent.parent)
    assert main(["complete", "mine", f"{file}:{place}", "--max-new-tokens", "60"]) == 0
    out, err = capsys.readouterr()
    assert out == MIDDLE
    assert "repeat someone/lib src/sums.py:4 (LGPL-3.0)" in err
    assert "Attachment A, restriction (f)" in err


def test_json_holds_all_of_it(learned, tmp_path, capsys):
    file, place = at_the_gap(tmp_path)
    arguments = ["complete", str(learned), f"{file}:{place}", "--max-new-tokens", "60", "--json"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["text"], found["line"], found["column"]) == (MIDDLE, 2, 1)
    assert found["machine_generated"] is True
    assert found["lookup"]["sources"][0]["licence"] == "LGPL-3.0"


def test_lines_cut_a_completion_and_what_is_left_is_too_short_to_be_traced(learned, tmp_path):
    file, place = at_the_gap(tmp_path)
    filled = completed(learned, file, place=place, lines=2)
    assert filled.text == "    result = 0\n    for value in values:"
    assert filled.lookup.sources == []


def test_a_longer_file_loses_its_far_ends_and_fits(learned, tmp_path):
    file = tmp_path / "long.py"
    file.write_text("a = 1\n" * 500 + "def f():\n\n" + "b = 2\n" * 500)
    filled = completed(learned, file, place="502")
    assert filled.prompt_tokens == 160 - 60


def test_a_model_without_its_run_says_that_nothing_is_known(learned, tmp_path, capsys):
    shutil.copytree(learned / "merged", tmp_path / "alone")
    (tmp_path / "alone" / "README.md").write_text("---\nlicense: mit\n---\n")
    file, place = at_the_gap(tmp_path)
    assert main(["complete", str(tmp_path / "alone"), f"{file}:{place}"]) == 0
    err = capsys.readouterr().err
    assert "no index of the training code is at hand" in err
    assert "Attachment A" not in err, "MIT asks for no such thing"


def test_where_the_corpus_is_gone_its_index_is_asked(learned, tmp_path):
    run = copy_of(learned, tmp_path / "run", "merged", "trace")
    file, place = at_the_gap(tmp_path)
    filled = completed(run, file, place=place)
    assert filled.lookup.by == "fingerprints"
    assert {source.path for source in filled.lookup.sources} == {"src/sums.py"}


def test_a_releases_filter_knows_the_passage_but_not_the_document(learned, tmp_path):
    release = tmp_path / "release"
    shutil.copytree(learned / "merged", release)
    write_bloom(RunFolder(learned).train_corpus, release / BLOOM_FILE)
    looked = look_up(find_model(release, release), "import math\n\n" + PREFIX + MIDDLE + "\n")
    assert (looked.by, looked.least) == ("filter", 100)
    (source,) = looked.sources
    assert (source.path, source.licence, source.document) == (None, None, None)
    assert (release / "README.md").read_text() == LICENCE


def test_a_completion_too_short_to_be_traced_is_not_lost_for_its_line_ends(learned, tmp_path):
    run = copy_of(learned, tmp_path / "run", "merged", "trace")
    looked = look_up(find_model(run, run), "x = 1\r\n" * 9)  # 63 characters, of which 54 count
    assert (looked.by, looked.least, looked.sources) == ("fingerprints", 120, [])
    shutil.rmtree(run / "trace")
    write_bloom(RunFolder(learned).train_corpus, run / "merged" / BLOOM_FILE)
    looked = look_up(find_model(run, run), "value = 12\r\n" * 9)  # 108, of which 99 count
    assert (looked.by, looked.sources) == ("filter", [])


def test_an_adapter_is_put_on_the_base_that_it_names(learned, tmp_path):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(learned / "merged")
    with torch.random.fork_rng(devices=[]):
        adapted = get_peft_model(base, LoraConfig(r=2, target_modules=["c_attn"]))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.constant_(weight, 0.3)
    adapted.save_pretrained(tmp_path / "adapter")
    file, place = at_the_gap(tmp_path)
    assert completed(tmp_path / "adapter", file, place=place).text != MIDDLE
    config = tmp_path / "adapter" / "adapter_config.json"
    values = json.loads(config.read_text()) | {"base_model_name_or_path": "someone/gone"}
    config.write_text(json.dumps(values))
    with pytest.raises(UserError, match="whose base, someone/gone, is no folder on this machine"):
        find_model(tmp_path / "adapter", tmp_path)


def test_the_adapter_of_a_run_is_the_runs_merge(learned, tmp_path):
    run = copy_of(learned, tmp_path / "run", "merged", "corpus")
    (run / "adapter").mkdir()
    (run / "adapter" / "adapter_config.json").write_text('{"base_model_name_or_path": null}')
    found = find_model(run / "adapter", tmp_path)
    assert (found.folder, found.adapter) == (run / "merged", None)
    assert found.run.path == run
    shutil.rmtree(run / "merged")
    with pytest.raises(UserError, match="an adapter that names no base; name its run once"):
        find_model(run / "adapter", tmp_path)


def test_what_is_no_adapter_is_told(learned, tmp_path):
    config = tmp_path / "adapter_config.json"
    config.write_text("[]")
    with pytest.raises(UserError, match="an adapter that names no base"):
        find_model(tmp_path, tmp_path)
    config.write_text(json.dumps({"base_model_name_or_path": str(learned / "merged")}))
    (tmp_path / "adapter_model.bin").touch()
    with pytest.raises(UserError, match=r"no adapter_model\.safetensors, and nothing else is"):
        find_model(tmp_path, tmp_path)


def test_a_folder_of_the_same_name_does_not_hide_a_run(learned, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_model(Path("mine"), learned.parent).run.path == learned


def test_folders_without_a_model_for_gaps_are_told(learned, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no model"):
        find_model(tmp_path / "empty", tmp_path)
    (tmp_path / "empty" / "model-F16.gguf").touch()
    with pytest.raises(UserError, match="llama-server"):
        find_model(tmp_path / "empty", tmp_path)
    with pytest.raises(UserError, match="no such folder, and no run of that name"):
        find_model(tmp_path / "none", tmp_path)
    shutil.copytree(learned / "merged", tmp_path / "chat")
    parsed = json.loads((tmp_path / "chat" / "tokenizer.json").read_text())
    parsed["added_tokens"] = [one for one in parsed["added_tokens"] if "fim" not in one["content"]]
    (tmp_path / "chat" / "tokenizer.json").write_text(json.dumps(parsed))
    with pytest.raises(UserError, match="no fill-in-the-middle sentinels"):
        find_model(tmp_path / "chat", tmp_path)


def test_no_room_for_a_prompt_is_told(learned, tmp_path, capsys):
    file, place = at_the_gap(tmp_path)
    assert main(["complete", str(learned), f"{file}:{place}", "--max-new-tokens", "157"]) == 2
    assert "leave no room for a prompt in the model's 160 positions" in capsys.readouterr().err
