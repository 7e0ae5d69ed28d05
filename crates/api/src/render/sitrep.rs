//! The situation report as a page: one content, written as Markdown, HTML or tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use fallow_domain::actor::Role;
use jiff::Timestamp;

use super::{resource, resource_in_words};
use crate::convert::time::from_wire;
use crate::v1::situation::{Cell, Headline, TrustSituation, Usual};
use crate::v1::{Alert, Freshness, Mode, Need, Resource, ResourceKind, Sitrep, Situation};

/// Most unmet needs on the page; the rest is counted, so that the page stays a page.
const UNMET_SHOWN: usize = 25;

/// One table of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its heading.
    pub title: String,
    /// Names of columns.
    pub head: Vec<String>,
    /// Rows, each as long as the head.
    pub rows: Vec<Vec<String>>,
    /// What is said where there is no row, and below the table.
    pub note: String,
}

/// The report, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Such as "North Vale: situation as of Tue 24 Nov 08:00".
    pub title: String,
    /// Lines under the title: modes, the store.
    pub lines: Vec<String>,
    /// Its tables, in order.
    tables: Vec<Table>,
    /// Who signed it, or that nobody did.
    pub signature: String,
}

impl Page {
    /// Makes the page; `when` writes times for people.
    #[must_use]
    pub fn of(sitrep: &Sitrep, when: &dyn Fn(Timestamp) -> String) -> Self {
        let none = Situation::default();
        let situation = sitrep.situation.as_ref().unwrap_or(&none);
        let shown =
            |at: Option<&prost_types::Timestamp>| at.and_then(from_wire).map(when).unwrap_or_default();
        let mut lines: Vec<String> = situation
            .modes
            .iter()
            .filter(|mode| mode.mode() == Mode::Incident)
            .map(|mode| {
                format!(
                    "INCIDENT MODE in {} since {}. {}",
                    mode.name,
                    shown(mode.since.as_ref()),
                    mode.reason
                )
            })
            .collect();
        if !situation.store_caveat.is_empty() {
            lines.push(situation.store_caveat.clone());
        }
        let signature = match sitrep.signed_off_at.as_ref() {
            None => "Not signed off.".to_owned(),
            Some(at) if sitrep.signatory.is_empty() => {
                format!("Signed off by {} at {}.", sitrep.signed_off_by, shown(Some(at)))
            }
            Some(at) => {
                format!(
                    "Signed off by {} ({}) at {}.",
                    sitrep.signatory,
                    sitrep.signed_off_by,
                    shown(Some(at))
                )
            }
        };
        Self {
            title: format!("{}: situation as of {}", situation.name, shown(sitrep.as_of.as_ref())),
            lines,
            tables: vec![
                headline(situation),
                heat(situation),
                unmet(&sitrep.unmet, situation, &shown),
                decisions(sitrep, &shown),
                alerts(&sitrep.alerts, situation, &shown),
                silent(sitrep, situation, &shown),
            ],
            signature,
        }
    }

