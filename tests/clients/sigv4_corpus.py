"""Writes crates/api/src/sigv4/corpus.txt: requests signed by botocore, for the verifier's tests.

    python -m venv venv && venv/bin/pip install botocore
    venv/bin/python tests/clients/sigv4_corpus.py

The clock and the choices are fixed: the same botocore writes the same file. What the file looks
like is said at its top.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import pathlib
import random
import urllib.parse

import botocore
import botocore.auth
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import normalize_url_path

OUTPUT = pathlib.Path(__file__).resolve().parents[2] / "crates/api/src/sigv4/corpus.txt"
BYTES_MAX = 500_000

DOCUMENTATION = """\
# Requests signed by botocore {version}. Written by tests/clients/sigv4_corpus.py; do not edit.
#
# `c` lines are credentials: key id, secret, session token or nothing, separated by tabs.
# `w` lines are words: a character and the text that it stands for after a backtick.
# Every other paragraph is a request:
#   1. outcome (ok; body: a body that is not signed; signature: another canonical request, as S3
#      has it), index of the credentials, region, service, unix time of signing, method
#   2. the path and query
#   3. headers, one per line: name, colon, value as it stands on the wire
#   4. the body after `>`, when there is one
# In 2 to 4: `K is the key id, `R the region, `S the service, `D and `T the day and the time of
# signing, `U the session token percent-encoded, `V the session token. \\xNN is a byte.
"""

CREDENTIALS = [
    Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    Credentials("AKIA0123456789ABCDEF", "+/slashes+and+pluses/////++++=="),
    Credentials(
        "ASIAIOSFODNN7EXAMPLE",
        "temporary/secret+of/a+role/0123456789abc",
        "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCWV1LXdlc3QtMSJHMEUCIQD+a/b+c=/d==",
    ),
    Credentials("ASIA0123456789ABCDEF", "s", "token with spaces, a comma & a per%cent ~*"),
]

TIMES = [
    datetime.datetime(2026, 1, 1, 0, 0, 0),
    datetime.datetime(2026, 2, 28, 23, 59, 59),
    datetime.datetime(2024, 2, 29, 12, 34, 56),
    datetime.datetime(2031, 12, 31, 9, 5, 7),
]

SCOPES = [
    ("ecr", "eu-west-1"),
    ("ecr-public", "us-east-1"),
    ("sts", "us-east-1"),
    ("sts", "cn-north-1"),
    ("iam", "us-east-1"),
    ("ecr", "us-gov-west-1"),
]

HOSTS = [
    "https://api.ecr.eu-west-1.amazonaws.com",
    "https://api.ecr-public.us-east-1.amazonaws.com:8443",
    "http://localhost:5000",
    "http://127.0.0.1:8080",
    "http://[::1]:5000",
    "https://sts.amazonaws.com:443",
    "http://registry.example:80",
    "https://iam.example.com",
]

METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"]

PATHS = [
    "",
    "/",
    "//",
    "/.",
    "/..",
    "/./",
    "/../",
    "/a",
    "/a/",
    "/a//b",
    "//a///b//",
    "/a/./b",
    "/a/../b",
    "/a/b/../../../c",
    "/a/b/..",
    "/a/b/.",
    "/a/b/../",
    "/.a/..b/...",
    "/a%2Fb",
    "/a%2fb",
    "/%2E%2E/a",
    "/a%20b",
    "/a+b",
    "/a*b",
    "/a~b",
    "/%7Ea",
    "/a%25b",
    "/a%2525b",
    "/caf%C3%A9",
    "/%E2%98%83/%F0%9F%90%B3",
    "/a:b@c",
    "/a;b=c,d",
    "/a!b$c&d'e(f)",
    "/a=b",
    "/%00",
    "/%FF%FE",
    "/model/id:1/invoke",
    "/v2/",
    "/2015-03-31/functions/f%3Aprod/invocations",
    "/a-b_c.d",
]

QUERIES = [
    "",
    "a=b",
    "a=",
    "a",
    "b=2&a=1",
    "a=2&a=1",
    "a=1&a=1",
    "a=1&A=2&_=3&-=4",
    "a%2Fb=c%2Fd",
    "a%2fb=c%2fd",
    "a=b+c",
    "a=b%20c",
    "a=b%2Bc",
    "a=*",
    "a=%2A",
    "a=~b",
    "a=%7Eb",
    "a=b=c",
    "a=b%3Dc",
    "a=b%26c",
    "a=%25",
    "a=%2525",
    "=a",
    "caf%C3%A9=%E2%98%83",
    "%F0%9F%90%B3=1&z=2",
    "a=b/c?d:e@f",
    "a=b;c=d,e",
    "a1=1&a=2&a-=3&a%21=4",
    "Action=GetCallerIdentity&Version=2011-06-15",
    "Action=ListUsers&Version=2010-05-08&PathPrefix=%2Fteam%2F",
    "list-type=2&prefix=a%2Fb&delimiter=/",
    "acl",
    "a=%00",
    "a=%FF",
    "x-date=20200101T000000Z",
    "n=" + "0123456789" * 8,
]

JSON = "application/x-amz-json-1.1"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
ECR = "AmazonEC2ContainerRegistry_V20150921."
PUBLIC = "SpencerFrontendService."

# Content type, target of AWS JSON, body.
BODIES = [
    (None, None, b""),
    (JSON, "GetAuthorizationToken", b"{}"),
    (JSON, "DescribeRepositories", b'{"repositoryNames": ["a/b"], "maxResults": 5}'),
    (JSON, "PutImage", '{"imageTag":"é☃🐳"}'.encode()),
    (JSON, "", b'{"a": "b\\nc\\t`"}\n\n'),
    (FORM, None, b"Action=GetCallerIdentity&Version=2011-06-15"),
    (FORM, None, b"Action=AssumeRole&RoleSessionName=a+b%2Fc&Tags.member.1.Key=%E2%98%83"),
    ("application/octet-stream", None, bytes(range(16)) + b"\x7f\x80\xfe\xff"),
    (None, None, b" "),
]

EXTRAS = [
    [],
    [("X-Amz-Meta-A", "  a   b  ")],
    [("X-Custom", "runs   of    spaces"), ("x-b", "")],
    [("X-Repeated", "b"), ("X-Repeated", "a"), ("X-Repeated", "  c   d ")],
    [("Accept", "a,  b"), ("Accept", "c")],
    [("X-Tab", "a\tb \t c")],
    [("X-Unicode", "é ☃  🐳")],
    [("X-Quoted", '"a   b"'), ("X-Empty", "   ")],
    [("User-Agent", "not signed"), ("X-Amzn-Trace-Id", "Root=1;  a"), ("Expect", "100-continue")],
    [("X-Amz-Content-SHA256", None)],
    [("Date", "replaced by botocore")],
    [("ZZ", "1"), ("aa", "2"), ("A-A", "3"), ("a_a", "4"), ("a.a", "5")],
    [("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg=="), ("If-None-Match", "*")],
    [("amz-sdk-invocation-id", "0a1b-2c"), ("amz-sdk-request", "attempt=1;  max=3")],
]

WORDS = {
    "A": "authorization:AWS4-HMAC-SHA256 Credential=`K/`D/`R/`S/aws4_request, SignedHeaders=",
    "H": "host:",
    "C": "content-type:",
    "J": JSON,
    "F": FORM,
    "P": "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=`K%2F`D%2F`R%2F`S%2Faws4_request"
    "&X-Amz-Date=`T&X-Amz-Expires=",
    "Q": "&X-Amz-SignedHeaders=",
    "X": "&X-Amz-Security-Token=`U",
    "G": "&X-Amz-Signature=",
    "Z": ", Signature=",
    "t": "x-amz-date:`T",
    "s": "x-amz-security-token:`V",
    "d": ";x-amz-date",
    "k": ";x-amz-security-token",
    "m": "x-amz-target:" + ECR,
    "n": "x-amz-target:" + PUBLIC,
}


def path_is_plain(path: str) -> bool:
    """Whether S3's canonical path is that of every other service."""
    return urllib.parse.quote(normalize_url_path(path), safe="/~") == path


