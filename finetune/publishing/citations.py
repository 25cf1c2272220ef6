"""BibTeX for the release and for the paper of a base that we know."""

_PAPERS = (  # longest prefix of a Hub id first
    (
        "bigcode/starcoder2",
        "@article{lozhkov2024starcoder2,\n"
        "  title = {StarCoder 2 and The Stack v2: The Next Generation},\n"
        "  author = {Lozhkov, Anton and others},\n"
        "  journal = {arXiv preprint arXiv:2402.19173},\n"
        "  year = {2024}\n}",
    ),
    (
        "bigcode/starcoder",
        "@article{li2023starcoder,\n"
        "  title = {StarCoder: may the source be with you!},\n"
        "  author = {Li, Raymond and others},\n"
        "  journal = {arXiv preprint arXiv:2305.06161},\n"
        "  year = {2023}\n}",
    ),
    (
        "bigcode/santacoder",
        "@article{allal2023santacoder,\n"
        "  title = {SantaCoder: don't reach for the stars!},\n"
        "  author = {Ben Allal, Loubna and others},\n"
        "  journal = {arXiv preprint arXiv:2301.03988},\n"
        "  year = {2023}\n}",
    ),
)


def citations(repo: str, base_model_id: str | None) -> list[str]:
    """The release itself first, then its base's paper where we know it."""
    owner, _, name = repo.partition("/")
    own = (
        f"@misc{{{''.join(c if c.isalnum() else '_' for c in name)},\n"
        f"  title = {{{name}}},\n  author = {{{{{owner}}}}},\n"
        f"  howpublished = {{Model repository {repo}}}\n}}"
    )
    base = base_model_id or ""
    return [own, *[entry for prefix, entry in _PAPERS if base.startswith(prefix)][:1]]
