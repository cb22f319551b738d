//! Counts by day: a picture for those who see it, and a table for everybody.

use maud::{Markup, html};
use tonnage_domain::gallery::pulls::{DAYS_SHOWN, DailyPulls, start_of};

use crate::format;

const WIDTH: i64 = 900;
const HEIGHT: i64 = 160;
/// Room for the numbers on the left, and for the days below.
const LEFT: i64 = 56;
const BELOW: i64 = 24;

/// Days that have a bar each; more are added up by the week.
const DAYS_MAX: i64 = 92;

/// What is counted.
#[derive(Clone, Copy)]
pub(crate) struct Counted {
    /// `Pulls`
    pub(crate) title: &'static str,
    /// `pull`
    pub(crate) one: &'static str,
    /// `pulls`
    pub(crate) many: &'static str,
    /// What one is.
    pub(crate) told: &'static str,
}

/// Pulls of images.
pub(crate) const PULLS: Counted = Counted {
    title: "Pulls",
    one: "pull",
    many: "pulls",
    told: "A pull is one fetch of an image by a client; days are of UTC.",
};

/// The last days of pulls, those without one too.
pub(crate) fn daily_pulls(daily: &[DailyPulls], today: i64) -> Markup {
    let daily: Vec<(i64, u64)> = daily.iter().map(|one| (one.day, one.pulls)).collect();
    by_day(PULLS, &daily, today)
}

/// The last [`DAYS_SHOWN`] days, those on which nothing was counted too.
pub(crate) fn by_day(counted: Counted, daily: &[(i64, u64)], today: i64) -> Markup {
    of_days(counted, daily, today, DAYS_SHOWN)
}

/// The last days, those on which nothing was counted too; many of them by the week.
pub(crate) fn of_days(counted: Counted, daily: &[(i64, u64)], today: i64, days: i64) -> Markup {
    let Counted { title, one, many, told } = counted;
    let total: u64 = daily.iter().map(|(_, count)| *count).sum();
    let (length, per) = if days > DAYS_MAX { (7, "week") } else { (1, "day") };
    let first = today - days + 1;
    let mut counts: Vec<(i64, u64)> =
        (first..=today).step_by(usize::try_from(length).unwrap_or(1)).map(|day| (day, 0)).collect();
    for (day, count) in daily {
        let at = usize::try_from((day - first).div_euclid(length)).ok();
        if let Some((_, sum)) = at.and_then(|at| counts.get_mut(at)) {
            *sum = sum.saturating_add(*count);
        }
    }
    let column = if length > 1 { "Week from" } else { "Day" };
    html! {
        p.quiet { (format::count(total, one, many)) " in the last " (days) " days. " (told) }
        @if total > 0 {
            div."box"."figure" tabindex="0" role="group" aria-label={ (title) " by " (per) ", as a picture" } { (bars(title, per, &counts)) }
            details {
                summary { "The same as a table" }
                div."box"."scroll" tabindex="0" role="group" aria-label={ (title) " by " (per) } {
                    table {
                        thead { tr { th scope="col" { (column) } th scope="col" class="number" { (title) } } }
                        tbody { @for (day, count) in counts.iter().rev() { tr {
                            th scope="row" { (format::day(start_of(*day))) }
                            td.number { (format::number(*count)) }
                        } } }
                    }
                }
            }
        }
    }
}

/// Counts of a few kinds, one bar below the other, each with its number.
pub(crate) fn ranks(rows: &[(Markup, u64, String)]) -> Markup {
    let highest = rows.iter().map(|(_, count, _)| *count).max().unwrap_or(0).max(1);
    let wide = |count: u64| {
        let share = u128::from(count) * 1000 / u128::from(highest);
        u64::try_from(share).unwrap_or(1000).max(if count > 0 { 6 } else { 0 })
    };
    html! {
        dl.ranks { @for (name, count, told) in rows { div {
            dt { (name) }
            dd {
                svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" { rect width=(wide(*count)) height="10" rx="2" {} }
                span { (told) }
            }
        } } }
    }
}

fn bars(title: &str, per: &str, days: &[(i64, u64)]) -> Markup {
    let highest = days.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let step = (WIDTH - LEFT) / i64::try_from(days.len()).unwrap_or(1).max(1);
    let gap = (step / 4).clamp(1, 6);
    let labelled = (days.len() / 4).max(1);
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
            aria-label={ (title) " by " (per) ", at most " (format::number(highest)) " in one; the table below has the numbers" } {
            line x1=(LEFT) x2=(WIDTH) y1=(bottom) y2=(bottom) {}
            line x1=(LEFT) x2=(WIDTH) y1=(bottom - room) y2=(bottom - room) {}
            text x=(LEFT - 8) y=(bottom - room + 4) text-anchor="end" { (format::number(highest)) }
            text x=(LEFT - 8) y=(bottom + 4) text-anchor="end" { "0" }
            @for (column, (_, count)) in columns() {
                @let height = tall(*count);
                rect x=(LEFT + column * step + gap / 2) y=(bottom - height) width=(step - gap) height=(height) rx="2" {}
            }
            @for (column, (day, _)) in columns().step_by(labelled) {
                text x=(LEFT + column * step + gap / 2) y=(HEIGHT - 6) { (format::short_day(start_of(*day))) }
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
        let daily = [(20_004, 1), (20_010, 2), (19_000, 9)];
        for (days, bars, last) in [(7, 7, 2), (90, 90, 2), (364, 52, 3)] {
            let html = of_days(PULLS, &daily, 20_010, days).into_string();
            assert_eq!(html.matches("<rect").count(), bars, "{days}");
            let first = html.split("<td class=\"number\">").nth(1).unwrap_or_default();
            assert!(first.starts_with(&format!("{last}</td>")), "{days}: {first}");
        }
    }
}
