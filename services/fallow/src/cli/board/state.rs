//! What the board is doing: which pane and row, what is typed, and what a key means. No terminal, no service.

use ratatui::crossterm::event::KeyCode;

use super::picture::{Pane, Picture, Row};

/// Characters of a typed line at most.
const TYPED_MAX: usize = 200;
/// Lines that a page key moves.
const PAGE: usize = 10;

/// The panes, from top to bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Heat,
    Inbox,
    Latest,
}

impl Place {
    pub(super) const ALL: [Self; 3] = [Self::Heat, Self::Inbox, Self::Latest];

    const fn index(self) -> usize {
        match self {
            Self::Heat => 0,
            Self::Inbox => 1,
            Self::Latest => 2,
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Heat => Self::Inbox,
            Self::Inbox => Self::Latest,
            Self::Latest => Self::Heat,
        }
    }

    const fn previous(self) -> Self {
        self.next().next()
    }
}

/// What keys go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    /// The panes.
    Browse,
    /// The words that rows must have.
    Filter,
    /// A command that is being typed.
    Command(String),
    /// What a command said, from which line on.
    Reading { title: String, lines: Vec<String>, from: usize },
    /// The list of keys.
    Help,
}

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Nothing,
    Quit,
    /// Run this command, without `fallow` before it.
    Run(String),
}

/// The board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Board {
    pub(super) picture: Picture,
    pub(super) place: Place,
    pub(super) mode: Mode,
    pub(super) filter: String,
    /// What is said below: what was done last, or that the picture is not live.
    pub(super) notice: String,
    chosen: [usize; 3],
    /// How many columns after the first are left out, for those behind them to be seen.
    shifted: [usize; 3],
    /// The proposal that was accepted last, which can be taken back for a while.
    accepted: Option<String>,
}

/// What each key does, for the list of keys and for nothing else to differ from it.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("tab, shift-tab", "next pane, pane before"),
    ("up, down, k, j", "row above, row below; page up and page down for ten"),
    ("enter", "say more of the row: why it was proposed, how fresh a trust is"),
    ("a", "inbox: accept; u takes it back for 10 seconds"),
    ("d", "inbox: decline, and say why"),
    ("/", "show only rows with these words; esc shows all"),
    (":", "any command, such as :why-not LC-118"),
    ("?", "these keys"),
    ("left, right", "columns before and after, where not all of them fit"),
    ("q", "end the board"),
];

impl Board {
    pub(super) fn new(picture: Picture) -> Self {
        Self {
            picture,
            place: Place::Inbox,
            mode: Mode::Browse,
            filter: String::new(),
            notice: String::new(),
            chosen: [0; 3],
            shifted: [0; 3],
            accepted: None,
        }
    }

    pub(super) fn pane(&self, place: Place) -> &Pane {
        match place {
            Place::Heat => &self.picture.heat,
            Place::Inbox => &self.picture.inbox,
            Place::Latest => &self.picture.latest,
        }
    }

    /// Returns the rows of a pane that the filter lets through.
    pub(super) fn rows(&self, place: Place) -> Vec<&Row> {
        let words = self.filter.to_lowercase();
        let fits = |row: &&Row| row.cells.iter().any(|cell| cell.text.to_lowercase().contains(&words));
        self.pane(place).rows.iter().filter(|row| words.is_empty() || fits(row)).collect()
    }

    /// Returns which row of a pane is chosen; `None` when there is none.
    pub(super) fn chosen(&self, place: Place) -> Option<usize> {
        let last = self.rows(place).len().checked_sub(1)?;
        Some(self.chosen[place.index()].min(last))
    }

    /// Returns how many columns after the first are left out. One behind the first is always there.
    pub(super) fn shifted(&self, place: Place) -> usize {
        self.shifted[place.index()].min(self.pane(place).head.len().saturating_sub(2))
    }

    fn row(&self) -> Option<&Row> {
        self.rows(self.place).get(self.chosen(self.place)?).copied()
    }

    /// Takes a new picture; the chosen row stays the same record where it is still there.
    pub(super) fn refresh(&mut self, picture: Picture) {
        let ids = Place::ALL.map(|place| {
            let rows = self.rows(place);
            self.chosen(place).and_then(|at| rows.get(at)).map(|row| row.id.clone())
        });
        self.picture = picture;
        for (place, id) in Place::ALL.into_iter().zip(ids) {
            let found = self.rows(place).iter().position(|row| Some(&row.id) == id.as_ref());
            if let Some(at) = found {
                self.chosen[place.index()] = at;
            }
        }
    }

