"""Fill-in-the-middle layouts: the order of roles, nothing more.

PSM and SPM after Bavarian et al. (arXiv 2207.14255); the SPM that StarCoder was trained on is
their second variant, in which the prefix follows the middle sentinel directly. Upper-case roles
are sentinels, lower-case ones text. After the last role comes the end of the document.
"""

LAYOUTS: dict[str, tuple[str, ...]] = {
    "psm": ("PREFIX", "prefix", "SUFFIX", "suffix", "MIDDLE", "middle"),
    "spm": ("PREFIX", "SUFFIX", "suffix", "MIDDLE", "prefix", "middle"),
    "spm_v1": ("SUFFIX", "suffix", "PREFIX", "prefix", "MIDDLE", "middle"),
}
