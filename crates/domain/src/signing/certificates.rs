//! The keys that sign images, and the certificates that say whose they are.
//!
//! Every account has an authority of its own, a self-signed certificate; it issues one code signing
//! certificate for each key of a profile. All keys are on P-384, which the platform
//! `Notation-OCI-SHA384-ECDSA` asks for. The certificates follow the requirements of the Notary
//! Project's signature specification and have all the attributes that its trust policies may name
//! (`C`, `ST`, `O`).

use jiff::civil::Date;
use jiff::{Span, tz::TimeZone};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384,
};
use zeroize::Zeroizing;

use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::names::{AccountId, Region};

/// How long an authority is valid, in months.
pub const AUTHORITY_MONTHS: i32 = 30 * 12;
/// How long a signing certificate is valid, in months, unless its authority ends before: what
/// AWS Signer gives its signatures.
pub const SIGNING_MONTHS: i32 = 135;
/// ISO 3166 leaves it to its users; the attribute must be there, and we do not know better.
const COUNTRY: &str = "ZZ";
const ORGANIZATION: &str = "Tonnage";

/// What issues the signing certificates of an account.
pub struct Authority {
    account: AccountId,
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    created: Millis,
}

/// A key that signs images, with its certificate and that of its authority.
pub struct SigningKey {
    chain: Vec<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
}

impl Authority {
    /// A new one, valid from the day of `now` for [`AUTHORITY_MONTHS`].
    ///
    /// # Errors
    /// Only when the system has no randomness to give, or `now` is no date of this calendar.
    pub fn create(account: AccountId, now: Millis) -> Result<Self> {
        let pair = new_key()?;
        let params = authority_params(&account, now)?;
        let certificate = params.self_signed(&pair).map_err(Error::internal)?;
        Ok(Self { account, certificate: der(&certificate), key: pkcs8(&pair), created: now })
    }

    /// One that was kept: what [`Authority::certificate`], [`Authority::key`] gave, and the time it
    /// was created at.
    pub fn from_parts(
        account: AccountId,
        certificate: Vec<u8>,
        key: Zeroizing<Vec<u8>>,
        created: Millis,
    ) -> Self {
        Self { account, certificate, key, created }
    }

    /// The certificate in DER: what whoever verifies signatures of the account has to trust.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The private key in PKCS #8; to be sealed before it is kept.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// A new key for the profile `name`, with a certificate that is valid from the day of `now` for
    /// [`SIGNING_MONTHS`], and no longer than the authority.
    ///
    /// # Errors
    /// When the authority's key cannot be read, the authority has ended, or the system has no
    /// randomness to give.
    pub fn issue(&self, region: &Region, name: &str, now: Millis) -> Result<SigningKey> {
        let authority = authority_params(&self.account, self.created)?;
        let ends = later(day(self.created)?, AUTHORITY_MONTHS)?;
        let starts = day(now)?;
        if starts >= ends {
            return Err(Error::internal("the signing authority of the account has ended"));
        }
        let mut params = CertificateParams::default();
        set_validity(&mut params, starts, later(starts, SIGNING_MONTHS)?.min(ends))?;
        params.distinguished_name = subject(&self.account, region.as_str(), name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        params.use_authority_key_identifier_extension = true;
        let issuing = KeyPair::try_from(self.key.as_slice()).map_err(Error::internal)?;
        let pair = new_key()?;
        let certificate = params
            .signed_by(&pair, &Issuer::from_params(&authority, issuing))
            .map_err(Error::internal)?;
        Ok(SigningKey {
            chain: vec![der(&certificate), self.certificate.clone()],
            key: pkcs8(&pair),
        })
    }
}

impl SigningKey {
    /// One that was kept: what [`SigningKey::chain`] and [`SigningKey::key`] gave.
    pub fn from_parts(chain: Vec<Vec<u8>>, key: Zeroizing<Vec<u8>>) -> Self {
        Self { chain, key }
    }

    /// The certificates in DER: the key's own first, the authority's last.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// The private key in PKCS #8; to be sealed before it is kept.
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

fn authority_params(account: &AccountId, created: Millis) -> Result<CertificateParams> {
    let starts = day(created)?;
    let mut params = CertificateParams::default();
    set_validity(&mut params, starts, later(starts, AUTHORITY_MONTHS)?)?;
    params.distinguished_name = subject(account, "signing", "Signing authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok(params)
}

fn subject(account: &AccountId, state: &str, common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, COUNTRY);
    name.push(DnType::StateOrProvinceName, state);
    name.push(DnType::OrganizationName, ORGANIZATION);
    name.push(DnType::OrganizationalUnitName, account.as_str());
    name.push(DnType::CommonName, common_name);
    name
}

/// Whole days, so that verifiers whose clock is a little behind ours take what is new.
fn set_validity(params: &mut CertificateParams, starts: Date, ends: Date) -> Result<()> {
    let midnight = |date: Date| {
        let month = u8::try_from(date.month()).map_err(Error::internal)?;
        let day = u8::try_from(date.day()).map_err(Error::internal)?;
        Ok::<_, Error>(rcgen::date_time_ymd(i32::from(date.year()), month, day))
    };
    params.not_before = midnight(starts)?;
    params.not_after = midnight(ends)?;
    Ok(())
}

fn day(time: Millis) -> Result<Date> {
    let timestamp = jiff::Timestamp::from_millisecond(time.0).map_err(Error::internal)?;
    Ok(timestamp.to_zoned(TimeZone::UTC).date())
}

fn later(date: Date, months: i32) -> Result<Date> {
    date.checked_add(Span::new().months(months)).map_err(Error::internal)
}

fn new_key() -> Result<KeyPair> {
    KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).map_err(Error::internal)
}

fn der(certificate: &Certificate) -> Vec<u8> {
    certificate.der().to_vec()
}

fn pkcs8(pair: &KeyPair) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(pair.serialize_der())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_795_000_000_123);
    const MONTH_SECONDS: i64 = 31 * 24 * 3600;

    #[test]
    fn an_authority_issues_until_it_ends() {
        let account = || AccountId::parse("123456789012").unwrap();
        let region = Region::parse("eu-central-1").unwrap();
        let made = Authority::create(account(), NOW).unwrap();
        let kept = Authority::from_parts(
            account(),
            made.certificate().to_vec(),
            Zeroizing::new(made.key().to_vec()),
            NOW,
        );
        let check = |months: i64, issues: bool| {
            let key = kept.issue(&region, "release", NOW.plus_seconds(months * MONTH_SECONDS));
            assert_eq!(key.is_ok(), issues, "after {months} months");
            if let Ok(key) = key {
                assert_eq!(key.chain().len(), 2);
                assert_eq!(key.chain()[1], made.certificate());
                assert_ne!(key.key(), made.key());
            }
        };
        check(0, true);
        check(i64::from(AUTHORITY_MONTHS) - i64::from(SIGNING_MONTHS) / 2, true);
        check(i64::from(AUTHORITY_MONTHS), false);
    }
}
