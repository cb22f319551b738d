//! Every good request of the corpus, changed by one thing.

use http::header::AUTHORIZATION;
use secrecy::SecretString;

use super::corpus::good;
use super::{Sent, SignatureError};
use crate::sigv4::{Form, SigningKey, payload_hash, verify};

/// What a changed request must be refused with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// The signature is another.
    Mismatch,
    /// It cannot be read, or does not sign what it must.
    Incomplete,
    /// The body is not the declared one.
    Body,
    /// The signature is good, its time is not.
    Time,
    /// The date of the scope is not that of the request.
    Scope,
    /// The host is not signed.
    Host,
    /// There are both forms of a signature.
    BothForms,
}

fn refusal(error: &SignatureError) -> Refused {
    match error {
        SignatureError::Incomplete(_) => Refused::Incomplete,
        SignatureError::BodyMismatch => Refused::Body,
        error if *error == SignatureError::mismatch() => Refused::Mismatch,
        error if *error == SignatureError::host_not_signed() => Refused::Host,
        error if *error == SignatureError::both_forms() => Refused::BothForms,
        SignatureError::InvalidSignature(text) if text.starts_with("Date in") => Refused::Scope,
        SignatureError::InvalidSignature(text) if text.starts_with("Signature ") => Refused::Time,
        other => panic!("{other:?}"),
    }
}

/// Changes every good request to which the change applies, of which there must be some.
fn check(expected: Refused, change: impl Fn(&mut Sent) -> Option<()>) {
    check_any(|sent| change(sent).map(|()| expected));
}

fn check_any(change: impl Fn(&mut Sent) -> Option<Refused>) {
    let mut changed = 0;
    for sent in good() {
        let mut other = sent.clone();
        let Some(expected) = change(&mut other) else { continue };
        let error = other.check().expect_err("a changed request");
        assert_eq!(refusal(&error), expected, "{error}\n{sent:?}\n{other:?}");
        let code = match expected {
            Refused::Incomplete => "IncompleteSignatureException",
            _ => "InvalidSignatureException",
        };
        assert_eq!(error.code(), code);
        changed += 1;
    }
    assert!(changed >= 20, "only {changed} requests were changed");
}

fn is_presigned(sent: &Sent) -> bool {
    !sent.headers.contains_key(AUTHORIZATION)
}

/// What a change that signs another body is refused with.
fn body_refusal(sent: &Sent) -> Refused {
    if sent.headers.contains_key("x-amz-content-sha256") {
        Refused::Body
    } else {
        Refused::Mismatch
    }
}

/// A parameter of the query as it was sent.
fn parameter(sent: &Sent, name: &str) -> Option<String> {
    sent.query.split('&').find(|pair| pair.starts_with(&format!("{name}="))).map(str::to_owned)
}

#[test]
fn another_method() {
    check(Refused::Mismatch, |sent| {
        sent.method = if sent.method == "GET" { "HEAD" } else { "GET" }.to_owned();
        Some(())
    });
    check(Refused::Mismatch, |sent| {
        sent.method = sent.method.to_lowercase();
        Some(())
    });
}

#[test]
fn another_path() {
    check(Refused::Mismatch, |sent| {
        sent.path.push('x');
        Some(())
    });
    check(Refused::Mismatch, |sent| {
        sent.path = format!("/x{}", sent.path);
        // A dot segment would take the new one away again.
        (!sent.path.contains("..")).then_some(())
    });
    check(Refused::Mismatch, |sent| {
        sent.path = sent.path.replacen('%', "%25", 1);
        sent.path.contains('%').then_some(())
    });
}

