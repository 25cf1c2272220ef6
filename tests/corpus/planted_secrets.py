"""Invented secrets in the forms of real ones, put together here so that no scanner takes them for
real ones of ours."""

import random
import string

DIGITS, HEX = string.digits, "0123456789abcdef"
LETTERS = string.ascii_letters + DIGITS
URL_SAFE, BASE64 = LETTERS + "-_", LETTERS + "+/"
BASE32 = string.ascii_uppercase + "234567"


def made_up(size, alphabet=LETTERS, seed=0):
    """Characters that look drawn by chance, the same every time."""
    return "".join(random.Random(f"{seed} {size} {alphabet}").choices(alphabet, k=size))


HEADER = "ey" + "JhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"  # {"alg":"HS256","typ":"JWT"}
PAYLOAD = "ey" + "JzdWIiOiI3MyIsImlhdCI6MTcwMDAwMDAwMH0"  # {"sub":"73","iat":1700000000}

KEYS = {
    "AWS access key id": "AKI" + "A" + made_up(16, BASE32),
    "GitHub": "gh" + "p_" + made_up(36),
    "GitHub, longer than of old": "gh" + "s_" + made_up(60),
    "GitHub fine-grained": "github" + "_pat_" + made_up(22) + "_" + made_up(59),
    "GitLab": "gl" + "pat-" + made_up(20, URL_SAFE),
    "GitLab registration": "GR" + "1348941" + made_up(20),
    "GitLab CI": "gl" + "cbt-4f_" + made_up(20),
    "GitLab mail": "gl" + "imt-" + made_up(25),
    "GitLab trigger": "gl" + "ptt-" + made_up(40, HEX),
    "GitLab agent": "gl" + "agent-" + made_up(50),
    "GitLab application": "gl" + "oas-" + made_up(64, HEX),
    "Slack": "xox" + "b-" + made_up(12, DIGITS) + "-" + made_up(12, DIGITS) + "-" + made_up(24),
    "Slack webhook": "https://hooks."
    + f"slack.com/services/T{made_up(9)}/B{made_up(9)}/{made_up(24)}",
    "Stripe": "sk" + "_live_" + made_up(24),
    "Google": "AI" + "za" + made_up(35, URL_SAFE),
    "OpenAI": "sk" + "-" + made_up(20) + "T3Blbk" + "FJ" + made_up(20, seed=1),
    "OpenAI project": "sk" + "-proj-" + made_up(48),
    "Anthropic": "sk" + "-ant-api03-" + made_up(93, URL_SAFE) + "AA",
    "PyPI": "py" + "pi-AgEIcHlwaS5vcmc" + made_up(150, URL_SAFE),
    "PyPI for tests": "py" + "pi-AgENdGVzdC5weXBpLm9yZw" + made_up(150, URL_SAFE),
    "npm": "np" + "m_" + made_up(36),
    "SendGrid": "S" + "G." + made_up(22, URL_SAFE) + "." + made_up(43, URL_SAFE),
    "Twilio": "S" + "K" + made_up(32, HEX),
    "Twilio account": "A" + "C" + made_up(32, HEX),
    "JSON Web Token": f"{HEADER}.{PAYLOAD}.{made_up(43, URL_SAFE)}",
    "Hugging Face": "h" + "f_" + made_up(34, string.ascii_letters),
    "Telegram": made_up(9, "123456789") + ":AA" + made_up(33, URL_SAFE),
    "Discord": "M" + made_up(23) + "." + made_up(6, URL_SAFE) + "." + made_up(27, URL_SAFE),
    "Discord, longer than of old": "MT"
    + made_up(24)
    + "."
    + made_up(6)
    + "."
    + made_up(38, URL_SAFE),
    "Mailchimp": made_up(32, HEX) + "-us" + "12",
    "Square": "sq0" + "csp-" + made_up(43, URL_SAFE),
    "Artifactory password": "AP" + "7" + made_up(40),
    "Artifactory": "AK" + "C" + made_up(60),
}
"""Kind -> a key that is to be found wherever it stands."""

NAMED = {
    "AWS secret": ("aws_secret_access_key = {}\n", made_up(40, BASE64)),
    "AWS secret in code": ('AWS_SECRET_ACCESS_KEY = "{}"\n', made_up(40, BASE64)),
    "Azure storage": ('"AccountName=me;AccountKey={};"\n', made_up(86, BASE64) + "=="),
    "npm of old": (
        "//registry.acme.io/:_authToken={}\n",
        "3f2a" + made_up(4, HEX) + "-7b1c-4d5e-9f00-" + made_up(12, HEX),
    ),
    "SoftLayer": ('sl_api_key = "{}"\n', made_up(64, HEX)),
    "Cloudant": ('cloudant_key = "{}"\n', made_up(64, HEX)),
    "IBM Cloud": ('ibm_cloud_api_key = "{}"\n', made_up(44, URL_SAFE, seed=2)),
    "IBM COS": ('secret_access_key = "{}"\n', made_up(48, HEX)),
    "header": ('headers = {{"Authorization": "Bearer {}"}}\n', made_up(40)),
    "query": ('url = "https://acme.io/a?api_key={}&b=1"\n', made_up(32)),
    "annotated": ('api_token: str = "{}"\n', made_up(40)),
    "Django": (
        "SECRET_KEY = '{}'\n",
        "k#9w" + made_up(40, string.ascii_lowercase + "!@%^*", seed=4) + "7&x!4q",
    ),
    "no name": ('connect("{}")\n', made_up(64, BASE64)),
}
"""Kind -> the line that tells it, and the key in it."""

PEM_BODY = (
    "\n".join(made_up(64, BASE64, seed=line) for line in range(6)) + "\n" + made_up(10) + "=="
)
BEGIN, END = (f"-----{word} RSA PRIVATE {'KEY'}-----" for word in ("BEGIN", "END"))
