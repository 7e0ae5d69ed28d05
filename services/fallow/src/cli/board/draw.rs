//! The board on a screen.

use std::borrow::Cow;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::symbols::border;
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Borders, Cell, Clear, Paragraph, Row, Table, TableState, Wrap};

use super::state::{Board, KEYS, Mode, Place};
use crate::cli::ascii;
use crate::cli::output::Tone;

/// Characters of a cell that are always shown whole: a number that is cut would be another number.
const WHOLE: usize = 12;
/// Blank columns between two of a table.
const GAP: usize = 2;
/// What stands before each row: two columns.
const MARK: usize = 2;

/// The lines of a screen that shows nothing but ASCII.
const ASCII: border::Set<'_> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// What a screen can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Screen {
    /// Whether words may be coloured.
    pub(super) colour: bool,
    /// Whether lines are drawn with what everybody has on their keys.
    pub(super) ascii: bool,
}

impl Screen {
    fn border(self) -> border::Set<'static> {
        if self.ascii { ASCII } else { border::PLAIN }
    }

    /// Returns words as they can be shown.
    fn words(self, text: &str) -> Cow<'_, str> {
        if self.ascii { ascii::put(text) } else { text.into() }
    }

    /// Returns words that fit so many columns: what is cut says so by its last sign.
    fn fitted(self, text: &str, width: usize) -> String {
        let words = self.words(text);
        if words.chars().count() <= width {
            return words.into_owned();
        }
        let end = if self.ascii { '~' } else { '\u{2026}' };
        words.chars().take(width.saturating_sub(1)).chain([end]).collect()
    }
}

