//! A signature of the Notary Project: a JWS over the descriptor of a manifest, and the manifest
//! under which it refers to what it signs.
//!
//! Sources: `signature-specification.md` and `signature-envelope-jws.md` of
//! `notaryproject/specifications`. The signing scheme is `notary.x509`: the time in the envelope is
//! ours and no timestamp authority confirms it, so a signature counts while its certificate does.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::certificates::SigningKey;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::images::manifest::ManifestMediaType;
use crate::names::Digest;

/// The media type of the configuration of a signature's manifest, which is what makes a manifest a
/// signature; its artifact type by the rule of OCI.
pub const ARTIFACT_TYPE: &str = "application/vnd.cncf.notary.signature";
/// The media type of the envelope, the only layer of a signature's manifest.
pub const ENVELOPE_TYPE: &str = "application/jose+json";
/// The configuration of a signature's manifest, which nobody reads.
pub const CONFIGURATION: &[u8] = b"{}";
/// The annotation that lists the SHA-256 fingerprints of the chain; verifiers and we find by it
/// whose signature it is without reading the envelope.
pub const THUMBPRINTS: &str = "io.cncf.notary.x509chain.thumbprint#S256";

const PAYLOAD_TYPE: &str = "application/vnd.cncf.notary.payload.v1+json";
const SIGNING_SCHEME: &str = "io.cncf.notary.signingScheme";
const SIGNING_AGENT: &str = concat!("tonnage/", env!("CARGO_PKG_VERSION"));

/// The manifest to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its media type.
    pub media_type: ManifestMediaType,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

impl Target {
    fn descriptor(&self) -> Value {
        json!({
            "mediaType": self.media_type.as_str(),
            "digest": self.digest.as_str(),
            "size": self.size,
        })
    }
}

/// The envelope of a signature of `target`, made at `now`: a flattened JWS under ES384. Another
/// call makes another one, since such signatures have a random part.
///
/// # Errors
/// When the key cannot be read, or the system has no randomness to give.
pub fn sign(key: &SigningKey, target: &Target, now: Millis) -> Result<Vec<u8>> {
    // Signing times should have no fraction of a second.
    let signing_time =
        jiff::Timestamp::from_second(now.0.div_euclid(1000)).map_err(Error::internal)?;
    let protected = encode(&json!({
        "alg": "ES384",
        "crit": [SIGNING_SCHEME],
        "cty": PAYLOAD_TYPE,
        SIGNING_SCHEME: "notary.x509",
        "io.cncf.notary.signingTime": signing_time.to_string(),
    }));
    let payload = encode(&json!({ "targetArtifact": target.descriptor() }));
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, key.key())
        .map_err(Error::internal)?;
    let signature = pair
        .sign(&SystemRandom::new(), format!("{protected}.{payload}").as_bytes())
        .map_err(Error::internal)?;
    let chain: Vec<_> =
        key.chain().iter().map(|certificate| STANDARD.encode(certificate)).collect();
    let envelope = json!({
        "payload": payload,
        "protected": protected,
        "header": { "x5c": chain, "io.cncf.notary.signingAgent": SIGNING_AGENT },
        "signature": URL_SAFE_NO_PAD.encode(signature.as_ref()),
    });
    Ok(envelope.to_string().into_bytes())
}

/// The OCI image manifest that attaches `envelope` to `target`. Its blobs, the envelope and
/// [`CONFIGURATION`], must be in the repository before it.
pub fn manifest(key: &SigningKey, target: &Target, envelope: &[u8]) -> Vec<u8> {
    json!({
        "schemaVersion": 2,
        "mediaType": ManifestMediaType::OciImage.as_str(),
        "config": blob(ARTIFACT_TYPE, CONFIGURATION),
        "layers": [blob(ENVELOPE_TYPE, envelope)],
        "subject": target.descriptor(),
        "annotations": { THUMBPRINTS: thumbprints(key) },
    })
    .to_string()
    .into_bytes()
}

