"""A release to where the recipe says: the Hugging Face Hub, or a folder that serves as one."""

from pathlib import Path
from typing import Literal

from finetune.errors import UserError
from finetune.publishing.folder_hub import dry_run_on_folder, push_to_folder
from finetune.recipe.schema import Publish

Way = Literal["main", "pull_request", "dry_run"]


def push_release(release: Path, publish: Publish, way: Way = "main") -> str:
    """Upload the files of `release`, to main or as a pull request, or say what an upload would
    send; returns what was done.

    Raises UserError, Failed or Refused; each says how the repository is left.
    """
    repo, private = publish.repo, publish.private
    if publish.hub is not None:
        folder = Path(publish.hub)
        if way == "pull_request":
            raise UserError("publish.hub: a folder takes no pull requests; the Hub does")
        if way == "dry_run":
            return dry_run_on_folder(release, folder, repo, private)
        return push_to_folder(release, folder, repo, private)
    # These import the Hub's client.
    from finetune.publishing.hub import dry_run_on_hub, push_to_hub
    from finetune.publishing.pull_request import propose_to_hub

    ways = {"main": push_to_hub, "pull_request": propose_to_hub, "dry_run": dry_run_on_hub}
    return ways[way](release, repo, private)
