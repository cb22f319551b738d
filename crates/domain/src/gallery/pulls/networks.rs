//! From which networks pulls come: enough for an owner to know whose mirror asks, too little to know
//! who.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Known;
use crate::error::Result;
use crate::execute::Tx;
use crate::params;

/// Networks of one repository that are told apart on one day.
const NETWORKS_MAX: i64 = 1000;
/// Days after which rows are removed.
pub(crate) const DAYS_KEPT: i64 = 90;

/// The network of an address: 24 bits of IPv4, 48 of IPv6.
pub(super) fn of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{}/24", Ipv4Addr::new(a, b, c, 0))
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

impl Known {
    /// Writes what was counted, and removes rows of old days once a day.
    pub(super) async fn write_networks(&self, tx: &mut Tx, today: i64) -> Result<()> {
        if self.cleared_on != Some(today) {
            tx.execute(
                "DELETE FROM public_pull_networks WHERE day <= $1",
                params![today - DAYS_KEPT],
            )
            .await?;
        }
        for ((repository_id, day, network), pulls) in &self.networks {
            let is_known = tx
                .execute(
                    "UPDATE public_pull_networks SET pulls = pulls + $4 \
                     WHERE repository_id = $1 AND day = $2 AND network = $3",
                    params![*repository_id, *day, network.as_str(), *pulls],
                )
                .await?
                > 0;
            if is_known {
                continue;
            }
            let row = tx
                .optional(
                    "SELECT COUNT(*) FROM public_pull_networks \
                     WHERE repository_id = $1 AND day = $2",
                    params![*repository_id, *day],
                )
                .await?;
            let has_room =
                row.map(|row| row.get::<i64>(0)).transpose()?.unwrap_or(0) < NETWORKS_MAX;
            tx.execute(
                "INSERT INTO public_pull_networks (repository_id, day, network, pulls) \
                 VALUES ($1, $2, $3, $4) ON CONFLICT (repository_id, day, network) \
                 DO UPDATE SET pulls = public_pull_networks.pulls + excluded.pulls",
                params![*repository_id, *day, if has_room { network.as_str() } else { "" }, *pulls],
            )
            .await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (address, network) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2::3", "2001:db8:1::/48"),
            ("::1", "::/48"),
        ] {
            assert_eq!(of(address.parse().unwrap()), network);
        }
    }
}
