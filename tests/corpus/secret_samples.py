"""Invented secrets in the forms of real ones, put together here so that no scanner takes them for
real ones of ours."""

import random
import string

LETTERS = string.ascii_letters + string.digits


def made_up(size, alphabet=LETTERS, seed=0):
    """Characters that look drawn by chance, the same every time."""
    return "".join(random.Random(f"{seed} {size} {alphabet}").choices(alphabet, k=size))


HEX = "0123456789abcdef"
SECRETS = {
    "AWS access key id": "AKI" + "A" + made_up(16, string.ascii_uppercase + "234567"),
    "GitHub token": "gh" + "p_" + made_up(36),
    "GitHub fine-grained token": "github" + "_pat_" + made_up(22) + "_" + made_up(59),
    "GitLab token": "gl" + "pat-" + made_up(20),
    "Slack token": "xox" + "b-" + made_up(12, string.digits) + "-" + made_up(24),
    "Slack webhook": "https://hooks.slack.com/services/T"
    + made_up(9)
    + "/B"
    + made_up(9)
    + "/"
    + made_up(24),
    "Stripe key": "sk" + "_live_" + made_up(24),
    "Google API key": "AI" + "za" + made_up(35),
    "OpenAI key": "sk" + "-proj-" + made_up(48),
    "Anthropic key": "sk" + "-ant-api03-" + made_up(80),
    "PyPI token": "py" + "pi-AgEIcHlwaS5vcmc" + made_up(90),
    "npm token": "np" + "m_" + made_up(36),
    "SendGrid key": "S" + "G." + made_up(22) + "." + made_up(43),
    "Twilio key": "S" + "K" + made_up(32, HEX),
    "Azure storage key": "Account" + "Key=" + made_up(86) + "==",
    "JSON web token": "ey" + "J" + made_up(30) + "." + made_up(60) + "." + made_up(43),
    "Hugging Face token": "h" + "f_" + made_up(34, string.ascii_letters),
    "Telegram token": made_up(9, "123456789") + ":A" + made_up(34),
}
"""Kind -> a secret that is to be found wherever it stands."""

PEM_BODY = "\n".join(made_up(64, seed=line) for line in range(6))
PEM = f"-----BEGIN RSA PRIVATE {'KEY'}-----\n{PEM_BODY}\n-----END RSA PRIVATE {'KEY'}-----\n"