    /// Returns the tables, in order.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Writes the page as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let cell = |text: &String| text.replace('|', "\\|").replace('\n', " ");
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut text = format!("# {}\n\n", self.title);
        for said in &self.lines {
            let _ = write!(text, "**{said}**\n\n");
        }
        for table in &self.tables {
            let _ = write!(text, "## {}\n\n", table.title);
            if !table.rows.is_empty() {
                text.push_str(&line(table.head.iter().map(cell).collect()));
                text.push_str(&line(vec!["---".to_owned(); table.head.len()]));
                for row in &table.rows {
                    text.push_str(&line(row.iter().map(cell).collect()));
                }
                text.push('\n');
            }
            if !table.note.is_empty() {
                let _ = write!(text, "{}\n\n", table.note);
            }
        }
        let _ = writeln!(text, "{}", self.signature);
        text
    }

    /// Writes the page as HTML that stands by itself and prints on A4.
    #[must_use]
    pub fn html(&self) -> String {
        let title = escape(&self.title);
        let mut text = format!(
            "<!doctype html>\n<html lang=\"en-GB\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
             <style>@page{{size:A4;margin:12mm}}body{{font:9pt/1.3 arial,sans-serif}}h1{{font-size:14pt}}h2{{font-size:10.5pt;\
             margin:8pt 0 2pt}}table{{border-collapse:collapse}}th,td{{border:0.5pt solid #888;padding:1pt 4pt;text-align:left}}\
             </style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        );
        for said in &self.lines {
            let _ = writeln!(text, "<p><strong>{}</strong></p>", escape(said));
        }
        for table in &self.tables {
            let _ = writeln!(text, "<h2>{}</h2>", escape(&table.title));
            if !table.rows.is_empty() {
                text.push_str("<table>\n<thead><tr>");
                for name in &table.head {
                    let _ = write!(text, "<th scope=\"col\">{}</th>", escape(name));
                }
                text.push_str("</tr></thead>\n<tbody>\n");
                for row in &table.rows {
                    text.push_str("<tr>");
                    for cell in row {
                        let _ = write!(text, "<td>{}</td>", escape(cell));
                    }
                    text.push_str("</tr>\n");
                }
                text.push_str("</tbody>\n</table>\n");
            }
            if !table.note.is_empty() {
                let _ = writeln!(text, "<p>{}</p>", escape(&table.note));
            }
        }
        let _ = writeln!(text, "<p>{}</p>\n</body>\n</html>", escape(&self.signature));
        text
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn names(head: &[&str]) -> Vec<String> {
    head.iter().map(|name| (*name).to_owned()).collect()
}

fn headline(situation: &Situation) -> Table {
    let head = situation.headline.unwrap_or_default();
    let percent = (head.needs_raised_24h > 0).then(|| head.needs_placed_24h * 100 / head.needs_raised_24h);
    let number = |value: Option<i64>, unit: &str| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value}{unit}"))
    };
    let row = |name: &str, value: String, usual: Option<&Usual>| vec![name.to_owned(), value, range(usual)];
    let Headline { needs_open, needs_overdue, median_minutes_to_agreed, transfers_moving, .. } = head;
    Table {
        title: format!("{} of {} trusts live", head.trusts_live, head.trusts_all),
        head: names(&["", "Now", "Usual"]),
        rows: vec![
            row("Needs open", needs_open.to_string(), head.usual_needs_open.as_ref()),
            row("Past needed-by", needs_overdue.to_string(), head.usual_needs_overdue.as_ref()),
            row("Placed in 24 h", number(percent, "%"), head.usual_placed_percent.as_ref()),
            row(
                "Minutes to agreed",
                number(median_minutes_to_agreed, ""),
                head.usual_minutes_to_agreed.as_ref(),
            ),
            row(
                "Moving now",
                format!("{transfers_moving}, {} overdue", head.transfers_overdue),
                head.usual_transfers_moving.as_ref(),
            ),
        ],
        note: String::new(),
    }
}

/// Writes what is usual: "20 to 45", and whether now is outside.
fn range(usual: Option<&Usual>) -> String {
    let Some(usual) = usual else { return "not known yet".to_owned() };
    let outside = match (usual.high, usual.low) {
        (true, _) => " (H)",
        (_, true) => " (L)",
        (false, false) => "",
    };
    format!("{:.0} to {:.0}{outside}", usual.lower, usual.upper)
}

/// Columns of resources that a sheet of paper is wide enough for; with more of them they are the rows.
const RESOURCES_MAX: usize = 8;

/// A resource by which cells are found: kind, code, level.
type Of<'a> = (i32, &'a str, i32);

/// Names a resource as wide as a column, with what it is where its code alone does not say so: of "frailty" nobody is short.
fn column(of: &Resource) -> String {
    let name = resource(of);
    match of.kind() {
        ResourceKind::Theatre if name.to_lowercase().ends_with("theatre") => format!("{name}, minutes"),
        ResourceKind::Theatre => format!("{name} theatre, minutes"),
        ResourceKind::VirtualWard => format!("{name}, virtual ward"),
        ResourceKind::Unspecified
        | ResourceKind::Bed
        | ResourceKind::Diagnostic
        | ResourceKind::Staff
        | ResourceKind::Equipment => name,
    }
}