def escape(text: str) -> str:
    out = []
    for byte in text.encode("utf-8", "surrogateescape"):
        character = chr(byte)
        if byte < 0x20 or byte >= 0x7F or character in "`\\":
            out.append(f"\\x{byte:02x}")
        else:
            out.append(character)
    return "".join(out)


class Corpus:
    def __init__(self) -> None:
        self.paragraphs: list[str] = []
        self.seen: set[str] = set()

    def add(
        self,
        signer: type,
        credentials: int,
        scope: tuple[str, str],
        time: datetime.datetime,
        method: str,
        url: str,
        headers: list[tuple[str, str | None]],
        body: bytes = b"",
        expires: int = 3600,
        context: dict | None = None,
    ) -> None:
        service, region = scope
        request = AWSRequest(method=method, url=url, data=body)
        for name, value in headers:
            request.headers[name] = hashlib.sha256(body).hexdigest() if value is None else value
        request.context.update(context or {})
        botocore.auth.get_current_datetime = lambda *_args, **_options: time
        presigns = issubclass(signer, SigV4QueryAuth)
        arguments = {"expires": expires} if presigns else {}
        signer(CREDENTIALS[credentials], service, region, **arguments).add_auth(request)

        wire = urllib.parse.urlsplit(request.url)
        sent = [(name.lower(), value) for name, value in request.headers.items()]
        if not any(name == "host" for name, _ in sent):
            sent.insert(0, ("host", botocore.auth._host_from_url(request.url)))
        declared = request.headers.get("X-Amz-Content-SHA256")
        outcome = "ok"
        if declared not in (None, hashlib.sha256(body).hexdigest()):
            outcome = "body"
        elif signer is S3SigV4QueryAuth:
            outcome = "signature"
        elif signer is S3SigV4Auth and not path_is_plain(wire.path):
            outcome = "signature"

        stamp = time.strftime("%Y%m%dT%H%M%SZ")
        token = CREDENTIALS[credentials].token
        names = {
            "`K": CREDENTIALS[credentials].access_key,
            "`D": stamp[:8],
            "`T": stamp,
            "`R": region,
            "`S": service,
            "`U": urllib.parse.quote(token or "", safe="-._~"),
            "`V": token or "",
        }

        def resolved(text: str) -> str:
            for name, value in names.items():
                text = text.replace(name, value)
            return text

        words = sorted(WORDS.items(), key=lambda word: -len(resolved(word[1])))

        def compact(text: str) -> str:
            text = escape(text)
            for character, word in words:
                value = escape(resolved(word))
                if not token and ("`U" in word or "`V" in word):
                    continue
                if ":" not in word:
                    text = text.replace(value, "`" + character)
                elif text.startswith(value):
                    text = "`" + character + text[len(value) :]
            return text

        seconds = int(time.replace(tzinfo=datetime.timezone.utc).timestamp())
        lines = [f"{outcome} {credentials} {region} {service} {seconds} {method}"]
        lines.append(compact((wire.path or "/") + ("?" + wire.query if wire.query else "")))
        lines += [compact(f"{name}:{value}") for name, value in sent]
        if body and not presigns:
            lines.append(">" + escape(body.decode("utf-8", "surrogateescape")))
        paragraph = "\n".join(lines)
        if paragraph not in self.seen:
            self.seen.add(paragraph)
            self.paragraphs.append(paragraph)

    def text(self) -> str:
        head = DOCUMENTATION.format(version=botocore.__version__)
        for credentials in CREDENTIALS:
            parts = (credentials.access_key, credentials.secret_key, credentials.token or "")
            head += "\t".join(("c", *parts)) + "\n"
        for character, word in WORDS.items():
            head += f"w{character}{word}\n"
        return head + "\n" + "\n\n".join(self.paragraphs) + "\n"


