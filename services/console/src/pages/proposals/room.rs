//! How much of an inbox one page holds: goal C1 is kept whatever proposals say. What waits first is shown with its
//! explanation as long as there is room; after that the explanation is a click away, and after that the proposal is.

use super::view::{Card, Form};

/// Bytes of an inbox at most, cards and all that stands around them. With a frame of at most 6 kB a page is within 60 kB.
const BYTES_MAX: usize = 54_000;

/// What the address of the inbox says beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Opened {
    /// Id of the proposal whose explanation is opened.
    #[serde(default)]
    pub(super) why: String,
    /// How many of the first are passed over.
    #[serde(default)]
    pub(super) from: usize,
    /// `newest` for what was proposed last on top; otherwise what lapses first.
    #[serde(default)]
    pub(super) order: String,
}

/// The word by which an address and a form ask for what was proposed last on top.
pub(super) const NEWEST: &str = "newest";

impl Opened {
    /// Returns the inbox in the order that was asked for, and nothing else of it.
    pub(super) fn in_order(order: &str) -> Self {
        Self { order: order.to_owned(), ..Self::default() }
    }

    pub(super) fn is_newest(&self) -> bool {
        self.order == NEWEST
    }

    /// Returns the query of the address that shows the same; empty where nothing is said.
    pub(super) fn query(&self) -> String {
        let why = (!self.why.is_empty()).then(|| format!("why={}", crate::app::encoded(&self.why)));
        let from = (self.from > 0).then(|| format!("from={}", self.from));
        let order = self.is_newest().then(|| format!("order={NEWEST}"));
        let all: Vec<String> = order.into_iter().chain(why).chain(from).collect();
        if all.is_empty() { String::new() } else { format!("?{}", all.join("&")) }
    }
}

/// What there is room for of one card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fits {
    /// The card with its explanation.
    Whole,
    /// The card, and the way to its explanation.
    Lean,
    /// Nothing.
    Not,
}

/// Says how much of each card there is room for, in their order: as many as there can be, then explanations of the first.
/// One that is asked for is whole before all others.
fn fits(sizes: &[(usize, usize)], asked: Option<usize>, bytes: usize) -> Vec<Fits> {
    let mut left = bytes;
    let mut found: Vec<Fits> = vec![Fits::Not; sizes.len()];
    if let Some((at, (_, whole))) = asked.and_then(|at| Some((at, sizes.get(at)?))) {
        left = left.saturating_sub(*whole);
        found[at] = Fits::Whole;
    }
    for (at, (lean, _)) in sizes.iter().enumerate() {
        if found[at] == Fits::Whole {
            continue;
        }
        let Some(rest) = left.checked_sub(*lean) else { break };
        (left, found[at]) = (rest, Fits::Lean);
    }
    for (at, (lean, whole)) in sizes.iter().enumerate() {
        let more = whole.saturating_sub(*lean);
        if found[at] == Fits::Lean && more <= left {
            (left, found[at]) = (left - more, Fits::Whole);
        }
    }
    found
}

/// Writes the cards for which there is room, each as much of it as there is room for; `None` for the others. `taken` bytes
/// of the inbox are taken already; the first explanation is open where that is wanted, and so is one that is asked for.
pub(super) fn written(
    cards: &[&Card],
    form: Form<'_>,
    opened: &Opened,
    opens_first: bool,
    taken: usize,
) -> Vec<Option<String>> {
    let passed = opened.from.min(cards.len());
    let shown = &cards[passed..];
    let asked = shown.iter().position(|card| card.id == opened.why).or(opens_first.then_some(0));
    let is_open = |at: usize| asked == Some(at);
    let both: Vec<(String, String)> = shown
        .iter()
        .enumerate()
        .map(|(at, card)| (card.written(form, false, false), card.written(form, true, is_open(at))))
        .collect();
    let sizes: Vec<(usize, usize)> = both.iter().map(|(lean, whole)| (lean.len(), whole.len())).collect();
    let fits = fits(&sizes, asked, BYTES_MAX.saturating_sub(taken)).into_iter();
    let written = both.into_iter().zip(fits).map(|((lean, whole), fits)| match fits {
        Fits::Whole => Some(whole),
        Fits::Lean => Some(lean),
        Fits::Not => None,
    });
    std::iter::repeat_n(None, passed).chain(written).collect()
}

#[cfg(test)]
mod tests {
    use super::Fits::{Lean, Not, Whole};
    use super::*;

    #[test]
    fn all_are_shown_before_any_is_explained_and_the_first_are_explained_first() {
        let sizes = [(10, 30); 4];
        assert_eq!(fits(&sizes, None, 120), [Whole; 4]);
        assert_eq!(fits(&sizes, None, 119), [Whole, Whole, Whole, Lean]);
        assert_eq!(fits(&sizes, None, 60), [Whole, Lean, Lean, Lean]);
        assert_eq!(fits(&sizes, None, 39), [Lean, Lean, Lean, Not]);
        assert_eq!(fits(&sizes, None, 0), [Not; 4]);
        assert_eq!(fits(&[], None, 10), []);
    }

    #[test]
    fn what_is_asked_for_is_whole_however_late_it_stands() {
        let sizes = [(10, 30); 4];
        assert_eq!(fits(&sizes, Some(3), 60), [Lean, Lean, Lean, Whole]);
        assert_eq!(fits(&sizes, Some(3), 45), [Lean, Not, Not, Whole]);
        assert_eq!(fits(&sizes, Some(9), 40), [Lean; 4], "it has gone");
    }

    #[test]
    fn an_address_says_what_it_opens() {
        assert_eq!(Opened::default().query(), "");
        let opened = Opened { why: "p-1".to_owned(), from: 12, order: "newest".to_owned() };
        assert_eq!(opened.query(), "?order=newest&why=p-1&from=12");
        assert_eq!(Opened::in_order("newest").query(), "?order=newest");
        assert_eq!(Opened::in_order("oldest").query(), "", "no order of ours");
    }
}
