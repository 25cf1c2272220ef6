"""Keys that are told by their own form: what their issuer puts in front, and how long they are.

detect-secrets' plugins, as far as their patterns take linear time, and patterns of ours for the
rest and for issuers that it does not know. Of its 27 plugins these are not used: KeywordDetector,
BasicAuthDetector (see `assigned`), PrivateKeyDetector (see `pem`) and IPPublicDetector (see
`addresses`), as wanted; AzureStorageKeyDetector; and JwtTokenDetector, NpmDetector, OpenAIDetector,
SoftlayerDetector, CloudantDetector, IbmCloudIamDetector and IbmCosHmacDetector, whose patterns take
quadratic time or worse on one long line. Patterns of ours find the same keys.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from finetune.corpus.personal_data.finding import Finding, finding
from finetune.corpus.personal_data.values import is_placeholder, looks_random


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern, and what a text must hold for it to match at all."""

    hints: tuple[str, ...]
    """One of these stands in every match, in any case where the pattern ignores case."""
    pattern: re.Pattern[str]
    is_weak: bool = False
    """The form alone is also that of ordinary words: the match has to look random."""

    def can_match(self, text: str, folded: str) -> bool:
        """Whether a text, also given case-folded, holds a hint. Takes next to no time."""
        if self.pattern.flags & re.IGNORECASE:
            return any(hint.casefold() in folded for hint in self.hints)
        return any(hint in text for hint in self.hints)


