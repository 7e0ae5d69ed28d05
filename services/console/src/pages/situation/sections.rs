//! The pages about the region, one click from one another.

use crate::app::Visit;

/// A page about the region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// Who can help and who is short.
    Situation,
    /// What somebody should act on.
    Alerts,
    /// Who waits, and what blocks them.
    Unmet,
    /// Who gave to whom.
    Flow,
    /// What is usual.
    Trends,
    /// What happened and what was decided.
    Timeline,
    /// What somebody above the trusts must agree to.
    Approvals,
    /// What takes two people.
    Actions,
    /// What was counted.
    Reports,
    /// The situation as of a time, signed.
    Sitrep,
    /// Trying changes on a copy.
    WhatIf,
    /// Across the room.
    Wall,
}

impl Section {
    const ALL: [Self; 12] = [
        Self::Situation,
        Self::Alerts,
        Self::Unmet,
        Self::Flow,
        Self::Trends,
        Self::Timeline,
        Self::Approvals,
        Self::Actions,
        Self::Reports,
        Self::Sitrep,
        Self::WhatIf,
        Self::Wall,
    ];

    const fn path(self) -> &'static str {
        match self {
            Self::Situation => "/situation",
            Self::Alerts => "/alerts",
            Self::Unmet => "/reports?kind=unmet",
            Self::Flow => "/reports?kind=flow",
            Self::Trends => "/trends",
            Self::Timeline => "/timeline",
            Self::Approvals => "/approvals",
            Self::Actions => "/actions",
            Self::Reports => "/reports?kind=outcomes",
            Self::Sitrep => "/sitrep",
            Self::WhatIf => "/what-if",
            Self::Wall => "/wall/display",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Situation => "Situation",
            Self::Alerts => "Alerts",
            Self::Unmet => "Unmet",
            Self::Flow => "Flow",
            Self::Trends => "Trends",
            Self::Timeline => "Timeline",
            Self::Approvals => "Approvals",
            Self::Actions => "Two people",
            Self::Reports => "Reports",
            Self::Sitrep => "Sitrep",
            Self::WhatIf => "What-if",
            Self::Wall => "Wall",
        }
    }
}

/// Address, name, and whether it is the page that is shown.
pub(crate) type Entry = (&'static str, &'static str, bool);

/// Returns the way from one of the pages to the others, as far as the viewer may read them.
pub(crate) fn sections(visit: &Visit, current: Section) -> Vec<Entry> {
    let rights = visit.rights();
    let may = |one: &Section| one.path().split('?').next().is_some_and(|page| rights.may(page));
    Section::ALL.into_iter().filter(may).map(|one| (one.path(), one.name(), one == current)).collect()
}
