"""A release to where the recipe says: the Hugging Face Hub, or a folder that serves as one."""

from pathlib import Path

from finetune.publishing.folder_hub import dry_run_on_folder, push_to_folder
from finetune.recipe.schema import Publish


def push_release(release: Path, publish: Publish, *, dry_run: bool = False) -> str:
    """Upload the files of `release`, or say what an upload would send; returns what was done.

    Raises UserError, Failed or Refused; each says how the repository is left.
    """
    repo, private = publish.repo, publish.private
    if publish.hub is not None:
        folder = Path(publish.hub)
        if dry_run:
            return dry_run_on_folder(release, folder, repo, private)
        return push_to_folder(release, folder, repo, private)
    from finetune.publishing.hub import dry_run_on_hub, push_to_hub  # they import the Hub's client

    return (dry_run_on_hub if dry_run else push_to_hub)(release, repo, private)
