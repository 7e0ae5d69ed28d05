//! One change of a what-if: as the address has it, as people read it, on the wire, and in a scenario file.

use fallow_api::v1::{Mode, SimulatedChange, simulated_change};

use crate::directory::Directory;
use crate::form::Fields;
use crate::problem::Problem;
use crate::words;
use crate::words::resource;
use crate::words::time::{self, Now};

/// What stands between the parts of a change in an address: in no code, key or number.
const BETWEEN: char = '~';

/// A change to try.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// More or fewer units of a resource at a trust, until a local time where one is given.
    Units { trust: String, resource: String, by: i64, until: String },
    /// A site takes nobody any more.
    CloseSite(String),
    /// A trust declares an OPEL.
    Opel { trust: String, level: i32 },
    /// A trust's stale figures count as confirmed.
    FeedReturns(String),
    /// Every need may travel at least so many minutes.
    TravelLimit(i64),
    /// Demand times a factor, of one resource or of everything.
    Demand { resource: String, factor: f64 },
    /// A collaborative works as in an incident, or as usual.
    Mode { collaborative: String, incident: bool },
    /// Another policy.
    Policy(String),
}

impl Change {
    /// Reads a change from an address; `None` when it is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, BETWEEN).map(str::to_owned);
        let (kind, first) = (parts.next()?, parts.next()?);
        let mut next = || parts.next().unwrap_or_default();
        Some(match kind.as_str() {
            "units" => {
                Self::Units { trust: first, resource: next(), by: next().parse().ok()?, until: next() }
            }
            "close" => Self::CloseSite(first),
            "opel" => Self::Opel { trust: first, level: next().parse().ok()? },
            "feed" => Self::FeedReturns(first),
            "travel" => Self::TravelLimit(first.parse().ok()?),
            "demand" => Self::Demand { factor: first.parse().ok()?, resource: next() },
            "mode" => Self::Mode { collaborative: first, incident: next() == "incident" },
            "policy" => Self::Policy(text.split_once(BETWEEN)?.1.to_owned()),
            _ => return None,
        })
    }

    /// Writes it for an address.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Units { trust, resource, by, until } => format!("units~{trust}~{resource}~{by}~{until}"),
            Self::CloseSite(site) => format!("close~{site}"),
            Self::Opel { trust, level } => format!("opel~{trust}~{level}"),
            Self::FeedReturns(trust) => format!("feed~{trust}"),
            Self::TravelLimit(minutes) => format!("travel~{minutes}"),
            Self::Demand { resource, factor } => format!("demand~{factor}~{resource}"),
            Self::Mode { collaborative, incident } => {
                format!("mode~{collaborative}~{}", if *incident { "incident" } else { "routine" })
            }
            Self::Policy(toml) => format!("policy~{toml}"),
        }
    }

    /// Reads the change that a form adds; `None` when no form was sent.
    pub(super) fn added(fields: &Fields, now: &Now) -> Option<Result<Self, Problem>> {
        let kind = fields.text("add");
        (!kind.is_empty()).then(|| Self::of_form(kind, fields, now))
    }

    fn of_form(kind: &str, fields: &Fields, now: &Now) -> Result<Self, Problem> {
        let text = |name: &str| fields.text(name).to_owned();
        let number =
            |name: &str| fields.number(name)?.ok_or_else(|| Problem::invalid(name, "must be a whole number"));
        let change = match kind {
            "units" => {
                let until = text("until");
                if !until.is_empty() && now.read_control(&until).is_none() {
                    return Err(Problem::invalid("until", "must be a date and a time"));
                }
                Self::Units { trust: text("trust"), resource: text("resource"), by: number("by")?, until }
            }
            "close" => Self::CloseSite(text("site")),
            "opel" => {
                Self::Opel { trust: text("trust"), level: i32::try_from(number("opel")?).unwrap_or(i32::MAX) }
            }
            "feed" => Self::FeedReturns(text("trust")),
            "travel" => Self::TravelLimit(number("minutes")?),
            "demand" => {
                let factor = fields.text("factor").parse().ok().filter(|factor: &f64| factor.is_finite());
                let factor =
                    factor.ok_or_else(|| Problem::invalid("factor", "must be a number such as 1.3"))?;
                Self::Demand { resource: text("resource"), factor }
            }
            "mode" => Self::Mode {
                collaborative: text("collaborative"),
                incident: fields.text("mode") == "incident",
            },
            "policy" => Self::Policy(text("policy")),
            _ => return Err(Problem::invalid("add", "is not a change that can be tried")),
        };
        Ok(change)
    }

    /// Says what changes.
    pub(super) fn in_words(&self, directory: &Directory, now: &Now) -> String {
        let what =
            |key: &str| resource::from_key(key).map_or_else(|| key.to_owned(), |one| resource::short(&one));
        match self {
            Self::Units { trust, resource, by, until } => {
                let until = now.read_control(until).map(|at| format!(" until {}", now.clock(at)));
                let (sign, many) = (if *by < 0 { "fewer" } else { "more" }, by.unsigned_abs());
                let until = until.unwrap_or_default();
                format!("{many} {sign} {} at {}{until}", what(resource), directory.trust(trust))
            }
            Self::CloseSite(site) => format!("{} takes nobody any more", directory.site(site)),
            Self::Opel { trust, level } => format!("{} declares OPEL {level}", directory.trust(trust)),
            Self::FeedReturns(trust) => format!("the feed of {} returns", directory.trust(trust)),
            Self::TravelLimit(minutes) => {
                format!("every travel limit at least {}", words::count(*minutes, "minute", "minutes"))
            }
            Self::Demand { resource, factor } if resource.is_empty() => {
                format!("demand \u{d7} {factor} for everything")
            }
            Self::Demand { resource, factor } => format!("demand \u{d7} {factor} for {}", what(resource)),
            Self::Mode { collaborative, incident } => {
                let mode = if *incident { "as in an incident" } else { "as usual" };
                format!("{} works {mode}", directory.collaborative(collaborative))
            }
            Self::Policy(_) => "another policy".to_owned(),
        }
    }

    /// Returns it as the service takes it.
    pub(super) fn to_wire(&self, now: &Now) -> SimulatedChange {
        use simulated_change::{Change as Wire, Demand, ModeChange, Opel, Units};
        let change = match self {
            Self::Units { trust, resource, by, until } => Wire::Units(Units {
                trust: trust.clone(),
                resource: resource::from_key(resource),
                by: *by,
                until: now.read_control(until).map(time::to_wire),
            }),
            Self::CloseSite(site) => Wire::CloseSite(site.clone()),
            Self::Opel { trust, level } => Wire::Opel(Opel { trust: trust.clone(), opel: *level }),
            Self::FeedReturns(trust) => Wire::FeedReturns(trust.clone()),
            Self::TravelLimit(minutes) => Wire::TravelLimitMinutes(*minutes),
            Self::Demand { resource, factor } => {
                Wire::Demand(Demand { resource: resource::from_key(resource), factor: *factor })
            }
            Self::Mode { collaborative, incident } => Wire::Mode(ModeChange {
                collaborative: collaborative.clone(),
                mode: if *incident { Mode::Incident } else { Mode::Routine }.into(),
            }),
            Self::Policy(toml) => Wire::PolicyToml(toml.clone()),
        };
        SimulatedChange { change: Some(change) }
    }

    /// Writes it as the line of a scenario file.
    fn toml(&self, now: &Now) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        match self {
            Self::Units { trust, resource, by, until } => {
                let until = now.read_control(until).map(|at| format!(", until = {at}")).unwrap_or_default();
                let (trust, resource) = (quoted(trust), quoted(&resource.to_lowercase()));
                format!("units = {{ trust = {trust}, resource = {resource}, by = {by}{until} }}")
            }
            Self::CloseSite(site) => format!("close_site = {}", quoted(site)),
            Self::Opel { trust, level } => {
                format!("opel = {{ trust = {}, opel = {level} }}", quoted(trust))
            }
            Self::FeedReturns(trust) => format!("feed_returns = {}", quoted(trust)),
            Self::TravelLimit(minutes) => format!("travel_limit_minutes = {minutes}"),
            Self::Demand { resource, factor } => {
                let resource = match resource.as_str() {
                    "" => String::new(),
                    key => format!("resource = {}, ", quoted(&key.to_lowercase())),
                };
                format!("demand = {{ {resource}factor = {factor:?} }}")
            }
            Self::Mode { collaborative, incident } => {
                let mode = if *incident { "incident" } else { "routine" };
                format!("mode = {{ collaborative = {}, mode = \"{mode}\" }}", quoted(collaborative))
            }
            Self::Policy(toml) => {
                let text = toml.replace("\r\n", "\n").replace('\\', "\\\\").replace('"', "\\\"");
                format!("policy_toml = \"\"\"\n{text}\n\"\"\"")
            }
        }
    }
}