# detect-secrets' class -> the hints of each of its patterns, and whether its form is weak.
_PLUGINS: dict[str, tuple[tuple[tuple[str, ...], ...], bool]] = {
    "artifactory.ArtifactoryDetector": (
        (("AKC",), tuple(f"AP{x}" for x in "0123456789ABCDEF")),
        True,
    ),
    "aws.AWSKeyDetector": ((("A3T", "ABIA", "ACCA", "AKIA", "ASIA"), ("aws",)), False),
    "discord.DiscordBotTokenDetector": (((".",),), True),
    "github_token.GitHubTokenDetector": ((("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),), False),
    "gitlab_token.GitLabTokenDetector": (
        (
            ("glpat-", "gldt-", "glft-", "glsoat-", "glrt-"),
            *(("GR1348941",), ("glcbt-",), ("glimt-",), ("glptt-",), ("glagent-",), ("gloas-",)),
        ),
        False,
    ),
    "mailchimp.MailchimpDetector": ((("-us",),), False),
    "pypi_token.PypiTokenDetector": ((("pypi-AgE",), ("pypi-AgE",)), False),
    "sendgrid.SendGridDetector": ((("SG.",),), False),
    "slack.SlackDetector": ((("xox",), ("hooks.slack.com",)), False),
    "square_oauth.SquareOAuthDetector": ((("sq0csp-",),), False),
    "stripe.StripeDetector": ((("k_live_",),), False),
    "telegram_token.TelegramBotTokenDetector": (((":",),), True),
    "twilio.TwilioKeyDetector": ((("AC",), ("SK",)), True),
}

# Where a pattern has a group, the group is the key and the rest stays.
_OWN = (
    (("AccountKey=", "AccessKey="), r"(?:AccountKey|AccessKey)=([A-Za-z0-9+/]{43,86}={0,2})"),
    (("ghp_", "gho_", "ghr_", "ghs_", "ghu_"), r"gh[oprsu]_[A-Za-z0-9_]{36,255}"),
    (("github_pat_",), r"github_pat_[A-Za-z0-9_]{36,255}"),
    (("k_live_", "k_test_"), r"[rs]k_(?:live|test)_[A-Za-z0-9]{24,247}"),
    (("whsec_",), r"whsec_[A-Za-z0-9+/]{32,64}={0,2}"),
    (("AIza",), r"AIza[\w-]{35}"),
    (("GOCSPX-",), r"GOCSPX-[\w-]{28}"),
    (("ya29.",), r"ya29\.[\w-]{20,500}"),
    (("xox",), r"(?:xoxe\.)?xox[abceoprs]-[A-Za-z0-9-]{16,250}"),
    (("xapp-",), r"xapp-\d-[A-Z0-9]{5,20}-\d{5,20}-[a-z0-9]{20,80}"),
    (("webhooks/",), r"webhooks/\d{17,20}/([\w-]{60,80})"),
    (("sk-ant-",), r"sk-ant-[a-z0-9]{2,10}-[\w-]{20,200}"),
    (("npm_",), r"npm_[A-Za-z0-9]{36}"),
    (("_authToken",), r":_authToken=\s{0,4}(npm_[\w-]{10,100}|[A-Fa-f0-9-]{36})"),
    # The three parts of a signed JSON Web Token; the first says `{"` (RFC 7515).
    (("eyJ",), r"(?<![\w-])eyJ[\w-]{8,4000}+\.[\w-]{4,8000}+\.[\w-]{16,2000}+"),
    (("hf_",), r"hf_[A-Za-z0-9]{34,40}"),
    (("hvs.",), r"hvs\.[\w-]{24,200}"),
    (("dop_v1_", "doo_v1_", "dor_v1_"), r"do[opr]_v1_[a-f0-9]{64}"),
    (("shp",), r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}"),
    (("dapi",), r"dapi[a-f0-9]{32}(?:-\d)?"),
    (("glsa_",), r"glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}"),
    (("dckr_pat_",), r"dckr_pat_[\w-]{27}"),
    (("sq0atp-",), r"sq0atp-[\w-]{22}"),
    (("AGE-SECRET",), r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    (("AKIA", "ASIA"), r"A[KS]IA[A-Z0-9]{16}"),
)
_OWN_WEAK = (
    (("sk-",), r"sk-[\w-]{20,250}"),
    ((".",), r"[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,50}"),
    (("key-",), r"key-[a-z0-9]{32}"),
)
_PREFIX = re.compile(r"^(?:[A-Za-z]{2,10}[-_.](?:[a-z]{2,9}[-_])?|A[A-Z3][A-Z]{2}|AIza|AC|SK)")


def tokens(text: str) -> Iterator[Finding]:
    """Keys of known issuers, and signed JSON Web Tokens."""
    folded = text.casefold()
    for rule in _rules():
        if rule.can_match(text, folded):
            yield from _found(text, rule)


def _found(text: str, rule: Rule) -> Iterator[Finding]:
    match = rule.pattern.search(text)
    while match:
        span = _value(match)
        if _is_whole(text, span) and _is_plausible(text[slice(*span)], rule.is_weak):
            yield finding(span, "key")
        # What stands behind a key belongs to the match, and to the match of the next key.
        match = rule.pattern.search(text, span[1])


@cache
def _rules() -> tuple[Rule, ...]:
    own = [Rule(hints, re.compile(pattern)) for hints, pattern in _OWN]
    weak = [Rule(hints, re.compile(pattern), is_weak=True) for hints, pattern in _OWN_WEAK]
    return (*upstream_rules(), *own, *weak)


def upstream_rules() -> Iterator[Rule]:
    """The patterns of detect-secrets' plugins. They are only read: a plugin's `verify` would send
    what was found to its issuer."""
    for name, (hints, is_weak) in _PLUGINS.items():
        module, _, plugin = name.partition(".")
        patterns = getattr(import_module(f"detect_secrets.plugins.{module}"), plugin).denylist
        for pattern, some in zip(patterns, hints, strict=True):
            yield Rule(some, pattern, is_weak)


def _value(match: re.Match[str]) -> tuple[int, int]:
    """The part that is secret: a group of 16 characters or more, else the match without quotes."""
    if match.re.groups and match[1] is not None and len(match[1]) >= 16:
        return match.span(1)
    whole = match[0]
    start = match.start() + len(whole) - len(whole.lstrip(' \t\r\n=:"'))
    return start, start + len(whole.strip(' \t\r\n=:"'))


def _is_whole(text: str, span: tuple[int, int]) -> bool:
    """Whether no letter or digit goes on at either end: a part of a longer string is no key."""
    start, end = span
    return not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum())


def _is_plausible(value: str, is_weak: bool) -> bool:
    body = _PREFIX.sub("", value, count=1)
    return (not is_weak or looks_random(body)) and not is_placeholder(body)
