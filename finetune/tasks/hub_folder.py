"""A folder of benchmarks that lies on the Hub: a dataset repository, laid out as the folder is.

Each file is known by its hash, so it does not matter whose repository it is.
"""

import re
from pathlib import Path

from finetune.errors import UserError
from finetune.tasks.files import known_files

ADDRESS = re.compile(r"^hf://datasets/(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?$")


def is_address(named: str) -> bool:
    """Whether a folder of benchmarks is written as one on the Hub."""
    return named.startswith("hf://")


def cached_folder(address: str) -> Path | None:
    """The folder in the Hub's local cache, or None; no network. Raises UserError for no address."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    repo, revision = _parts(address)
    try:
        place = snapshot_download(
            repo,
            repo_type="dataset",
            revision=revision,
            allow_patterns=_patterns(),
            local_files_only=True,
        )
    except LocalEntryNotFoundError:
        return None
    return Path(place)


def fetched_folder(address: str) -> Path:
    """The folder, its known files downloaded where they are not here yet.

    Raises UserError where the Hub refuses, or the repository holds no known file; Failed where the
    Hub cannot be reached.
    """
    from huggingface_hub import snapshot_download

    from finetune.hub import explained, patiently, settle_output

    repo, revision = _parts(address)
    settle_output()
    place = patiently(
        f"benchmarks {repo}",
        lambda: snapshot_download(
            repo,
            repo_type="dataset",
            revision=revision,
            allow_patterns=_patterns(),
        ),
        lambda error: explained(error, "as benchmarks: cannot be fetched", repo, "", "read"),
    )
    folder = Path(place)
    if not any((folder / path).is_file() for path in known_files()):
        some = ", ".join(list(known_files())[:2])
        raise UserError(f"{address}: holds none of the files that benchmarks are known by ({some})")
    return folder


def _patterns() -> list[str]:
    return [*known_files(), "*/LICENSE"]


def _parts(address: str) -> tuple[str, str | None]:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    found = ADDRESS.match(address)
    try:
        if found is None:
            raise HFValidationError
        validate_repo_id(found["repo"])
    except HFValidationError:
        raise UserError(
            f"{address}: is no folder on the Hub; write hf://datasets/OWNER/NAME"
        ) from None
    return found["repo"], found["revision"]