#[test]
fn another_query() {
    check(Refused::Mismatch, |sent| {
        sent.query.push_str("&added");
        Some(())
    });
    check(Refused::Mismatch, |sent| {
        sent.query.insert_str(0, "0=&");
        Some(())
    });
    check(Refused::Mismatch, |sent| {
        let (first, rest) = sent.query.split_once('&')?;
        let removable = !first.starts_with("X-Amz-") && !first.is_empty();
        sent.query = rest.to_owned();
        removable.then_some(())
    });
    check(Refused::Mismatch, |sent| {
        let (first, rest) = sent.query.split_once('&')?;
        if first.starts_with("X-Amz-") {
            return None;
        }
        sent.query = format!("{first}&{first}&{rest}");
        Some(())
    });
}

#[test]
fn another_body() {
    check_any(|sent| {
        sent.body.push(b' ');
        Some(body_refusal(sent))
    });
    check_any(|sent| {
        sent.body.pop()?;
        Some(body_refusal(sent))
    });
    check(Refused::Body, |sent| {
        sent.headers.contains_key("x-amz-content-sha256").then_some(())?;
        sent.set("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        Some(())
    });
    // The declared hash changed with the body.
    check(Refused::Mismatch, |sent| {
        sent.headers.contains_key("x-amz-content-sha256").then_some(())?;
        sent.body.push(b' ');
        sent.set("x-amz-content-sha256", payload_hash(&sent.body));
        Some(())
    });
}

#[test]
fn another_value_of_a_signed_header() {
    let mut changed = 0;
    for sent in good() {
        for name in sent.claim().signed_headers {
            let expected = match name.as_str() {
                "x-amz-date" => Refused::Incomplete,
                "x-amz-content-sha256" => Refused::Body,
                "date" if !sent.headers.contains_key("x-amz-date") => Refused::Incomplete,
                _ => Refused::Mismatch,
            };
            let other = sent.with(|sent| {
                let mut value = sent.headers[&name].as_bytes().to_vec();
                value.push(b'x');
                sent.headers.remove(&name);
                sent.append(&name, value);
            });
            let error = other.check().expect_err(&name);
            assert_eq!(refusal(&error), expected, "{name} of {sent:?}");
            changed += 1;
        }
    }
    assert!(changed > 4_000, "only {changed} headers were changed");
}

#[test]
fn a_signed_header_left_out() {
    for sent in good() {
        for name in sent.claim().signed_headers {
            let other = sent.with(|sent| {
                sent.headers.remove(&name);
            });
            let error = other.check().expect_err(&name);
            assert_eq!(refusal(&error), Refused::Incomplete, "{name} of {sent:?}");
        }
    }
}

#[test]
fn a_signed_header_once_more() {
    for sent in good() {
        for name in sent.claim().signed_headers {
            let expected = match name.as_str() {
                "host" | "date" => Refused::Incomplete,
                name if name.starts_with("x-amz-") => Refused::Incomplete,
                _ => Refused::Mismatch,
            };
            for value in [sent.get(&name), String::new()] {
                let other = sent.with(|sent| sent.append(&name, value));
                let error = other.check().expect_err(&name);
                assert_eq!(refusal(&error), expected, "{name} of {sent:?}");
            }
        }
    }
}

#[test]
fn a_header_name_left_out_of_what_is_signed() {
    check_any(|sent| {
        let names = sent.claim().signed_headers;
        let last = names.last().filter(|_| names.len() > 1)?.clone();
        if is_presigned(sent) {
            sent.edit_query(&format!("%3B{last}&"), "&");
        } else {
            sent.edit(&format!(";{last},"), ",");
        }
        Some(match last.as_str() {
            "host" => Refused::Host,
            last if last.starts_with("x-amz-") => Refused::Incomplete,
            _ => Refused::Mismatch,
        })
    });
    check(Refused::Host, |sent| {
        if is_presigned(sent) {
            sent.edit_query("SignedHeaders=host", "SignedHeaders=accept");
        } else {
            sent.claim().signed_headers.first().filter(|name| *name == "host")?;
            sent.edit("SignedHeaders=host", "SignedHeaders=accept");
        }
        sent.set("accept", "x");
        Some(())
    });
}

#[test]
fn an_x_amz_header_that_is_not_signed() {
    for name in ["x-amz-target", "X-AMZ-Security-Token", "x-amz-content-sha256", "x-amz-"] {
        check(Refused::Incomplete, |sent| {
            (!sent.headers.contains_key(name)).then(|| sent.append(name, "added"))
        });
    }
}

#[test]
fn another_time_in_the_request() {
    check(Refused::Mismatch, |sent| {
        let text = sent.headers.get("x-amz-date")?.to_str().ok()?.to_owned();
        let (day, time) = text.split_once('T')?;
        let other = if time == "010101Z" { "010102Z" } else { "010101Z" };
        sent.set("x-amz-date", format!("{day}T{other}"));
        Some(())
    });
    check(Refused::Scope, |sent| {
        let text = sent.headers.get("x-amz-date")?.to_str().ok()?.to_owned();
        let (_, time) = text.split_once('T')?;
        sent.set("x-amz-date", format!("20250505T{time}"));
        Some(())
    });
    check(Refused::Scope, |sent| {
        let pair = parameter(sent, "X-Amz-Date")?;
        sent.edit_query(&pair, "X-Amz-Date=20250505T000000Z");
        Some(())
    });
    check(Refused::Mismatch, |sent| {
        let pair = parameter(sent, "X-Amz-Date")?;
        let day = pair.get(..pair.len() - 8)?;
        sent.edit_query(&pair, &format!("{day}T010101Z"));
        Some(())
    });
    check(Refused::Mismatch, |sent| {
        let pair = parameter(sent, "X-Amz-Expires")?;
        sent.edit_query(&pair, "X-Amz-Expires=61");
        Some(())
    });
    check(Refused::Scope, |sent| {
        let claim = sent.claim();
        let (from, to) = (format!("{}/", claim.date), "20250505/");
        match claim.form {
            Form::Header => sent.edit(&from, to),
            Form::Presigned { .. } => sent.edit_query(&from.replace('/', "%2F"), "20250505%2F"),
        }
        Some(())
    });
}

#[test]
fn another_time_of_arrival() {
    check(Refused::Time, |sent| {
        let lives = match sent.claim().form {
            Form::Header => 300,
            Form::Presigned { expires_seconds } => expires_seconds,
        };
        sent.later(lives + 1);
        Some(())
    });
    check(Refused::Time, |sent| {
        sent.later(-301);
        Some(())
    });
}

#[test]
fn another_key() {
    check(Refused::Mismatch, |sent| {
        sent.secret.push('x');
        Some(())
    });
    check(Refused::Mismatch, |sent| {
        sent.secret.clear();
        Some(())
    });
}

#[test]
fn a_key_of_another_day_region_or_service() {
    for sent in good() {
        let claim = sent.claim();
        let secret = SecretString::from(sent.secret.clone());
        for (date, region, service) in [
            ("20200101", claim.region.as_str(), claim.service.as_str()),
            (&claim.date, "eu-north-1", &claim.service),
            (&claim.date, &claim.region, "kms"),
            (&claim.date, &claim.service, &claim.region),
        ] {
            let key = SigningKey::derive(&secret, date, region, service);
            let hash = payload_hash(&sent.body);
            let error = verify(&claim, &sent.view(), &hash, &key, sent.now).expect_err(region);
            assert_eq!(error, SignatureError::mismatch());
        }
    }
}

#[test]
fn another_scope() {
    for (index, other) in [(1, "eu-north-1"), (2, "kms"), (2, "ecr-publi"), (1, "eu-west-11")] {
        check(Refused::Mismatch, |sent| {
            let claim = sent.claim();
            let scope = claim.scope();
            let mut parts: Vec<&str> = scope.split('/').collect();
            parts[index] = other;
            let changed = parts.join("/");
            match claim.form {
                Form::Header => sent.edit(&scope, &changed),
                Form::Presigned { .. } => {
                    sent.edit_query(&scope.replace('/', "%2F"), &changed.replace('/', "%2F"));
                }
            }
            Some(())
        });
    }
    // The same text, cut elsewhere.
    check(Refused::Incomplete, |sent| {
        (!is_presigned(sent)).then_some(())?;
        sent.edit("/aws4_request", "aws4_request");
        Some(())
    });
}

#[test]
fn another_signature() {
    check(Refused::Mismatch, |sent| {
        let claim = sent.claim();
        let last = if claim.signature.ends_with('0') { "1" } else { "0" };
        let changed = format!("{}{last}", claim.signature.get(..63)?);
        match claim.form {
            Form::Header => sent.edit(&claim.signature, &changed),
            Form::Presigned { .. } => sent.edit_query(&claim.signature, &changed),
        }
        Some(())
    });
    for change in [
        |signature: &str| signature.to_uppercase(),
        |signature: &str| signature.get(..63).expect("64 characters").to_owned(),
        |signature: &str| format!("{signature}0"),
        |_: &str| String::new(),
    ] {
        check(Refused::Mismatch, |sent| {
            let signature = sent.claim().signature;
            if is_presigned(sent) {
                sent.edit_query(&signature, &change(&signature));
            } else {
                sent.edit(&signature, &change(&signature));
            }
            Some(())
        });
    }
}

#[test]
fn another_session_token() {
    check(Refused::Mismatch, |sent| {
        sent.headers.contains_key("x-amz-security-token").then_some(())?;
        sent.set("x-amz-security-token", "another");
        Some(())
    });
    check(Refused::Mismatch, |sent| {
        let pair = parameter(sent, "X-Amz-Security-Token")?;
        sent.edit_query(&pair, "X-Amz-Security-Token=another");
        Some(())
    });
    check(Refused::Mismatch, |sent| {
        let pair = parameter(sent, "X-Amz-Security-Token")?;
        sent.edit_query(&format!("&{pair}"), "");
        Some(())
    });
    check(Refused::Mismatch, |sent| {
        (is_presigned(sent) && parameter(sent, "X-Amz-Security-Token").is_none()).then_some(())?;
        sent.query.push_str("&X-Amz-Security-Token=added");
        Some(())
    });
}

#[test]
fn a_parameter_of_the_signature_twice() {
    for name in [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
    ] {
        for spelled in [name.to_owned(), name.to_lowercase(), name.replace('-', "%2D")] {
            check(Refused::Incomplete, |sent| {
                let pair = parameter(sent, name)?;
                let (_, value) = pair.split_once('=')?;
                sent.query.push_str(&format!("&{spelled}={value}"));
                Some(())
            });
        }
    }
}

#[test]
fn a_parameter_of_the_signature_in_another_spelling() {
    for name in ["X-Amz-Algorithm", "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Date"] {
        for spelled in [name.to_lowercase(), name.to_uppercase(), name.replacen('A', "%41", 1)] {
            check(Refused::Incomplete, |sent| {
                parameter(sent, name)?;
                sent.edit_query(&format!("{name}="), &format!("{spelled}="));
                Some(())
            });
        }
    }
}

#[test]
fn both_forms_at_once() {
    for value in ["AWS4-HMAC-SHA256 Credential=a", "Basic QVdTOmE=", ""] {
        check(Refused::BothForms, |sent| {
            is_presigned(sent).then(|| sent.append("authorization", value))
        });
    }
    for pair in
        ["X-Amz-Signature=a", "x-amz-algorithm", "X-Amz%2DCredential=", "X-AMZ-SIGNEDHEADERS"]
    {
        check(Refused::BothForms, |sent| {
            let separator = if sent.query.is_empty() { "" } else { "&" };
            (!is_presigned(sent)).then(|| sent.query.push_str(&format!("{separator}{pair}")))
        });
    }
    for value in ["AWS4-HMAC-SHA256 Credential=a", "Basic QVdTOmE=", ""] {
        check(Refused::Incomplete, |sent| {
            (!is_presigned(sent)).then(|| sent.append("authorization", value))
        });
    }
}
