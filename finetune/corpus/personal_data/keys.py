"""Keys that are told by their form: tokens of services, and private keys in PEM.

The forms are those of detect-secrets' plugins, without the ones that go by keywords, and of some
services that it does not know. What matches is a key only where it looks random: documentation is
full of `AKIAIOSFODNN7EXAMPLE`. Hashes, UUIDs and public certificates have none of these forms.
"""

import re
from collections.abc import Iterator
from functools import cache

from finetune.corpus.personal_data.finding import Finding, finding
from finetune.corpus.personal_data.values import DISTINCT, is_placeholder, looks_random

PLUGINS = (
    ("artifactory", "ArtifactoryDetector"),
    ("aws", "AWSKeyDetector"),
    ("azure_storage_key", "AzureStorageKeyDetector"),
    ("cloudant", "CloudantDetector"),
    ("discord", "DiscordBotTokenDetector"),
    ("github_token", "GitHubTokenDetector"),
    ("gitlab_token", "GitLabTokenDetector"),
    ("ibm_cloud_iam", "IbmCloudIamDetector"),
    ("ibm_cos_hmac", "IbmCosHmacDetector"),
    ("jwt", "JwtTokenDetector"),
    ("mailchimp", "MailchimpDetector"),
    ("npm", "NpmDetector"),
    ("openai", "OpenAIDetector"),
    ("pypi_token", "PypiTokenDetector"),
    ("sendgrid", "SendGridDetector"),
    ("slack", "SlackDetector"),
    ("softlayer", "SoftlayerDetector"),
    ("square_oauth", "SquareOAuthDetector"),
    ("stripe", "StripeDetector"),
    ("telegram_token", "TelegramBotTokenDetector"),
    ("twilio", "TwilioKeyDetector"),
)
"""Module and class. Left out: keywords, basic authentication, private keys (their first line
alone), which are found here in other ways, and IPs."""

SERVICES = (
    ("github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{36,255}"),
    ("sk-", r"\bsk-(?:ant|proj|svcacct|admin)-[A-Za-z0-9_-]{20,255}"),
    ("sk-", r"\bsk-[A-Za-z0-9]{32,64}\b"),
    ("AIza", r"\bAIza[A-Za-z0-9_-]{35}(?![\w-])"),
    ("GOCSPX-", r"\bGOCSPX-[A-Za-z0-9_-]{28}(?![\w-])"),
    ("hf_", r"\bhf_[A-Za-z]{30,40}\b"),
    ("npm_", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("xox", r"\bxox[abeoprs]-[A-Za-z0-9-]{20,255}"),
    ("xapp-", r"\bxapp-\d-[A-Za-z0-9-]{20,255}"),
    ("dop_v1_", r"\bdop_v1_[0-9a-f]{64}\b"),
    ("shp", r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b"),
    ("_live_", r"\b[rs]k_live_[A-Za-z0-9]{24,255}\b"),
    ("whsec_", r"\bwhsec_[A-Za-z0-9]{24,255}\b"),
    ("eyJ", r"\beyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,8000}(?:\.[A-Za-z0-9_-]{10,2000})?"),
    ("dapi", r"\bdapi[0-9a-f]{32}\b"),
    (
        "_access_key",
        r"(?:aws|AWS|Aws)_secret_access_key[\"']?\s{0,3}[=:]\s{0,3}[\"']?([A-Za-z0-9/+]{40})"
        r"(?![A-Za-z0-9/+=])",
    ),
    (
        "_ACCESS_KEY",
        r"AWS_SECRET_ACCESS_KEY[\"']?\s{0,3}[=:]\s{0,3}[\"']?([A-Za-z0-9/+]{40})"
        r"(?![A-Za-z0-9/+=])",
    ),
)
"""What detect-secrets has no plugin for, or knows in an older form only: letters that are in every
match, and its form."""

# What is in every match of an expression of detect-secrets that is slow, by a part of that
# expression: letters, in any case unless one is a capital, or so many characters in a row of those
# that keys are made of.
_LETTERS = {
    "AKC": "AKC",
    "AP[": "AP",
    "aws.{0,20}": "aws",
    "cloudant\\.com": "cloudant",
    "softlayer.com": "softlayer",
    "xox(": "xox",
    "hooks": "hooks",
    "k_live_": "k_live_",
}
_RUNS = {"{64}": 64, "{48}": 48, "{44}": 44, "{35}": 35, "{32}-us": 32, "[a-z]{24}": 24}
_RUNS |= {"{23,25}": 24}
_RUN = re.compile(r"[A-Za-z0-9_-]{24,}")

_AWS_ID = re.compile(r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}")
_SHORTEST = 16
"""Characters of a key; a shorter group of a match is part of its form."""
_LONGEST_PEM = 20_000
_PEM = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_BASE64 = re.compile(r"[A-Za-z0-9+/=]{16,}")


def keys(text: str) -> Iterator[Finding]:
    """Keys and tokens of known forms, and the bodies of private keys."""
    longest = longest_run(text)
    lowered = text.lower()
    for expression, letters, run in _expressions():
        if run > longest or letters not in (lowered if letters.islower() else text):
            continue
        for match in expression.finditer(text):
            start, end = _value(match)
            value = text[start:end]
            if is_key(value):
                yield finding((start, end), "key")
    yield from _private_keys(text)


def is_key(value: str) -> bool:
    """Whether what has the form of a key is one. An AWS id is told by its form alone: capitals, of
    which any may follow another."""
    looks_like_one = looks_random(value) or _AWS_ID.fullmatch(value) is not None
    return looks_like_one and not is_placeholder(value)


def longest_run(text: str) -> int:
    """Characters of the longest run that could hold a key, 0 where none has 24.

    A run of few different characters, such as a rule of dashes, does not look random.
    """
    runs = (run[0] for run in _RUN.finditer(text))
    return max((len(run) for run in runs if len(set(run)) >= DISTINCT), default=0)


def _private_keys(text: str) -> Iterator[Finding]:
    """What stands between the first and the last line of a private key, whatever wraps it."""
    for begin in _PEM.finditer(text):
        limit = min(len(text), begin.end() + _LONGEST_PEM)
        end = text.find("-----END", begin.end(), limit)
        runs = list(_BASE64.finditer(text, begin.end(), limit if end < 0 else end))
        if sum(len(run[0]) for run in runs) < 4 * _SHORTEST:
            continue  # mentioned, not shown
        if end < 0:
            yield from (finding(run.span(), "key") for run in runs[:1])
        else:
            yield finding((runs[0].start(), runs[-1].end()), "key")


def _value(match: "re.Match[str]") -> tuple[int, int]:
    """The key within what matched: the first group that is long enough, else all of it."""
    for number in range(1, 1 + len(match.groups())):
        if match[number] is not None and len(match[number]) >= _SHORTEST:
            return match.span(number)
    return match.span()


@cache
def _expressions() -> "list[tuple[re.Pattern[str], str, int]]":
    """All forms, each with letters that are in its matches and the length of the run in them.

    No letters and no length: it is always tried.
    """
    from importlib import import_module

    found = [(re.compile(form), letters, 0) for letters, form in SERVICES]
    for module, name in PLUGINS:
        plugin = getattr(import_module(f"detect_secrets.plugins.{module}"), name)()
        for one in plugin.denylist:
            letters = next((word for part, word in _LETTERS.items() if part in one.pattern), "")
            run = next((size for part, size in _RUNS.items() if part in one.pattern), 0)
            found.append((one, letters, run))
    return found
