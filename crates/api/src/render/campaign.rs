//! Campaigns in words.

use jiff::tz::TimeZone;

use super::{Line, Names, counted, local};
use crate::v1::campaign::{Capacity, Cases};
use crate::v1::{Campaign, ResourceKind};

/// Says what a campaign gives, to whom, and what waits for whom.
#[must_use]
pub fn campaign(campaign: &Campaign, names: &Names, zone: &TimeZone) -> Vec<Line> {
    let mut lines: Vec<Line> =
        campaign.capacity.iter().map(|sum| Line { label: "Gives", text: capacity(sum) }).collect();
    lines.extend(campaign.cases.iter().map(|sum| Line { label: "Cases", text: cases(sum, names) }));
    let waiting = match campaign.waiting.len() {
        0 => "nothing".to_owned(),
        1 => "1 proposal".to_owned(),
        many => format!("{many} proposals"),
    };
    lines.push(Line { label: "For you", text: format!("{waiting} to answer") });
    if let Some(lapses) = local(campaign.lapses_at, "%a %-d %b %H:%M", zone) {
        lines.push(Line { label: "Lapses", text: format!("the first hold ends {lapses}") });
    }
    lines
}

/// Says what the offers of one kind add up to: "2 sessions, 480 minutes: 150 held, 75 agreed, 255 free".
#[must_use]
pub fn capacity(sum: &Capacity) -> String {
    let (one, many) = match sum.kind() {
        ResourceKind::Theatre => ("session", "sessions"),
        ResourceKind::Diagnostic => ("list", "lists"),
        ResourceKind::Bed
        | ResourceKind::Staff
        | ResourceKind::Equipment
        | ResourceKind::VirtualWard
        | ResourceKind::Unspecified => ("offer", "offers"),
    };
    let offers = if sum.offers == 1 { one } else { many };
    format!(
        "{} {offers}, {}: {} held, {} agreed, {} free",
        sum.offers,
        counted(sum.usable, sum.kind()),
        sum.held,
        sum.committed,
        sum.free
    )
}

/// Says how one home trust's cases stand: "Brackwater Trust: 3 proposed (1 without the provider's yes), 2 agreed".
#[must_use]
pub fn cases(sum: &Cases, names: &Names) -> String {
    let missing: Vec<String> = [(sum.without_supporting, "the provider's"), (sum.without_home, "its own")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, whose)| format!("{count} without {whose} yes"))
        .collect();
    let missing = if missing.is_empty() { String::new() } else { format!(" ({})", missing.join(", ")) };
    format!("{}: {} proposed{missing}, {} agreed", names.trust(&sum.trust), sum.proposed, sum.agreed)
}
