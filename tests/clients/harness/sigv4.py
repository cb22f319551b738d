"""Signature version 4 from its published description, for requests no SDK would sign."""

from __future__ import annotations

import datetime
import hashlib
import hmac

from .http import Response, send
from .server import ROOT_KEY_ID, ROOT_SECRET, Server

ECR_PREFIX = "AmazonEC2ContainerRegistry_V20150921."
ECR_PUBLIC_PREFIX = "SpencerFrontendService."
JSON_TYPE = "application/x-amz-json-1.1"


def sign(
    headers: dict[str, str],
    body: bytes,
    *,
    service: str,
    region: str,
    key_id: str = ROOT_KEY_ID,
    secret: str = ROOT_SECRET,
    at: datetime.datetime | None = None,
    path: str = "/",
) -> dict[str, str]:
    """The headers with `X-Amz-Date` and `Authorization` of a POST; `headers` must contain Host."""
    moment = at or datetime.datetime.now(datetime.timezone.utc)
    stamp = moment.strftime("%Y%m%dT%H%M%SZ")
    signed = {**headers, "X-Amz-Date": stamp}
    names = sorted(name.lower() for name in signed)
    values = {name.lower(): value.strip() for name, value in signed.items()}
    canonical = "\n".join(
        [
            "POST",
            path,
            "",
            *(f"{name}:{values[name]}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in (stamp[:8], region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    signed["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return signed


def call(
    server: Server,
    operation: str,
    body: bytes = b"{}",
    *,
    prefix: str = ECR_PREFIX,
    service: str = "ecr",
    changes: dict[str, str | None] | None = None,
    **signing: object,
) -> Response:
    """A signed JSON call; `changes` replace (or with None remove) headers after signing."""
    headers = sign(
        {"Host": server.host, "Content-Type": JSON_TYPE, "X-Amz-Target": prefix + operation},
        body,
        service=service,
        region=str(signing.pop("region", server.region)),
        **signing,  # type: ignore[arg-type]
    )
    for name, value in (changes or {}).items():
        headers.pop(name, None)
        if value is not None:
            headers[name] = value
    return send(server.host, "POST", "/", headers=headers, body=body)