    /// Shows what a command said: on the line below where it is one, else on a page of its own.
    pub(super) fn read(&mut self, title: &str, text: &str) {
        let lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
        match lines.as_slice() {
            [] => self.notice = format!("done: {title}"),
            [one] => self.notice.clone_from(one),
            [_, _, ..] => self.mode = Mode::Reading { title: title.to_owned(), lines, from: 0 },
        }
    }

    /// Says what a key means now.
    pub(super) fn key(&mut self, key: KeyCode) -> Act {
        match &mut self.mode {
            Mode::Browse => self.browse(key),
            Mode::Help => {
                self.mode = Mode::Browse;
                Act::Nothing
            }
            Mode::Reading { lines, from, .. } => {
                let last = lines.len().saturating_sub(1);
                match moved(key, *from, last) {
                    Some(to) => *from = to,
                    None => self.mode = Mode::Browse,
                }
                Act::Nothing
            }
            Mode::Filter => {
                if key == KeyCode::Esc {
                    self.filter.clear();
                }
                if key == KeyCode::Esc || key == KeyCode::Enter {
                    self.mode = Mode::Browse;
                } else {
                    typed(&mut self.filter, key);
                }
                Act::Nothing
            }
            Mode::Command(line) => {
                if key != KeyCode::Esc && key != KeyCode::Enter {
                    typed(line, key);
                    return Act::Nothing;
                }
                let line = line.trim().to_owned();
                self.mode = Mode::Browse;
                match line.as_str() {
                    _ if key == KeyCode::Esc => Act::Nothing,
                    "" => Act::Nothing,
                    // As other programs of the terminal are left.
                    "q" | "quit" | "exit" => Act::Quit,
                    _ => Act::Run(line),
                }
            }
        }
    }

    fn browse(&mut self, key: KeyCode) -> Act {
        let chosen = self.row().filter(|row| !row.id.is_empty()).cloned();
        match (key, chosen) {
            (KeyCode::Char('q'), _) => return Act::Quit,
            (KeyCode::Char('?'), _) => self.mode = Mode::Help,
            (KeyCode::Char('/'), _) => self.mode = Mode::Filter,
            (KeyCode::Char(':'), _) => self.mode = Mode::Command(String::new()),
            (KeyCode::Esc, _) => self.filter.clear(),
            (KeyCode::Left, _) => {
                self.shifted[self.place.index()] = self.shifted(self.place).saturating_sub(1);
            }
            (KeyCode::Right, _) => {
                self.shifted[self.place.index()] += 1;
                self.shifted[self.place.index()] = self.shifted(self.place);
            }
            (KeyCode::Tab, _) => self.place = self.place.next(),
            (KeyCode::BackTab, _) => self.place = self.place.previous(),
            (KeyCode::Enter, Some(row)) if !row.more.is_empty() => return Act::Run(row.more),
            (KeyCode::Char('a'), Some(row)) if self.place == Place::Inbox => {
                self.accepted = Some(row.id.clone());
                return Act::Run(format!("accept {}", row.id));
            }
            (KeyCode::Char('u'), _) => {
                if let Some(id) = self.accepted.take() {
                    return Act::Run(format!("proposal retract {id}"));
                }
            }
            (KeyCode::Char('d'), Some(row)) if self.place == Place::Inbox => {
                self.mode = Mode::Command(format!("decline {} --reason ", row.id));
            }
            (other, _) => {
                let last = self.rows(self.place).len().saturating_sub(1);
                let at = self.chosen(self.place).unwrap_or(0);
                if let Some(to) = moved(other, at, last) {
                    self.chosen[self.place.index()] = to;
                }
            }
        }
        Act::Nothing
    }
}

/// Returns where a key of movement leads to; `None` for any other key.
fn moved(key: KeyCode, at: usize, last: usize) -> Option<usize> {
    if matches!(key, KeyCode::Up | KeyCode::Char('k')) {
        Some(at.saturating_sub(1))
    } else if matches!(key, KeyCode::Down | KeyCode::Char('j')) {
        Some((at + 1).min(last))
    } else if key == KeyCode::PageUp {
        Some(at.saturating_sub(PAGE))
    } else if key == KeyCode::PageDown {
        Some((at + PAGE).min(last))
    } else {
        None
    }
}

fn typed(line: &mut String, key: KeyCode) {
    if key == KeyCode::Backspace {
        line.pop();
    } else if let KeyCode::Char(sign) = key
        && line.chars().count() < TYPED_MAX
    {
        line.push(sign);
    }
}
