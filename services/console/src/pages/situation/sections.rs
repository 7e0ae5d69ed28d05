//! The pages about the region, one click from one another.

/// A page about the region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// Who can help and who is short.
    Situation,
    /// Trying changes on a copy.
    WhatIf,
    /// Across the room.
    Wall,
}

impl Section {
    const ALL: [Self; 3] = [Self::Situation, Self::WhatIf, Self::Wall];

    const fn path(self) -> &'static str {
        match self {
            Self::Situation => "/situation",
            Self::WhatIf => "/what-if",
            Self::Wall => "/wall",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Situation => "Situation",
            Self::WhatIf => "What-if",
            Self::Wall => "Wall",
        }
    }
}

/// Address, name, and whether it is the page that is shown.
pub(crate) type Entry = (&'static str, &'static str, bool);

/// Returns the way from one of the pages to the others.
pub(crate) fn sections(current: Section) -> Vec<Entry> {
    Section::ALL.into_iter().map(|one| (one.path(), one.name(), one == current)).collect()
}
