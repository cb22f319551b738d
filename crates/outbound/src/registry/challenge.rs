//! What a server says one may log in with: `WWW-Authenticate` (RFC 9110, section 11.6.1). Servers
//! are not trusted, so only what is understood to its end counts, and every part has a bound.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// Bytes of one header that are looked at.
const HEADER_BYTES_MAX: usize = 8 * 1024;
/// Headers that are looked at.
const HEADERS_MAX: usize = 8;
/// Challenges of one header that are looked at.
const CHALLENGES_MAX: usize = 16;
/// Parameters of one challenge.
const PARAMETERS_MAX: usize = 16;
/// Bytes of one parameter's value.
const VALUE_BYTES_MAX: usize = 2048;

/// How one may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// With a name and a password.
    Basic,
    /// With a token of a token service.
    Bearer(Bearer),
}

/// What a token service is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bearer {
    /// Where it is.
    pub(super) realm: String,
    /// What the token is for.
    pub(super) service: Option<String>,
    /// What the token must allow.
    pub(super) scope: Option<String>,
}

/// The challenges of an answer that are understood, in their order.
pub(super) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let headers = headers.get_all(WWW_AUTHENTICATE).iter().take(HEADERS_MAX);
    headers.flat_map(|header| parse(header.as_bytes())).collect()
}

fn parse(header: &[u8]) -> Vec<Challenge> {
    let mut found = Vec::new();
    if header.len() > HEADER_BYTES_MAX {
        return found;
    }
    let mut rest = Rest(header);
    for _ in 0..CHALLENGES_MAX {
        rest.skip_separators();
        let Some(scheme) = rest.token() else { break };
        // Behind what is not understood nothing can be told apart.
        let Some(parameters) = rest.parameters() else { break };
        if scheme.eq_ignore_ascii_case(b"basic") {
            found.push(Challenge::Basic);
        } else if scheme.eq_ignore_ascii_case(b"bearer")
            && let Some(bearer) = bearer(parameters)
        {
            found.push(Challenge::Bearer(bearer));
        }
    }
    found
}

fn bearer(parameters: Vec<(String, String)>) -> Option<Bearer> {
    let (mut realm, mut service, mut scope) = (None, None, None);
    for (name, value) in parameters {
        let slot = match name.as_str() {
            "realm" => &mut realm,
            "service" => &mut service,
            "scope" => &mut scope,
            _ => continue,
        };
        // Two readers could take different ones.
        if slot.replace(value).is_some() {
            return None;
        }
    }
    let filled = |value: &String| !value.is_empty();
    Some(Bearer { realm: realm?, service: service.filter(filled), scope: scope.filter(filled) })
}

