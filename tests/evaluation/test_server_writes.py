"""A running server that writes the completions of one of the models, as the recipe says."""

from finetune.evaluation.evaluation import folder_model, writer
from finetune.evaluation.site import site_for
from finetune.evaluation.tasks_of_run import chosen_tasks, score_tasks, write_tasks
from finetune.recipe.evaluation import Server, Servers
from finetune.recipe.schema import Evaluate
from tests.generation.completion_server import serving


def test_a_server_of_the_tuned_model_writes_what_this_process_would(run, own, model, jail):
    greedy = own.model_copy(update={"temperature": 0.0})
    local = folder_model(model, Evaluate(), trust_remote_code=False)
    with serving(local) as served:
        server = Server(url=served.url, model="small")
        section = Evaluate(tasks=(greedy,), servers=Servers(tuned=server))
        tasks = chosen_tasks(section)
        here = site_for(tasks, section)
        written = {
            name: write_tasks(run, name, writer(name, local, section), tasks, here)
            for name in ("base", "tuned")
        }
    assert written["tuned"]["doubling"].completions == written["base"]["doubling"].completions
    assert [path for path, _ in served.asked] == ["/v1/completions"] * 2
    scores = score_tasks(tasks, written, here).tasks["doubling"]
    assert scores["base"]["written_by"]["backend"] == "transformers"
    assert scores["tuned"]["written_by"]["backend"] == "server"
    assert scores["tuned"]["written_by"]["model"] == "small"


def test_no_weight_is_read_for_a_model_that_a_server_writes_for(run, own, model, jail, monkeypatch):
    local = folder_model(model, Evaluate(), trust_remote_code=False)
    with serving(local) as served:
        section = Evaluate(
            tasks=(own,), servers=Servers(base=Server(url=served.url, model="small"))
        )
        fresh = folder_model(model, section, trust_remote_code=False)
        write_tasks(run, "base", writer("base", fresh, section), chosen_tasks(section))
    assert "model" in vars(local)
    assert "model" not in vars(fresh)
