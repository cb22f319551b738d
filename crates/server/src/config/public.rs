//! Public registries: where docker reaches them, and how much they give to one source.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Result;
use tonnage_domain::public::limits::{Allowance, PublicLimits};
use tonnage_domain::quotas::Quotas;

use super::{Kind, Listeners, Setting, Values};

/// The port of the default listeners of public registries.
pub(crate) const DEFAULT_PORT: u16 = 4511;

const PULLS_MAX: u32 = 1_000_000;
const REPOSITORIES_MAX: u32 = 100_000_000;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "public_listen",
        kind: Kind::List,
        value_name: "ADDRESS:PORT",
        default: "127.0.0.1:4511 and [::1]:4511 where `listen` is not set, else none",
        help: "An address under which docker finds public registries whatever name it uses, for \
               machines whose DNS does not have `public.NAME`; more than one may be given, `none` \
               is none. Every address of `listen` serves them too, under `public.NAME`. Answers to \
               clients that use a bare host name the port of the first address.",
    },
    Setting {
        key: "public_anonymous_pulls",
        kind: Kind::Number,
        value_name: "NUMBER",
        default: "1",
        help: "How many manifests a second one source may pull from public registries without \
               credentials, 0 for any number; it may take those of ten seconds at once. A source \
               is an IPv4 address, or the first 64 bits of an IPv6 address. Who pulls more often is \
               answered with 429 and `Retry-After`.",
    },
    Setting {
        key: "public_anonymous_bytes",
        kind: Kind::Text,
        value_name: "SIZE",
        default: "500GB",
        help: "How many bytes one source may pull from public registries without credentials in a \
               calendar month, UTC: `500GB`, `20TiB`, at most 1000PB; `0` for any number.",
    },
    Setting {
        key: "public_authenticated_pulls",
        kind: Kind::Number,
        value_name: "NUMBER",
        default: "10",
        help: "As `public_anonymous_pulls`, with credentials.",
    },
    Setting {
        key: "public_authenticated_bytes",
        kind: Kind::Text,
        value_name: "SIZE",
        default: "0",
        help: "As `public_anonymous_bytes`, with credentials.",
    },
    Setting {
        key: "public_limit_loopback",
        kind: Kind::Switch,
        value_name: "BOOL",
        default: "false",
        help: "Limits pulls from public registries by clients on this machine too.",
    },
    Setting {
        key: "repositories_per_public_registry",
        kind: Kind::Number,
        value_name: "NUMBER",
        default: "10000",
        help: "How many repositories a public registry may have, from 1 to 100000000. What is there \
               already stays.",
    },
];

/// Public registries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Public {
    /// Addresses of their own, in the order given.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Whether somebody asked for these addresses; one that nobody asked for may be in use.
    pub(crate) explicit: bool,
    /// How much they give to one source.
    pub(crate) limits: PublicLimits,
    /// How many repositories one may have.
    pub(crate) repositories: u32,
}

impl Public {
    pub(super) fn read(values: &Values, listeners: &Listeners) -> Result<Self> {
        let given = values.many("public_listen", |text| match text {
            "none" => Ok(None),
            _ => text.parse::<SocketAddr>().map(Some).map_err(|_| {
                format!(
                    "{text:?} is not an address with a port, such as `127.0.0.1:4511`, and not \
                     `none`"
                )
            }),
        })?;
        let explicit = given.is_some();
        let addresses: Vec<SocketAddr> = match given {
            Some(given) => given.into_iter().flatten().collect(),
            None if listeners.explicit => Vec::new(),
            None => vec![
                SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
                SocketAddr::from((Ipv6Addr::LOCALHOST, DEFAULT_PORT)),
            ],
        };
        for address in &addresses {
            if address.port() != 0 && listeners.addresses.contains(address) {
                anyhow::bail!("`public_listen` names {address}, which `listen` names too");
            }
        }
        let ecr = PublicLimits::ECR;
        let allowance = |pulls, bytes, of_ecr: Allowance| -> Result<Allowance> {
            Ok(Allowance {
                pulls_per_second: values
                    .number(pulls, 0, PULLS_MAX)?
                    .unwrap_or(of_ecr.pulls_per_second),
                bytes_per_month: values.one(bytes, parse_size)?.unwrap_or(of_ecr.bytes_per_month),
            })
        };
        Ok(Self {
            addresses,
            explicit,
            limits: PublicLimits {
                anonymous: allowance(
                    "public_anonymous_pulls",
                    "public_anonymous_bytes",
                    ecr.anonymous,
                )?,
                authenticated: allowance(
                    "public_authenticated_pulls",
                    "public_authenticated_bytes",
                    ecr.authenticated,
                )?,
                loopback: values.switch("public_limit_loopback")?.unwrap_or(ecr.loopback),
            },
            repositories: values
                .number("repositories_per_public_registry", 1, REPOSITORIES_MAX)?
                .unwrap_or(Quotas::ECR.repositories_per_public_registry),
        })
    }
}

fn parse_size(text: &str) -> Result<u64, String> {
    const SIZE_MAX: u64 = 1_000_000_000_000_000_000;
    let wrong = || format!("{text:?} is not a size of at most 1000PB, such as `500GB` or `0`");
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let unit: u64 = match text.strip_prefix(digits) {
        Some("" | "B") => 1,
        Some("KB") => 1_000,
        Some("MB") => 1_000_000,
        Some("GB") => 1_000_000_000,
        Some("TB") => 1_000_000_000_000,
        Some("PB") => 1_000_000_000_000_000,
        Some("KiB") => 1 << 10,
        Some("MiB") => 1 << 20,
        Some("GiB") => 1 << 30,
        Some("TiB") => 1 << 40,
        Some("PiB") => 1 << 50,
        _ => return Err(wrong()),
    };
    let number: u64 = match digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => digits.parse().map_err(|_| wrong())?,
        false => return Err(wrong()),
    };
    match number.checked_mul(unit) {
        Some(size) if size <= SIZE_MAX => Ok(size),
        _ => Err(wrong()),
    }
}