/// What of a header is not read yet.
#[derive(Clone, Copy)]
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn skip(&mut self, skipped: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|byte| !skipped(*byte)).unwrap_or(self.0.len());
        let (before, after) = self.0.split_at(end);
        self.0 = after;
        before
    }

    fn skip_blanks(&mut self) -> bool {
        !self.skip(|byte| matches!(byte, b' ' | b'\t')).is_empty()
    }

    fn skip_separators(&mut self) -> bool {
        self.skip(|byte| matches!(byte, b' ' | b'\t' | b',')).contains(&b',')
    }

    fn take(&mut self, expected: u8) -> bool {
        match self.0.split_first() {
            Some((first, after)) if *first == expected => {
                self.0 = after;
                true
            }
            _ => false,
        }
    }

    fn token(&mut self) -> Option<&'a [u8]> {
        let token =
            self.skip(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        (!token.is_empty()).then_some(token)
    }

    /// Parameters until the header or the next challenge; none where there is something else.
    fn parameters(&mut self) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        if !self.skip_blanks() {
            return self.at_end().then_some(found);
        }
        if self.skip_token68() {
            return Some(found);
        }
        loop {
            let before = *self;
            let separated = self.skip_separators();
            if self.0.is_empty() {
                return Some(found);
            }
            let name = self.token()?;
            self.skip_blanks();
            if !self.take(b'=') {
                // A token without a value is the scheme of the next challenge.
                *self = before;
                return separated.then_some(found);
            }
            if !separated && !found.is_empty() || found.len() == PARAMETERS_MAX {
                return None;
            }
            self.skip_blanks();
            let value = self.value()?;
            found.push((String::from_utf8_lossy(name).to_ascii_lowercase(), value));
        }
    }

    fn at_end(self) -> bool {
        self.0.is_empty() || self.0.starts_with(b",")
    }

    /// The other form of what follows a scheme, as `Negotiate` has it.
    fn skip_token68(&mut self) -> bool {
        let mut rest = *self;
        let text = rest.skip(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
        rest.skip(|byte| byte == b'=');
        rest.skip_blanks();
        let is_one = !text.is_empty() && rest.at_end();
        if is_one {
            *self = rest;
        }
        is_one
    }

    fn value(&mut self) -> Option<String> {
        let mut value = Vec::new();
        if self.take(b'"') {
            loop {
                let (byte, after) = self.0.split_first()?;
                self.0 = after;
                let byte = match byte {
                    b'"' => break,
                    b'\\' => {
                        let (escaped, after) = self.0.split_first()?;
                        self.0 = after;
                        escaped
                    }
                    byte => byte,
                };
                if !matches!(byte, b' '..=b'~') || value.len() == VALUE_BYTES_MAX {
                    return None;
                }
                value.push(*byte);
            }
        } else {
            value.extend_from_slice(self.token()?);
            if value.len() > VALUE_BYTES_MAX {
                return None;
            }
        }
        String::from_utf8(value).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(header: &[u8]) -> String {
        let shown = parse(header).into_iter().map(|challenge| match challenge {
            Challenge::Basic => "basic".to_owned(),
            Challenge::Bearer(Bearer { realm, service, scope }) => format!(
                "{realm}|{}|{}",
                service.as_deref().unwrap_or("-"),
                scope.as_deref().unwrap_or("-")
            ),
        });
        shown.collect::<Vec<_>>().join(" & ")
    }

    #[test]
    fn what_is_understood_to_its_end_counts() {
        let check = |header: &str, expected: &str| {
            assert_eq!(shown(header.as_bytes()), expected, "{header}");
        };
        check(
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull""#,
            "https://auth.docker.io/token|registry.docker.io|repository:library/nginx:pull",
        );
        check(
            r#"Bearer realm="https://quay.io/v2/auth",service="quay.io""#,
            "https://quay.io/v2/auth|quay.io|-",
        );
        check(r#"bearer  realm = "a" , SERVICE=b,scope="""#, "a|b|-");
        check(r#"Basic realm="a",service="ecr.amazonaws.com""#, "basic");
        check("Basic", "basic");
        check(r#"Basic realm="a", Bearer realm="b""#, "basic & b|-|-");
        check(r#"Bearer realm="b",scope="c,d e", Basic realm="a""#, "b|-|c,d e & basic");
        check(r#"Negotiate, Basic realm="a""#, "basic");
        check(r#"Negotiate YWJj==, Basic realm="a""#, "basic");
        check(r#"Digest realm="x, Basic y", qop="auth", Basic realm="a""#, "basic");
        check(r#"Bearer realm="a\"b\\c""#, r#"a"b\c|-|-"#);
        check(r#"Bearer realm="a",error="insufficient_scope""#, "a|-|-");
        check(r#", ,Bearer realm="a", ,service="b","#, "a|b|-");
        // Nothing names a token service, or two do.
        check("", "");
        check(",,,", "");
        check("Bearer", "");
        check(r#"Bearer service="a""#, "");
        check(r#"Bearer realm="a",realm="b""#, "");
        check(r#"Bearer realm="a",service="b",Service="c""#, "");
        // What is not understood takes what is behind it along.
        check(r#"Bearer realm="a"#, "");
        check(r#"Bearer realm="a" service="b""#, "");
        check(r#"Bearer realm="a";service="b""#, "");
        check(r#"Bearer realm=""a""#, "");
        check("Bearer realm=\"a\u{1}b\"", "");
        check("Bearer realm=\"\u{e4}\"", "");
        check("Bearer realm=", "");
        check("Bearer =a", "");
        check("Bearer\u{0}realm=a", "");
        check(r#"Basic realm="a", Bearer realm="b"#, "basic");
        check(&format!("Bearer realm=\"{}\"", "a".repeat(VALUE_BYTES_MAX + 1)), "");
        check(&format!("Bearer realm={}", "a".repeat(VALUE_BYTES_MAX + 1)), "");
        check(&format!("Bearer realm=\"a\",{}", "b=c,".repeat(PARAMETERS_MAX)), "");
        check(&format!("{}Basic", " ".repeat(HEADER_BYTES_MAX)), "");
    }

    #[test]
    fn all_headers_of_an_answer_are_read() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, "Negotiate".parse().unwrap());
        headers.append(WWW_AUTHENTICATE, "Basic realm=a".parse().unwrap());
        assert_eq!(challenges(&headers), [Challenge::Basic]);
        for _ in 0..100 {
            headers.append(WWW_AUTHENTICATE, "Basic realm=a".parse().unwrap());
        }
        assert_eq!(challenges(&headers).len(), HEADERS_MAX - 1);
    }

    fn quoted(value: &str) -> String {
        let mut quoted = String::from('"');
        for character in value.chars() {
            if matches!(character, '"' | '\\') {
                quoted.push('\\');
            }
            quoted.push(character);
        }
        quoted.push('"');
        quoted
    }

    proptest! {
        #[test]
        fn whatever_is_sent_has_bounds(header in any::<Vec<u8>>()) {
            prop_assert!(parse(&header).len() <= CHALLENGES_MAX);
        }

        #[test]
        fn what_looks_like_challenges_has_bounds(
            header in "((Bearer|Basic|Digest|x)[ \t,]{0,2}|(realm|service|scope|a)[ ]?=?|\"[ -~é]{0,9}\"?|[=,;\\\\\" \0]){0,40}",
        ) {
            for challenge in parse(header.as_bytes()) {
                if let Challenge::Bearer(bearer) = challenge {
                    let parts = [Some(bearer.realm), bearer.service, bearer.scope];
                    for part in parts.into_iter().flatten() {
                        prop_assert!(part.bytes().all(|byte| matches!(byte, b' '..=b'~')));
                        prop_assert!(part.len() <= header.len());
                    }
                }
            }
        }

        #[test]
        fn what_is_written_is_read(
            realm in "[ -~]{0,40}", service in "[ -~]{1,40}", scope in "[ -~]{1,40}", gap in "[ \t]{1,3}",
        ) {
            let header = format!(
                "Negotiate,Bearer{gap}realm={},{gap}scope={}{gap},service={}{gap}, Basic realm=x",
                quoted(&realm), quoted(&scope), quoted(&service),
            );
            let bearer = Bearer { realm, service: Some(service), scope: Some(scope) };
            prop_assert_eq!(
                parse(header.as_bytes()),
                [Challenge::Bearer(bearer), Challenge::Basic],
            );
        }
    }
}
