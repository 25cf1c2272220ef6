"""E-mail and IP addresses.

Left as they are: addresses of the domains reserved for examples (RFC 2606), the user in front of a
host in a URL or an `scp`, `ssh` or `git` command, private, reserved, multicast and documentation
IPs, public name servers, and version numbers that look like an IP.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address

from finetune.corpus.personal_data.finding import Finding, finding

_LOCAL = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+-"
_LONGEST_LOCAL = 64  # RFC 5321
_DOMAIN = re.compile(
    r"@((?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.){1,6})([A-Za-z]{2,18})(?![\w(\[]|-\w|\.\w)"
)
_GENERIC = frozenset(
    "academy agency app arpa art asia biz blog care center cloud club codes coffee com company "
    "consulting coop dev digital edu education email engineering events expert family finance "
    "foundation fund global gov group guru health host info ink institute int international jobs "
    "land legal life link live love ltd media mil mobi money museum name net network news ninja "
    "one online org page partners photo photography plus pro pub radio rocks school science "
    "services sh shop show site social software solutions space store studio support systems team "
    "tech technology tips today tools top travel university vip website wiki work works world "
    "xyz zone".split()
)
_COUNTRIES = frozenset(
    "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs "
    "bt bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee "
    "eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm "
    "hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb "
    "lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz "
    "na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs "
    "ru rw sa sb sc sd se sg si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm "
    "tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw".split()
)
_EXAMPLE = re.compile(r"(?:^|\.)example\.(?:com|org|net|edu)$", re.IGNORECASE)
_SERVICE = frozenset({"git", "hg", "svn", "ssh"})
_COMMAND = re.compile(r"\b(?:ssh|scp|sftp|rsync|mosh)(?:\s+-\S{1,20}(?:\s+\d{1,5})?){0,4}\s+$")

_IPV4 = re.compile(r"(?<![\w.+-])\d{1,3}(?:\.\d{1,3}){3}(?![\w+-]|\.\w)")
_TWO_COLONS = re.compile(r":[0-9A-Fa-f]{0,4}:")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{8,39}(?![\w:.]|\.\d)")
_GLOBAL_UNICAST = 0b001  # first bits of every public IPv6 address, RFC 4291
_VERSION = re.compile(
    r"(?:versions?|vers?|revision|release|build|chapter|section|clause|§|oid|[=<>~!]=)[\W_]{0,6}$",
    re.IGNORECASE,
)
# One of these near it tells an address of small numbers from a version.
_NETWORK = (
    *("addr", "host", "server", "dns", "ping", "route", "gateway", "listen", "bind", "connect"),
    *("://", "subnet", "client", "peer", " ip", "_ip", "ip_", "ip:", "ip=", "ip ", "ips", "ipv4"),
)
# Google, Cloudflare, Quad9, OpenDNS, Level 3, Comodo, AdGuard, Control D, Alternate DNS.
_NAME_SERVERS = frozenset(
    ip_address(one)
    for one in (
        "8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 149.112.112.112 208.67.222.222 208.67.220.220 "
        "4.2.2.1 4.2.2.2 8.26.56.26 8.20.247.20 94.140.14.14 94.140.15.15 76.76.2.0 76.76.10.0 "
        "76.76.19.19 76.223.122.150 2001:4860:4860::8888 2001:4860:4860::8844 "
        "2606:4700:4700::1111 2606:4700:4700::1001 2620:fe::fe 2620:fe::9 2620:119:35::35 "
        "2620:119:53::53"
    ).split()
)


def emails(text: str) -> Iterator[Finding]:
    """E-mail addresses with a domain that can exist."""
    at = text.find("@")
    while at >= 0:
        domain = _DOMAIN.match(text, at)
        if domain:
            before = text[max(0, at - _LONGEST_LOCAL) : at]
            local = before[len(before.rstrip(_LOCAL)) :].lstrip(".-%+")
            start = at - len(local)
            if local and not local.endswith(".") and _is_address(text, start, local, domain):
                yield finding((start, domain.end()), "email")
        at = text.find("@", at + 1)


def _is_address(text: str, start: int, local: str, domain: re.Match[str]) -> bool:
    top = domain[2].lower()
    if top not in _GENERIC and top not in _COUNTRIES:
        return False
    if local in _SERVICE or _EXAMPLE.search(domain[0][1:]):
        return False
    after = text[domain.end() : domain.end() + 2]
    if after[:1] == ":" and (after[1:].isalnum() or after[1:] in ("~", "/")):
        return False  # host:path or host:port
    head = text[max(0, start - 200) : start]
    return not (_is_in_authority(head) or _COMMAND.search(head[-80:]))


def _is_in_authority(head: str) -> bool:
    """Whether a text ends between the `//` of a URL and the first slash behind it."""
    _, slashes, rest = head.rpartition("//")
    return bool(slashes) and not any(one.isspace() or one in "/?#\"'<>(),;" for one in rest)


def ips(text: str) -> Iterator[Finding]:
    """Public IPv4 and IPv6 addresses, each replaced by a private one."""
    for match in _IPV4.finditer(text):
        if _is_version(text, match):
            continue
        address = _parsed(match[0])
        if address is not None and _is_public(address):
            yield Finding(*match.span(), "ip", _private(address))
    end = 0
    for colons in _TWO_COLONS.finditer(text):
        if colons.start() < end:
            continue
        start = max(end, colons.start() - 4)
        end = colons.end()
        found = _IPV6.search(text, start, min(len(text), start + 48))
        if found is None or found.start() > colons.start():
            continue
        end = found.end()
        address = _parsed(found[0])
        if address is not None and _is_public(address):
            yield Finding(*found.span(), "ip", _private(address))


def _is_version(text: str, match: re.Match[str]) -> bool:
    """Whether four numbers are more likely those of a version, a section or a requirement."""
    start, end = match.span()
    if _VERSION.search(text, max(0, start - 20), start):
        return True
    if any(int(one) >= 100 for one in match[0].split(".")):
        return False
    near = f"{text[max(0, start - 100) : start]} {text[end : end + 100]}".lower()
    return not any(word in near for word in _NETWORK)


def _parsed(value: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(value)
    except ValueError:
        return None


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if address in _NAME_SERVERS or not address.is_global or address.is_multicast:
        return False
    if isinstance(address, IPv4Address):
        return True
    # `1::2` is a slice and `ab::cd` a name of C++ more often than an address.
    groups = [one for one in str(address).split(":") if one]
    return int(address) >> 125 == _GLOBAL_UNICAST and len(groups) >= 3


def _private(address: IPv4Address | IPv6Address) -> str:
    """A private address (RFC 1918, RFC 4193), the same for the same address everywhere.

    It has 20 bits that depend on the old one: 4,096 IPv4 addresses share each, so that none can
    be told from its replacement.
    """
    number = int.from_bytes(blake2b(address.packed, digest_size=4).digest(), "big") >> 12
    if isinstance(address, IPv4Address):
        return str(IPv4Address((172 << 24) + (16 << 16) + number))
    return str(IPv6Address((0xFD00 << 112) + number))