fn heat(situation: &Situation) -> Table {
    let mut resources: BTreeMap<Of<'_>, String> = BTreeMap::new();
    let mut cells: BTreeMap<(&str, Of<'_>), &Cell> = BTreeMap::new();
    for cell in &situation.cells {
        let Some(of) = &cell.resource else { continue };
        let key = (of.kind, of.code.as_str(), of.level);
        resources.entry(key).or_insert_with(|| column(of));
        cells.insert((&cell.trust, key), cell);
    }
    let at = |trust: &str, key: &Of<'_>| {
        cells.get(&(trust, *key)).map_or_else(|| ".".to_owned(), |cell| spare(cell))
    };
    let net = |key: &Of<'_>| {
        signed(cells.iter().filter(|((_, found), _)| found == key).map(|(_, cell)| cell.net).sum())
    };
    let opel = |trust: &TrustSituation| match trust.opel {
        0 => "-".to_owned(),
        level => level.to_string(),
    };
    let called = |trust: &TrustSituation| format!("{} {}", trust.name, trust.trust);
    let trusts = &situation.trusts;
    let (head, rows): (Vec<String>, Vec<Vec<String>>) = if resources.len() > RESOURCES_MAX {
        let row = |(key, name): (&Of<'_>, &String)| {
            let of_trusts = trusts.iter().map(|trust| at(&trust.trust, key));
            std::iter::once(name.clone()).chain(of_trusts).chain([net(key)]).collect()
        };
        let declared = std::iter::once("OPEL declared".to_owned()).chain(trusts.iter().map(opel));
        let declared = declared.chain([String::new()]).collect();
        let head = std::iter::once("Resource".to_owned()).chain(trusts.iter().map(called));
        (
            head.chain(["Region net".to_owned()]).collect(),
            std::iter::once(declared).chain(resources.iter().map(row)).collect(),
        )
    } else {
        let row = |trust: &TrustSituation| {
            let of_resources = resources.keys().map(|key| at(&trust.trust, key));
            [called(trust), opel(trust)].into_iter().chain(of_resources).collect()
        };
        let mut rows: Vec<Vec<String>> = trusts.iter().map(row).collect();
        if !rows.is_empty() && !resources.is_empty() {
            rows.push(names(&["Region net", ""]).into_iter().chain(resources.keys().map(net)).collect());
        }
        (names(&["Trust", "OPEL declared"]).into_iter().chain(resources.values().cloned()).collect(), rows)
    };
    Table {
        title: "Spare minus needed".to_owned(),
        head,
        rows,
        note: "P1 to P4 is Fallow's pressure; // is stale; . is not provided.".to_owned(),
    }
}

fn spare(cell: &Cell) -> String {
    let stale = if cell.freshness() == Freshness::Stale { " //" } else { "" };
    format!("{} P{}{stale}", signed(cell.net), cell.pressure)
}

fn signed(net: i64) -> String {
    if net == 0 { "0".to_owned() } else { format!("{net:+}") }
}

type Shown<'a> = dyn Fn(Option<&prost_types::Timestamp>) -> String + 'a;

/// Returns what people call a trust, its code where the report knows no name.
fn name_of<'a>(situation: &'a Situation, trust: &'a str) -> &'a str {
    let known = situation.trusts.iter().find(|one| one.trust == trust).map(|one| one.name.as_str());
    known.filter(|name| !name.is_empty()).unwrap_or(trust)
}

fn unmet(needs: &[Need], situation: &Situation, shown: &Shown<'_>) -> Table {
    let rows = needs.iter().take(UNMET_SHOWN).map(|need| {
        vec![
            shown(need.needed_by.as_ref()),
            format!(
                "{} \u{d7} {}",
                need.units,
                need.resource.as_ref().map(resource_in_words).unwrap_or_default()
            ),
            name_of(situation, &need.trust).to_owned(),
        ]
    });
    let note = match needs.len() {
        0 => "None.".to_owned(),
        all if all > UNMET_SHOWN => format!("and {} more.", all - UNMET_SHOWN),
        _ => String::new(),
    };
    Table {
        title: format!("Past needed-by and not agreed: {}", needs.len()),
        head: names(&["Needed by", "What", "Trust"]),
        rows: rows.collect(),
        note,
    }
}

fn decisions(sitrep: &Sitrep, shown: &Shown<'_>) -> Table {
    let rows = sitrep.decisions.iter().map(|decision| {
        vec![
            shown(decision.at.as_ref()),
            decision.decision.clone(),
            decision.rationale.clone(),
            decision.consulted.join(", "),
            shown(decision.review_at.as_ref()),
        ]
    });
    Table {
        title: "Decisions since the last report".to_owned(),
        head: names(&["At", "Decision", "Why", "Consulted", "Review"]),
        rows: rows.collect(),
        note: if sitrep.decisions.is_empty() { "None.".to_owned() } else { String::new() },
    }
}

fn alerts(alerts: &[Alert], situation: &Situation, shown: &Shown<'_>) -> Table {
    let rows = alerts.iter().map(|alert| {
        vec![shown(alert.raised_at.as_ref()), alert.text.clone(), owner(&alert.owner, situation)]
    });
    Table {
        title: format!("Alerts: {}", alerts.len()),
        head: names(&["Raised", "Alert", "Owner"]),
        rows: rows.collect(),
        note: if alerts.is_empty() { "None.".to_owned() } else { String::new() },
    }
}

