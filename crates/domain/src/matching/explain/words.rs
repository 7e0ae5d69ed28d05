//! Plain words for what an explanation names.

use jiff::SignedDuration;

use crate::codes;
use crate::offer::Offer;
use crate::resource::Resource;

use super::Explainer;

/// Says how long something takes, roughly: "3 days", "5 hours", "1 minute".
pub(super) fn span(span: SignedDuration) -> String {
    let minutes = span.as_mins().max(0);
    let (count, unit) = match minutes {
        0..120 => (minutes, "minute"),
        120..2_880 => (minutes / 60, "hour"),
        2_880.. => (minutes / 1_440, "day"),
        i64::MIN..0 => (0, "minute"),
    };
    if count == 1 { format!("{count} {unit}") } else { format!("{count} {unit}s") }
}

/// Says what a resource is: "Adult critical care, level 3".
pub(super) fn resource(resource: &Resource) -> String {
    let code = resource.code.as_str();
    let name = codes::name_of(resource.kind, code);
    let name = name.map_or_else(|| code.replace('_', " ").to_lowercase(), str::to_owned);
    match resource.level {
        Some(level) => format!("{name}, level {}", level.get()),
        None => name,
    }
}

impl Explainer<'_> {
    /// Says what is offered and where: "Adult critical care, level 3, at Eastholme General".
    pub(super) fn place(&self, offer: &Offer) -> String {
        let site = self.problem.region.sites.get(&offer.site);
        let site = site.map_or_else(|| offer.site.to_string(), |site| site.name.to_string());
        let what = resource(&offer.resource);
        match offer.resource.level {
            Some(_) => format!("{what}, at {site}"),
            None => format!("{what} at {site}"),
        }
    }
}