/// Draws the board.
pub(super) fn draw(frame: &mut Frame<'_>, board: &Board, screen: Screen) {
    let lines = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
    // A border above and below, the names of the columns, and the rows.
    let heat = lines(board.pane(Place::Heat).rows.len()).saturating_add(3);
    let [head, heat, inbox, latest, foot] = Layout::vertical([
        Constraint::Length(lines(board.picture.head.len())),
        Constraint::Max(heat),
        Constraint::Fill(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let text: Vec<Line<'_>> = board.picture.head.iter().map(|line| Line::from(screen.words(line))).collect();
    frame.render_widget(Paragraph::new(Text::from(text)), head);
    for (place, area) in Place::ALL.into_iter().zip([heat, inbox, latest]) {
        pane(frame, board, place, area, screen);
    }
    frame.render_widget(Paragraph::new(screen.words(&said(board))), foot);
    match &board.mode {
        Mode::Reading { title, lines, from } => {
            let text: Vec<Line<'_>> =
                lines.iter().skip(*from).map(|line| Line::from(screen.words(line))).collect();
            page(frame, title, text, screen);
        }
        Mode::Help => {
            let line = |(keys, does): &(&str, &str)| Line::from(format!("{keys:<16}  {does}"));
            page(frame, "Keys", KEYS.iter().map(line).collect(), screen);
        }
        Mode::Browse | Mode::Filter | Mode::Command(_) => {}
    }
}

fn said(board: &Board) -> String {
    match &board.mode {
        Mode::Command(line) => format!(":{line}_"),
        Mode::Filter => format!("/{}_", board.filter),
        Mode::Reading { .. } => "up and down to read on, any other key to go back".to_owned(),
        Mode::Help => "any key to go back".to_owned(),
        Mode::Browse if !board.notice.is_empty() => board.notice.clone(),
        Mode::Browse if !board.filter.is_empty() => {
            format!("only rows with \"{}\"; esc shows all", board.filter)
        }
        Mode::Browse => "? keys  enter why  a accept  d decline  / filter  : command  q end".to_owned(),
    }
}

fn pane(frame: &mut Frame<'_>, board: &Board, place: Place, area: Rect, screen: Screen) {
    let colour = screen.colour;
    let (pane, rows) = (board.pane(place), board.rows(place));
    let here = place == board.place;
    let longest = |at: usize, name: &String| {
        let count = |text: &str| screen.words(text).chars().count();
        let cells = rows.iter().filter_map(|row| row.cells.get(at)).map(|cell| count(&cell.text));
        cells.max().unwrap_or(0).max(count(name))
    };
    let longest: Vec<usize> = pane.head.iter().enumerate().map(|(at, name)| longest(at, name)).collect();
    let shown = columns(&longest, usize::from(area.width).saturating_sub(MARK), board.shifted(place));
    let mut title = format!("{}{} ({})", if here { "> " } else { "" }, pane.title, rows.len());
    if let Some((last, _)) = shown.last().filter(|_| shown.len() < longest.len() && !rows.is_empty()) {
        let first = shown.get(1).map_or(0, |(at, _)| *at);
        title += &format!(
            " columns {} to {} of {}, left and right for others",
            first + 1,
            last + 1,
            longest.len()
        );
    }
    let block = Block::new().borders(Borders::TOP).border_set(screen.border()).title(title);
    if rows.is_empty() {
        frame.render_widget(Paragraph::new(format!("  {}", pane.nothing)).block(block), area);
        return;
    }
    let widths = shown.iter().map(|(_, width)| Constraint::Length(u16::try_from(*width).unwrap_or(u16::MAX)));
    let toned = |tone: Tone| match tone {
        Tone::Plain => Style::new(),
        Tone::Warn if colour => Style::new().yellow(),
        Tone::Bad if colour => Style::new().red().bold(),
        Tone::Warn | Tone::Bad => Style::new().bold(),
    };
    let lines = rows.iter().map(|row| {
        Row::new(shown.iter().map(|(at, width)| match row.cells.get(*at) {
            Some(cell) => Cell::from(screen.fitted(&cell.text, *width)).style(toned(cell.tone)),
            None => Cell::default(),
        }))
    });
    let head = shown.iter().map(|(at, width)| screen.fitted(&pane.head[*at], *width).to_uppercase());
    let table = Table::new(lines, widths)
        .header(Row::new(head))
        .column_spacing(u16::try_from(GAP).unwrap_or(u16::MAX))
        .highlight_symbol(if here { "> " } else { "  " })
        .row_highlight_style(if here { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() })
        .block(block);
    let mut state = TableState::new().with_selected(board.chosen(place));
    frame.render_stateful_widget(table, area, &mut state);
}

/// Chooses the columns that fit, each with its width: the first, and those behind it from the one that was moved to. Each has
/// room for what is always shown whole; what is left over goes to those that are longer, from the left.
fn columns(longest: &[usize], width: usize, shifted: usize) -> Vec<(usize, usize)> {
    let (mut shown, mut used) = (Vec::new(), 0);
    let order = (0..longest.len()).filter(|at| *at == 0 || *at > shifted);
    for at in order {
        let least = longest[at].min(WHOLE);
        let gap = if shown.is_empty() { 0 } else { GAP };
        if !shown.is_empty() && used + gap + least > width {
            break;
        }
        used += gap + least;
        shown.push((at, least));
    }
    let mut spare = width.saturating_sub(used);
    for (at, given) in &mut shown {
        let more = longest[*at].saturating_sub(*given).min(spare);
        (*given, spare) = (*given + more, spare - more);
    }
    shown
}

/// Lays a page over the board.
fn page(frame: &mut Frame<'_>, title: &str, lines: Vec<Line<'_>>, screen: Screen) {
    let all = frame.area();
    let area = Rect { height: all.height.saturating_sub(1), ..all };
    frame.render_widget(Clear, area);
    let block = Block::bordered().border_set(screen.border()).title(screen.words(title));
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), area);
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::KeyCode;

    use super::super::picture::{Pane, Picture, Row};
    use super::super::state::{Act, Board, Mode, Place};
    use super::*;
    use crate::cli::output::Cell;

    fn row(id: &str, more: &str, cells: &[&str]) -> Row {
        let cells = cells.iter().map(|text| Cell::toned(*text, Tone::Plain)).collect();
        Row { id: id.to_owned(), more: more.to_owned(), cells }
    }

    fn picture() -> Picture {
        let head = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let heat = vec![
            row("ZA1", "feed show ZA1", &["Aldermoor", "ZA1", "3", "+2 P2", "+6 P1"]),
            row("ZA2", "feed show ZA2", &["Brackwater", "ZA2", "-", ".", "-7 P4 //"]),
            row("", "", &["Region net", "", "", "+2", "-1"]),
        ];
        let inbox = vec![
            row("0198c3-1", "why 0198c3-1", &["12:40 left", "1", "Level 3", "LC-118", "ZA1", "ZA4"]),
            row("0198c3-2", "why 0198c3-2", &["34 min left", "2", "G&A", "LC-120", "ZA3", "ZA4"]),
        ];
        Picture {
            head: vec![
                "North Vale  Tue 24 Nov 14:32:08  5 of 6 trusts live".into(),
                "38 open | 9 past needed-by".into(),
            ],
            heat: Pane {
                title: "Spare less needed",
                head: head(&["trust", "", "opel", "Level 2", "G&A"]),
                rows: heat,
                nothing: "none",
            },
            inbox: Pane {
                title: "Inbox",
                head: head(&["hold", "units", "resource", "ref", "from", "for"]),
                rows: inbox,
                nothing: "nothing waits for your answer",
            },
            latest: Pane {
                title: "Moving",
                head: head(&["units"]),
                rows: Vec::new(),
                nothing: "nothing is on the way",
            },
        }
    }

    /// Types keys into a board; returns what they asked for.
    fn type_in(board: &mut Board, keys: &[KeyCode]) -> Vec<Act> {
        keys.iter().map(|key| board.key(*key)).filter(|act| *act != Act::Nothing).collect()
    }

    fn text(line: &str) -> Vec<KeyCode> {
        line.chars().map(KeyCode::Char).collect()
    }

    fn screen(board: &Board, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, board, Screen { colour: false, ascii: false })).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn a_screen_of_ascii_gets_nothing_else() {
        let mut picture = picture();
        picture.head[0] = "Dunmere\u{2019}s vale \u{2013} now".into();
        picture.heat.head[3] = "Level\u{a0}2".into();
        picture.inbox.rows[0].cells[2] = "Children\u{2019}s \u{2192} HDU".into();
        let mut board = Board::new(picture);
        board.notice = "not live: it waits\u{2026}".into();
        let mut seen = String::new();
        for key in [KeyCode::Tab, KeyCode::Char('?'), KeyCode::Esc, KeyCode::Tab] {
            board.key(key);
            if key == KeyCode::Esc {
                board.read("why \u{d7}", "a patient\u{2019}s bed\nand more\n");
            }
            let mut terminal = Terminal::new(TestBackend::new(80, 14)).unwrap();
            terminal.draw(|frame| draw(frame, &board, Screen { colour: false, ascii: true })).unwrap();
            seen.push_str(&terminal.backend().to_string());
        }
        assert!(seen.is_ascii() && seen.contains("+Keys---") && seen.contains("Inbox (2)---"), "{seen}");
        for words in [
            "Dunmere's vale - now",
            "LEVEL 2",
            "Children's -> HDU",
            "not live: it waits...",
            "+why x---",
            "a patient's bed",
        ] {
            assert!(seen.contains(words), "{words}: {seen}");
        }
    }

    /// Half of a number is another number.
    #[test]
    fn no_number_is_cut_and_columns_that_do_not_fit_are_reached_by_keys() {
        let mut picture = picture();
        let units = ["Level 2", "Day case", "Theatre", "Colonoscopy", "MRI", "Ventilators"];
        picture.heat.head =
            ["trust", "", "opel"].iter().chain(&units).map(|name| (*name).to_owned()).collect();
        let numbers = ["+2 P2", "+1275 P1", "+4820 P1", "+18 P1 //", "-186 P4", "."];
        picture.heat.rows =
            vec![row("ZA1", "", &[&["Aldermoor University Hospitals", "ZA1", "3"][..], &numbers].concat())];
        let mut board = Board::new(picture);
        board.key(KeyCode::BackTab);
        let mut seen = String::new();
        for width in [40, 60, 120] {
            seen.push_str(&screen(&board, width, 12));
            for key in [KeyCode::Right; 9] {
                let shown = screen(&board, width, 12);
                let line = shown.lines().find(|line| line.contains("Alder")).unwrap();
                let words =
                    line.trim_matches(['"', '>', ' ']).split("  ").filter(|word| !word.is_empty()).skip(1);
                for word in words.map(str::trim) {
                    assert!(numbers.contains(&word) || ["ZA1", "3"].contains(&word), "{width}: {line}");
                }
                assert_eq!(board.key(key), Act::Nothing);
            }
            assert!(screen(&board, width, 12).contains("VENTILATORS"), "{}", screen(&board, width, 12));
            for key in [KeyCode::Left; 9] {
                assert_eq!(board.key(key), Act::Nothing);
            }
        }
        assert_snapshot!(seen);
    }

    #[test]
    fn the_board_fills_a_screen() {
        assert_snapshot!(screen(&Board::new(picture()), 80, 20));
    }

    #[test]
    fn a_small_screen_still_shows_the_inbox() {
        assert_snapshot!(screen(&Board::new(picture()), 40, 14));
    }

    #[test]
    fn the_keys_are_listed_and_a_command_is_seen_while_it_is_typed() {
        let mut board = Board::new(picture());
        board.key(KeyCode::Char('?'));
        let keys = screen(&board, 80, 14);
        board.key(KeyCode::Esc);
        type_in(&mut board, &text(":why-not LC-118"));
        assert_snapshot!(format!("{keys}\n{}", screen(&board, 80, 14)));
        assert_eq!(type_in(&mut board, &[KeyCode::Enter]), [Act::Run("why-not LC-118".into())]);
    }

    #[test]
    fn keys_explain_accept_take_back_and_decline_the_chosen_row() {
        let mut board = Board::new(picture());
        let (enter, down, tab) = (KeyCode::Enter, KeyCode::Down, KeyCode::Tab);
        let accept = KeyCode::Char('a');
        let asked = type_in(&mut board, &[down, enter, accept, KeyCode::Char('u'), KeyCode::Char('u')]);
        let run = |line: &str| Act::Run(line.to_owned());
        assert_eq!(asked, [run("why 0198c3-2"), run("accept 0198c3-2"), run("proposal retract 0198c3-2")]);
        board.key(KeyCode::Char('d'));
        assert_eq!(board.mode, Mode::Command("decline 0198c3-2 --reason ".into()));
        let declined: Vec<KeyCode> = text("staffing").into_iter().chain([enter]).collect();
        assert_eq!(type_in(&mut board, &declined), [run("decline 0198c3-2 --reason staffing")]);
        // Nothing is accepted where nothing is proposed.
        assert_eq!(type_in(&mut board, &[tab, accept, enter, tab, accept, enter]), [run("feed show ZA1")]);
        assert_eq!(type_in(&mut board, &[KeyCode::Char('q')]), [Act::Quit]);
        let quit: Vec<KeyCode> = text(":quit").into_iter().chain([enter]).collect();
        assert_eq!(type_in(&mut board, &quit), [Act::Quit]);
    }

    #[test]
    fn a_filter_keeps_rows_and_the_chosen_record_stays_chosen() {
        let mut board = Board::new(picture());
        board.key(KeyCode::Down);
        let mut newer = picture();
        newer.inbox.rows.insert(0, row("0198c3-0", "why 0198c3-0", &["1:00 left", "1", "CT", "DX-1"]));
        board.refresh(newer);
        assert_eq!(board.chosen(Place::Inbox), Some(2), "the same proposal, two rows down");
        let filter: Vec<KeyCode> = text("/lc-118").into_iter().chain([KeyCode::Enter]).collect();
        type_in(&mut board, &filter);
        assert_eq!(board.rows(Place::Inbox).len(), 1);
        assert_eq!(type_in(&mut board, &[KeyCode::Enter]), [Act::Run("why 0198c3-1".into())]);
        board.key(KeyCode::Esc);
        assert_eq!(board.rows(Place::Inbox).len(), 3);
    }

    #[test]
    fn what_a_command_says_is_read_line_by_line() {
        let mut board = Board::new(picture());
        board.read("accept 0198c3-1", "accepted (revision 51)\n");
        assert_eq!((board.mode.clone(), board.notice.as_str()), (Mode::Browse, "accepted (revision 51)"));
        let long: String = (1..=30).map(|line| format!("line {line}\n")).collect();
        board.read("why", &long);
        board.key(KeyCode::PageDown);
        assert!(screen(&board, 60, 12).contains("line 11") && !screen(&board, 60, 12).contains("line 10"));
        board.key(KeyCode::Char('q'));
        assert_eq!(board.mode, Mode::Browse, "the page is left, not the board");
    }
}