/// The value of the annotation [`THUMBPRINTS`] of all signatures by `key`: a JSON array as text.
pub fn thumbprints(key: &SigningKey) -> String {
    let fingerprints: Vec<_> = key
        .chain()
        .iter()
        .map(|certificate| Value::from(Digest::of_sha256(certificate).hex()))
        .collect();
    Value::from(fingerprints).to_string()
}

fn blob(media_type: &str, bytes: &[u8]) -> Value {
    json!({
        "mediaType": media_type,
        "digest": Digest::of_sha256(bytes).as_str(),
        "size": bytes.len(),
    })
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, KeyPair as _, UnparsedPublicKey};

    use super::*;
    use crate::names::{AccountId, Region};
    use crate::signing::certificates::Authority;

    const NOW: Millis = Millis(1_795_000_000_123);

    fn key() -> SigningKey {
        let account = AccountId::parse("123456789012").unwrap();
        let region = Region::parse("eu-central-1").unwrap();
        Authority::create(account, NOW).unwrap().issue(&region, "release", NOW).unwrap()
    }

    fn target(media_type: ManifestMediaType) -> Target {
        Target { media_type, digest: Digest::of_sha256(b"image"), size: 5 }
    }

    fn decode(text: &Value) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
    }

    #[test]
    fn an_envelope_verifies_over_exactly_its_headers_and_payload() {
        let key = key();
        let target = target(ManifestMediaType::OciIndex);
        let envelope: Value = serde_json::from_slice(&sign(&key, &target, NOW).unwrap()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, key.key()).unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, pair.public_key().as_ref());
        let signature = decode(&envelope["signature"]);
        let input = format!(
            "{}.{}",
            envelope["protected"].as_str().unwrap(),
            envelope["payload"].as_str().unwrap()
        );
        assert!(public.verify(input.as_bytes(), &signature).is_ok());
        assert!(public.verify(&input.as_bytes()[1..], &signature).is_err());

        let protected: Value = serde_json::from_slice(&decode(&envelope["protected"])).unwrap();
        let expected = json!({
            "alg": "ES384",
            "crit": ["io.cncf.notary.signingScheme"],
            "cty": "application/vnd.cncf.notary.payload.v1+json",
            "io.cncf.notary.signingScheme": "notary.x509",
            "io.cncf.notary.signingTime": "2026-11-18T11:06:40Z",
        });
        assert_eq!(protected, expected);
        let payload: Value = serde_json::from_slice(&decode(&envelope["payload"])).unwrap();
        assert_eq!(payload, json!({ "targetArtifact": target.descriptor() }));
    }

    #[test]
    fn a_manifest_refers_to_what_is_signed() {
        let key = key();
        for media_type in [ManifestMediaType::OciImage, ManifestMediaType::DockerList] {
            let target = target(media_type);
            let envelope = sign(&key, &target, NOW).unwrap();
            let value: Value = serde_json::from_slice(&manifest(&key, &target, &envelope)).unwrap();
            assert_eq!(value["config"]["mediaType"], ARTIFACT_TYPE);
            assert_eq!(value["subject"], target.descriptor());
            assert_eq!(value["layers"][0]["digest"], Digest::of_sha256(&envelope).as_str());
            let listed = value["annotations"][THUMBPRINTS].as_str().unwrap();
            let listed: Vec<String> = serde_json::from_str(listed).unwrap();
            let expected: Vec<_> =
                key.chain().iter().map(|der| Digest::of_sha256(der).hex().to_owned()).collect();
            assert_eq!(listed, expected);
        }
    }

    #[test]
    fn a_key_that_was_kept_signs_as_before() {
        let first = key();
        let kept = zeroize::Zeroizing::new(first.key().to_vec());
        let again = SigningKey::from_parts(first.chain().to_vec(), kept);
        assert_eq!(thumbprints(&again), thumbprints(&first));
        assert!(sign(&again, &target(ManifestMediaType::OciImage), NOW).is_ok());
        let damaged = SigningKey::from_parts(first.chain().to_vec(), vec![0; 8].into());
        assert!(sign(&damaged, &target(ManifestMediaType::OciImage), NOW).is_err());
    }
}
