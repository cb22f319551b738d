//! Pulls by day: a picture for those who see it, and a table for everybody.

use maud::{Markup, html};
use tonnage_domain::gallery::pulls::{DAYS_SHOWN, DailyPulls, start_of};

use super::pulls;
use crate::format;

const WIDTH: i64 = 900;
const HEIGHT: i64 = 160;
/// Room for the numbers on the left, and for the days below.
const LEFT: i64 = 56;
const BELOW: i64 = 24;

/// The last days, those without a pull too.
pub(super) fn daily_pulls(daily: &[DailyPulls], today: i64) -> Markup {
    let total: u64 = daily.iter().map(|one| one.pulls).sum();
    let on = |day: i64| daily.iter().find(|one| one.day == day).map_or(0, |one| one.pulls);
    let days: Vec<(i64, u64)> =
        (today - DAYS_SHOWN + 1..=today).map(|day| (day, on(day))).collect();
    html! {
        p.quiet { (pulls(total)) " in the last " (DAYS_SHOWN) " days. A pull is one fetch of an image by a client; days are of UTC." }
        @if total > 0 {
            div."box"."figure" tabindex="0" { (bars(&days)) }
            details {
                summary { "The same as a table" }
                div."box"."scroll" tabindex="0" role="group" aria-label="Pulls by day" {
                    table {
                        thead { tr { th scope="col" { "Day" } th scope="col" class="number" { "Pulls" } } }
                        tbody { @for (day, count) in days.iter().rev() { tr {
                            th scope="row" { (format::day(start_of(*day))) }
                            td.number { (format::number(*count)) }
                        } } }
                    }
                }
            }
        }
    }
}

fn bars(days: &[(i64, u64)]) -> Markup {
    let highest = days.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let step = (WIDTH - LEFT) / i64::try_from(days.len()).unwrap_or(1).max(1);
    let bottom = HEIGHT - BELOW;
    let room = bottom - 12;
    let tall = |count: u64| {
        let share = u128::from(count) * u128::from(room.unsigned_abs()) / u128::from(highest);
        // Whatever was pulled at all can be seen.
        i64::try_from(share).unwrap_or(room).max(i64::from(count > 0) * 2)
    };
    let columns = || (0_i64..).zip(days);
    html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img"
            aria-label={ "Pulls by day, at most " (format::number(highest)) " on one day; the table below has the numbers" } {
            line x1=(LEFT) x2=(WIDTH) y1=(bottom) y2=(bottom) {}
            line x1=(LEFT) x2=(WIDTH) y1=(bottom - room) y2=(bottom - room) {}
            text x=(LEFT - 8) y=(bottom - room + 4) text-anchor="end" { (format::number(highest)) }
            text x=(LEFT - 8) y=(bottom + 4) text-anchor="end" { "0" }
            @for (column, (_, count)) in columns() {
                @let height = tall(*count);
                rect x=(LEFT + column * step + 3) y=(bottom - height) width=(step - 6) height=(height) rx="2" {}
            }
            @for (column, (day, _)) in columns().step_by(7) {
                text x=(LEFT + column * step + 3) y=(HEIGHT - 6) { (format::short_day(start_of(*day))) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_without_pulls_are_shown_and_nothing_overflows() {
        let daily =
            [DailyPulls { day: 20_000, pulls: 1 }, DailyPulls { day: 20_010, pulls: u64::MAX / 2 }];
        let html = daily_pulls(&daily, 20_010).into_string();
        assert_eq!(html.matches("<rect").count(), 30);
        assert_eq!(html.matches("<td class=\"number\">0</td>").count(), 28);
        assert!(daily_pulls(&[], 20_010).into_string().contains("0 pulls"));
    }
}
