"""What a recipe publishes, made from the files of a run where that takes an export."""

from typing import Literal, cast

from finetune.corpus import read_documents
from finetune.exporting.export import export_gguf
from finetune.exporting.tensors import Kind
from finetune.recipe.schema import Publish
from finetune.run_folder import RunFolder


def exported(
    run: RunFolder, publish: Publish, licence: str
) -> Literal["merged", "adapter", "gguf"]:
    """The kind of artefact that `publish` names; for a GGUF, gguf/ is written from merged/.

    It is compared on the run's held-out files. Raises as `export_gguf` does.
    """
    if publish.artefact == "merged" or publish.artefact == "adapter":
        return publish.artefact
    kind = cast(Kind, publish.artefact.removeprefix("gguf-"))
    texts = [document.text for document in read_documents(run.holdout_corpus)]
    about = {"name": publish.repo.rpartition("/")[2], "license": licence}
    export_gguf(run.merged, run.gguf, kind, texts, about)
    return "gguf"
