//! The columns of files: the fields of a record, flattened.

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Offers.
    Offers,
    /// Needs.
    Needs,
}

/// How a cell is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Text.
    Text,
    /// A time: `18:00`, `+4h`, `2026-11-24 18:00` by the clock, or RFC 3339.
    Time,
    /// A time, or a date alone, which means its beginning.
    TimeOrDate,
    /// A length of time: `4h`, `45m`, `3600s`; a bare number is minutes.
    Length,
    /// A number.
    Number,
    /// `true` or `false` (also `yes`, `no`, `1`, `0`).
    YesOrNo,
    /// Several texts with `;` between; `\;` is a semicolon within one.
    List,
    /// A resource as `kind/code` or `kind/code/level`; in the record it is three fields.
    Resource,
}

/// A column: the path of a field in the record, and how its cells are written. An empty cell is an absent field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The path, such as `resource.kind`; the name in the head.
    pub name: &'static str,
    /// How cells are written.
    pub holds: Holds,
}

const fn column(name: &'static str, holds: Holds) -> Column {
    Column { name, holds }
}

/// What people write instead of `resource.kind`, `resource.code` and `resource.level`.
pub(crate) const RESOURCE: Column = column("resource", Holds::Resource);

const OFFERS: &[Column] = &[
    column("id", Holds::Text),
    column("source_key", Holds::Text),
    column("trust", Holds::Text),
    column("site", Holds::Text),
    column("resource.kind", Holds::Text),
    column("resource.code", Holds::Text),
    column("resource.specialties", Holds::List),
    column("resource.level", Holds::Number),
    column("resource.level_scheme", Holds::Text),
    column("figures.staffed", Holds::Number),
    column("figures.occupied", Holds::Number),
    column("figures.blocked", Holds::Number),
    column("figures.held", Holds::Number),
    column("figures.committed", Holds::Number),
    column("window.from", Holds::Time),
    column("window.until", Holds::Time),
    column("capabilities", Holds::List),
    column("limits.age_min", Holds::Number),
    column("limits.age_max", Holds::Number),
    column("limits.sex", Holds::Text),
    column("limits.bmi_max", Holds::Number),
    column("limits.asa_max", Holds::Number),
    column("team.staffed", Holds::YesOrNo),
    column("team.needs", Holds::List),
    column("shared_with", Holds::List),
    column("release_at", Holds::TimeOrDate),
    column("campaign", Holds::Text),
    column("state", Holds::Text),
    column("reported_at", Holds::Time),
    column("source", Holds::Text),
    column("source_seq", Holds::Number),
    column("cadence", Holds::Length),
    column("note", Holds::Text),
];

const NEEDS: &[Column] = &[
    column("id", Holds::Text),
    column("case_ref", Holds::Text),
    column("trust", Holds::Text),
    column("site", Holds::Text),
    column("resource.kind", Holds::Text),
    column("resource.code", Holds::Text),
    column("resource.specialties", Holds::List),
    column("resource.level", Holds::Number),
    column("resource.level_scheme", Holds::Text),
    column("units", Holds::Number),
    column("minutes_per_case", Holds::Number),
    column("priority", Holds::Text),
    column("listed_at", Holds::TimeOrDate),
    column("earliest", Holds::Time),
    column("needed_by", Holds::Time),
    column("requires", Holds::List),
    column("patient.age", Holds::Number),
    column("patient.sex", Holds::Text),
    column("patient.bmi", Holds::Number),
    column("patient.asa", Holds::Number),
    column("patient.isolation", Holds::YesOrNo),
    column("max_travel_minutes", Holds::Number),
    column("imd_decile", Holds::Number),
    column("risk.value", Holds::Number),
    column("risk.source", Holds::Text),
    column("risk.at", Holds::TimeOrDate),
    column("reason", Holds::Text),
    column("scope", Holds::Text),
    column("fragile_service", Holds::YesOrNo),
    column("brings_team", Holds::YesOrNo),
    column("home_area", Holds::Text),
    column("pathway", Holds::Text),
    column("discharge_pathway", Holds::Text),
    column("funding_route", Holds::Text),
    column("cost_centre", Holds::Text),
    column("away_since", Holds::TimeOrDate),
    column("cohort", Holds::Text),
    column("state", Holds::Text),
    column("units_proposed", Holds::Number),
    column("units_committed", Holds::Number),
    column("units_arrived", Holds::Number),
    column("note", Holds::Text),
];

impl Table {
    /// Returns every column that a file of this kind may have, in the order of the record. `resource` may stand for
    /// `resource.kind`, `resource.code` and `resource.level`.
    #[must_use]
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Offers => OFFERS,
            Self::Needs => NEEDS,
        }
    }

    /// Returns the column of a name, or `None` when there is none.
    #[must_use]
    pub fn column(self, name: &str) -> Option<Column> {
        let mut all = self.columns().iter().copied().chain([RESOURCE]);
        all.find(|column| column.name == name)
    }

    /// Returns the name of the sheet of a workbook that holds this table.
    #[must_use]
    pub const fn sheet_name(self) -> &'static str {
        match self {
            Self::Offers => "Offers",
            Self::Needs => "Needs",
        }
    }
}