/// Writes `site_lead ZA4` as people say it: "site lead, Dunmere General".
fn owner(owner: &str, situation: &Situation) -> String {
    let (role, trust) = owner.split_once(' ').map_or((owner, None), |(role, trust)| (role, Some(trust)));
    let role = match role.parse::<Role>() {
        Ok(known) => known.in_words(),
        Err(_) => role,
    };
    match (role, trust) {
        ("", _) => "unowned".to_owned(),
        (role, Some(trust)) => format!("{role}, {}", name_of(situation, trust)),
        (role, None) => role.to_owned(),
    }
}

fn silent(sitrep: &Sitrep, situation: &Situation, shown: &Shown<'_>) -> Table {
    let silent: BTreeSet<&str> = sitrep.silent.iter().map(String::as_str).collect();
    let rows =
        situation.trusts.iter().filter(|trust| silent.contains(trust.trust.as_str())).map(|trust| {
            vec![format!("{} {}", trust.name, trust.trust), shown(trust.last_reported_at.as_ref())]
        });
    Table {
        title: "Feeds not live".to_owned(),
        head: names(&["Trust", "Last report"]),
        rows: rows.collect(),
        note: if silent.is_empty() { "None.".to_owned() } else { String::new() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::time::to_wire;
    use crate::v1::{Decision, situation};

    fn sitrep() -> Sitrep {
        let at = |text: &str| Some(to_wire(text.parse().unwrap()));
        let bed = crate::v1::Resource {
            kind: ResourceKind::Bed.into(),
            code: "GA_ADULT".into(),
            ..Default::default()
        };
        let cell = Cell {
            trust: "ZA2".into(),
            resource: Some(bed.clone()),
            net: -7,
            pressure: 4,
            ..Default::default()
        };
        let trust = situation::TrustSituation {
            trust: "ZA2".into(),
            name: "Brackwater".into(),
            opel: 4,
            last_reported_at: at("2026-11-24T07:46:00Z"),
            ..Default::default()
        };
        let headline = Headline {
            needs_open: 38,
            needs_overdue: 9,
            needs_raised_24h: 40,
            needs_placed_24h: 31,
            trusts_live: 5,
            trusts_all: 6,
            usual_needs_overdue: Some(Usual { lower: 0.0, upper: 4.4, high: true, low: false }),
            ..Default::default()
        };
        let need = Need {
            trust: "ZA2".into(),
            resource: Some(bed),
            units: 2,
            needed_by: at("2026-11-24T06:00:00Z"),
            ..Default::default()
        };
        Sitrep {
            as_of: at("2026-11-24T08:00:00Z"),
            situation: Some(Situation {
                name: "North Vale".into(),
                headline: Some(headline),
                cells: vec![cell],
                trusts: vec![trust],
                ..Default::default()
            }),
            unmet: vec![need; 27],
            decisions: vec![Decision { decision: "Open <A> | B".into(), ..Default::default() }],
            signed_off_by: "gold".into(),
            signatory: "duty director".into(),
            signed_off_at: at("2026-11-24T08:04:00Z"),
            silent: vec!["ZA2".into()],
            ..Default::default()
        }
    }

    #[test]
    fn many_resources_are_the_rows_and_theatres_say_what_they_count() {
        let mut many = sitrep();
        let situation = many.situation.get_or_insert_default();
        let cell = situation.cells[0].clone();
        let of = |kind: ResourceKind, code: &str| Cell {
            resource: Some(crate::v1::Resource {
                kind: kind.into(),
                code: code.into(),
                ..Default::default()
            }),
            net: 120,
            pressure: 1,
            ..cell.clone()
        };
        situation.cells.push(of(ResourceKind::Theatre, "MAIN"));
        let mut named = many.clone();
        named
            .situation
            .get_or_insert_default()
            .cells
            .extend([of(ResourceKind::Theatre, "DAY_CASE"), of(ResourceKind::VirtualWard, "FRAILTY")]);
        let text = page(&named).markdown();
        assert!(text.contains(" | Theatre, minutes | Frailty, virtual ward |\n"), "{text}");
        assert!(text.contains(" | Day case theatre, minutes | "), "{text}");
        let text = page(&many).markdown();
        assert!(text.contains("| Trust | OPEL declared | G&A | Theatre, minutes |\n"), "{text}");
        assert!(text.contains("| Region net |  | -7 | +120 |\n"), "{text}");
        let tests = ["MRI", "CT", "COLONOSCOPY", "GASTROSCOPY", "CYSTOSCOPY", "URODYNAMICS", "SLEEP_STUDIES"];
        let cells = tests.map(|code| of(ResourceKind::Diagnostic, code));
        many.situation.get_or_insert_default().cells.extend(cells);
        let text = page(&many).markdown();
        assert!(text.contains("| Resource | Brackwater ZA2 | Region net |\n"), "{text}");
        assert!(text.contains("| OPEL declared | 4 |  |\n"), "{text}");
        assert!(text.contains("| Theatre, minutes | +120 P1 | +120 |\n"), "{text}");
    }

    fn page(sitrep: &Sitrep) -> Page {
        Page::of(sitrep, &|at| at.strftime("%H:%M").to_string())
    }

    #[test]
    fn the_report_says_what_is_so_and_who_signed_it() {
        let text = page(&sitrep()).markdown();
        for wanted in [
            "# North Vale: situation as of 08:00\n",
            "## 5 of 6 trusts live\n",
            "| Needs open | 38 | not known yet |\n",
            "| Past needed-by | 9 | 0 to 4 (H) |\n",
            "| Placed in 24 h | 77% | not known yet |\n",
            "| Brackwater ZA2 | 4 | -7 P4 |\n",
            "| Region net |  | -7 |\n",
            "## Past needed-by and not agreed: 27\n",
            "and 2 more.\n",
            "| Brackwater ZA2 | 07:46 |\n",
            "Signed off by duty director (gold) at 08:04.\n",
        ] {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
        let unsigned = page(&Sitrep { signed_off_at: None, ..sitrep() }).markdown();
        assert!(unsigned.ends_with("Not signed off.\n"), "{unsigned}");
    }

    #[test]
    fn no_text_of_people_breaks_out_of_its_cell() {
        let page = page(&sitrep());
        assert!(page.markdown().contains("| Open <A> \\| B |"), "{}", page.markdown());
        assert!(page.html().contains("<td>Open &lt;A&gt; | B</td>"), "{}", page.html());
    }

    #[test]
    fn resources_and_owners_are_said_in_plain_words() {
        let mut report = sitrep();
        let of = |kind: ResourceKind, code: &str, level: i32, specialties: &[&str]| Need {
            resource: Some(crate::v1::Resource {
                kind: kind.into(),
                code: code.into(),
                level,
                specialties: specialties.iter().map(|code| (*code).to_owned()).collect(),
                ..Default::default()
            }),
            ..report.unmet[0].clone()
        };
        report.unmet = vec![
            of(ResourceKind::Bed, "CC_ADULT", 3, &[]),
            of(ResourceKind::Theatre, "MAIN", 0, &["110"]),
            of(ResourceKind::Diagnostic, "NON_OBSTETRIC_ULTRASOUND", 0, &[]),
        ];
        let owned =
            |owner: &str| Alert { owner: owner.to_owned(), text: "Short.".into(), ..Alert::default() };
        report.alerts = vec![owned(""), owned("site_lead ZA2"), owned("gold"), owned("bed_manager ZA9")];
        let text = page(&report).markdown();
        for wanted in [
            "| Needed by | What | Trust |\n",
            "| 06:00 | 2 \u{d7} adult critical care, level 3 | Brackwater |\n",
            "| 06:00 | 2 \u{d7} main theatre for Trauma and Orthopaedic | Brackwater |\n",
            "| 06:00 | 2 \u{d7} non-obstetric ultrasound | Brackwater |\n",
            " | Short. | unowned |\n",
            " | Short. | site lead, Brackwater |\n",
            " | Short. | gold command |\n",
            " | Short. | bed manager, ZA9 |\n",
        ] {
            assert!(text.to_lowercase().contains(&wanted.to_lowercase()), "{wanted}\n{text}");
        }
        for key in ["bed/", "theatre/", "CC_ADULT", "site_lead", "BED/"] {
            assert!(!text.contains(key), "{key}\n{text}");
        }
    }

    #[test]
    fn every_row_is_as_long_as_its_head() {
        for table in page(&sitrep()).tables() {
            assert!(table.rows.iter().all(|row| row.len() == table.head.len()), "{table:?}");
        }
        assert_eq!(page(&Sitrep::default()).tables().len(), 6, "an empty report is a report");
    }
}