/// Writes the scenario file of changes.
pub(super) fn scenario(changes: &[Change], now: &Now) -> String {
    let mut text = "# A what-if of the console: fallow simulate -f scenario.toml\n".to_owned();
    for change in changes {
        text.push_str(&format!("\n[[change]]\n{}\n", change.toml(now)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn now() -> Now {
        Now { at: "2026-11-24T14:32:00Z".parse().unwrap(), zone: TimeZone::get("Europe/London").unwrap() }
    }

    fn every() -> Vec<Change> {
        let until = "2026-11-24T20:00".to_owned();
        vec![
            Change::Units { trust: "ZA1".to_owned(), resource: "BED/CC_ADULT/2".to_owned(), by: 4, until },
            Change::CloseSite("ZA401".to_owned()),
            Change::Opel { trust: "ZA3".to_owned(), level: 4 },
            Change::FeedReturns("ZA2".to_owned()),
            Change::TravelLimit(60),
            Change::Demand { resource: "BED/GA_ADULT".to_owned(), factor: 1.3 },
            Change::Demand { resource: String::new(), factor: 2.0 },
            Change::Mode { collaborative: "north-vale-acute".to_owned(), incident: true },
            Change::Policy("fair_step = 5\nkeep~points = \"20\"".to_owned()),
        ]
    }

    #[test]
    fn an_address_keeps_every_change() {
        for change in every() {
            assert_eq!(Change::read(&change.text()), Some(change));
        }
        for bad in ["", "units", "units~ZA1", "travel~soon", "sofa~ZA1"] {
            assert_eq!(Change::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_scenario_has_each_change_as_the_command_line_reads_it() {
        let text = scenario(&every(), &now());
        for line in [
            "units = { trust = \"ZA1\", resource = \"bed/cc_adult/2\", by = 4, until = 2026-11-24T20:00:00Z }",
            "close_site = \"ZA401\"",
            "opel = { trust = \"ZA3\", opel = 4 }",
            "feed_returns = \"ZA2\"",
            "travel_limit_minutes = 60",
            "demand = { resource = \"bed/ga_adult\", factor = 1.3 }",
            "demand = { factor = 2.0 }",
            "mode = { collaborative = \"north-vale-acute\", mode = \"incident\" }",
            "keep~points = \\\"20\\\"",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert_eq!(text.matches("[[change]]").count(), every().len());
    }

    #[test]
    fn a_form_that_is_wrong_names_its_field() {
        let field = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            match Change::added(&Fields::from(pairs), &now()) {
                Some(Err(problem)) => problem.violations[0].field.clone(),
                Some(Ok(change)) => format!("{change:?}"),
                None => "nothing".to_owned(),
            }
        };
        assert_eq!(field(&[]), "nothing");
        assert_eq!(field(&[("add", "travel"), ("minutes", "an hour")]), "minutes");
        assert_eq!(field(&[("add", "travel"), ("minutes", "60")]), "TravelLimit(60)");
        assert_eq!(field(&[("add", "demand"), ("factor", "NaN")]), "factor");
        assert_eq!(field(&[("add", "units"), ("by", "4"), ("until", "tonight")]), "until");
        assert_eq!(field(&[("add", "units"), ("by", "")]), "by");
    }

    #[test]
    fn changes_are_said_in_words() {
        let said: Vec<String> =
            every().iter().map(|one| one.in_words(&Directory::default(), &now())).collect();
        assert_eq!(said[0], "4 more Level 2 at ZA1 until today 20:00");
        assert_eq!(said[5], "demand \u{d7} 1.3 for G&A adult");
        let fewer = Change::Units {
            trust: "ZA1".to_owned(),
            resource: "BED/GA_ADULT".to_owned(),
            by: -2,
            until: String::new(),
        };
        assert_eq!(fewer.in_words(&Directory::default(), &now()), "2 fewer G&A adult at ZA1");
    }
}