def main() -> None:
    corpus = Corpus()
    pick = random.Random(20260101).choice
    turns = itertools.count()

    def turn(values: list) -> object:
        return values[next(turns) % len(values)]

    def random_target() -> str:
        query = pick(QUERIES)
        return pick(HOSTS) + pick(PATHS) + ("?" + query if query else "")

    def api_headers(service: str) -> tuple[list, bytes]:
        kind, target, body = pick(BODIES)
        headers = []
        if kind:
            headers.append(("Content-Type", kind))
        if target is not None:
            headers.append(("X-Amz-Target", (PUBLIC if service == "ecr-public" else ECR) + target))
        return headers, body

    # Every path and every query with each signer.
    for signer in (SigV4Auth, SigV4QueryAuth):
        for path in PATHS:
            url = pick(HOSTS) + path
            corpus.add(signer, pick([0, 1, 2, 3]), pick(SCOPES), pick(TIMES), turn(METHODS), url, [])
        for query in QUERIES:
            url = pick(HOSTS) + "/?" + query
            corpus.add(signer, pick([0, 1, 2, 3]), pick(SCOPES), pick(TIMES), turn(METHODS), url, [])

    # What the services' clients send.
    for scope, credentials, time, host in itertools.product(SCOPES, range(4), TIMES[:2], HOSTS[:5]):
        headers, body = api_headers(scope[0])
        corpus.add(SigV4Auth, credentials, scope, time, "POST", host + "/", headers, body)

    # Every set of further headers with every body.
    for extra, (kind, _, body) in itertools.product(EXTRAS, BODIES):
        headers = [("Content-Type", kind)] if kind else []
        scope, time = pick(SCOPES), pick(TIMES)
        corpus.add(
            SigV4Auth, pick(range(4)), scope, time, turn(METHODS), pick(HOSTS) + "/",
            headers + extra, body,
        )  # fmt: skip

    # Presigned: validity, signed headers.
    for expires, credentials in itertools.product((1, 60, 900, 604_799, 604_800), range(4)):
        for scope in SCOPES:
            url = pick(HOSTS) + "/?" + pick(QUERIES[-8:])
            extra = pick([[], [], [("X-K8s-Aws-Id", "a  cluster")], EXTRAS[1], EXTRAS[3]])
            corpus.add(
                SigV4QueryAuth, credentials, scope, pick(TIMES), pick(["GET", "POST"]), url, extra,
                expires=expires,
            )  # fmt: skip

    # S3's signers under its own name and under others.
    for index, path in enumerate(PATHS):
        for signer in (S3SigV4Auth, S3SigV4QueryAuth):
            scope = ("s3", "eu-west-1") if index % 4 else pick(SCOPES)
            query = pick(QUERIES)
            url = pick(HOSTS) + path + ("?" + query if query else "")
            corpus.add(signer, pick(range(4)), scope, pick(TIMES), turn(METHODS), url, [])
    for path, credentials in itertools.product(("/bucket/key", "/bucket", "/"), range(4)):
        for body in (b"", b"the object", bytes(range(120, 136))):
            corpus.add(
                S3SigV4Auth, credentials, ("s3", "eu-west-1"), pick(TIMES), "PUT",
                pick(HOSTS) + path, pick(EXTRAS[:3]), body,
            )  # fmt: skip
    for index in range(6):
        corpus.add(
            SigV4Auth, index % 4, pick(SCOPES), pick(TIMES), "POST", HOSTS[0] + "/",
            [], b"not signed", context={"payload_signing_enabled": False},
        )  # fmt: skip

    # The rest is anything with anything.
    while len(corpus.paragraphs) < 2_150:
        scope, time, credentials = pick(SCOPES), pick(TIMES), pick(range(4))
        if pick([True, True, False]):
            headers, body = api_headers(scope[0])
            extra = pick(EXTRAS[:1] * 6 + EXTRAS)
            corpus.add(
                SigV4Auth, credentials, scope, time, pick(METHODS), random_target(),
                headers + extra, body,
            )  # fmt: skip
        else:
            corpus.add(
                SigV4QueryAuth, credentials, scope, time, pick(METHODS), random_target(),
                [], expires=pick([60, 900, 3600]),
            )  # fmt: skip

    text = corpus.text()
    size = len(text.encode())
    outcomes = [paragraph.split(" ", 1)[0] for paragraph in corpus.paragraphs]
    counts = {name: outcomes.count(name) for name in ("ok", "body", "signature")}
    if size > BYTES_MAX:
        raise SystemExit(f"{size} bytes are more than {BYTES_MAX}: {counts}")
    OUTPUT.write_text(text, encoding="ascii")
    print(f"{OUTPUT.name}: {size} bytes, {counts}")


if __name__ == "__main__":
    main()
