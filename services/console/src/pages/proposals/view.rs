//! What the inbox shows, worked out from the records.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use fallow_api::v1::{Answer, Need, Offer, Proposal, ResourceKind, Transfer, answer, authority, proposal};
use jiff::{SignedDuration, Timestamp};

use super::super::frame::rendered;
use super::block::Block;
use super::room::{self, Opened};
use super::why::Why;
use crate::directory::{Desk, Directory};
use crate::rights::who_may;
use crate::words;
use crate::words::codes::{self, Tag};
use crate::words::resource::{self, Choice};
use crate::words::time::{Now, from_wire};

/// How long an answer can be taken back; the rule of the glossary.
const RETRACT_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// A hold with less left than this is marked.
const SHORT_HOLD: SignedDuration = SignedDuration::from_mins(5);

/// Records around the proposals.
pub(super) struct Known {
    pub(super) needs: BTreeMap<String, Need>,
    pub(super) offers: BTreeMap<String, Offer>,
    pub(super) transfers: Vec<Transfer>,
    pub(super) directory: Arc<Directory>,
}

/// Who looks, and how.
#[derive(Clone, Copy)]
pub(super) struct Looking<'a> {
    pub(super) csrf: &'a str,
    /// The viewer's trust.
    pub(super) trust: &'a str,
    /// Whether the viewer's role may answer for it.
    pub(super) may_answer: bool,
    /// Whether the first explanation is open.
    pub(super) opens_first: bool,
    pub(super) opened: &'a Opened,
    pub(super) now: &'a Now,
}

impl Looking<'_> {
    fn form(&self) -> Form<'_> {
        Form { csrf: self.csrf, is_newest: self.opened.is_newest() }
    }
}

/// What every form of the inbox holds.
#[derive(Clone, Copy)]
pub(super) struct Form<'a> {
    csrf: &'a str,
    /// Whether what was proposed last stands on top, so that it still does after an answer.
    is_newest: bool,
}

/// The part of the page that updates itself.
#[derive(Template)]
#[template(path = "proposals/inbox.html")]
pub(super) struct Inbox {
    csrf: String,
    /// Whether what was proposed last stands on top.
    is_newest: bool,
    /// Whom they wait for: `you`, or the name of the trust for which the viewer may not answer.
    whom: String,
    /// Who may answer, where the viewer may not.
    others: Option<String>,
    /// The rest of the address of this very page.
    query: String,
    /// How many of the first are passed over.
    passed: usize,
    /// How many wait for us, in blocks and alone; of what the viewer may not answer, too.
    count: usize,
    /// Those that wait for us and are answered as a block, in the order of the page: first to lapse first, or newest first.
    blocks: Vec<Block>,
    /// Those that wait for us alone and for which there is room, as they are written, in that order.
    waiting: Vec<String>,
    /// Those that we have answered and the other side has not, likewise; and how many there are.
    answered: Vec<String>,
    answered_count: usize,
    /// Where the next page begins, and what the way there says.
    more: Option<(usize, String)>,
    /// The last that both sides agreed a short while ago, and how many there are.
    agreed: Vec<Card>,
    agreed_count: usize,
    /// The last that gold, or two people, bypassed a short while ago: when, and why in their words; and how many there are.
    bypassed: Vec<(Card, String, String)>,
    bypassed_count: usize,
}

/// Of what is over the page shows the last so many.
const OVER_SHOWN: usize = 6;

/// One proposal.
pub(super) struct Card {
    pub(super) id: String,
    /// The end of the id: what the page's own names are made of, for a page of whole ones is long.
    key: String,
    revision: i64,
    proposed_at: Option<Timestamp>,
    /// When it was proposed, where that is the order: `14:31`, with the day when it was another one.
    proposed: Option<String>,
    /// `12 min`, or `None` once the hold is over.
    pub(super) left: Option<String>,
    is_short: bool,
    /// `1 × Level 3`.
    what: String,
    units: i64,
    /// `for Dunmere General, LC-118`.
    for_whom: String,
    /// `at Aldermoor Royal Infirmary`.
    place: String,
    priority: &'static str,
    is_urgent: bool,
    needed_by: Option<String>,
    /// Since when it is needed: `13:51`, with the day when it was another one.
    since: Option<String>,
    /// When the desks that have not answered were reminded last.
    reminded: Option<String>,
    /// Who is asked after a no, as far as the engine has said.
    next: Option<String>,
    /// What is known of the case that matters for a yes.
    facts: Vec<String>,
    pub(super) is_supporting: bool,
    /// Whether we lend the team that comes to somebody's session.
    is_lending: bool,
    ours: Tag,
    /// What each of the other trusts has said.
    others: Vec<(String, Tag)>,
    authority: Option<(String, Tag)>,
    desk: Option<Desk>,
    /// Whether it waits for the viewer's trust.
    is_waiting: bool,
    /// Whether the viewer can give the answer.
    can_answer: bool,
    pub(super) can_be_provisional: bool,
    can_undo: bool,
    pub(super) reasons: Vec<Choice>,
    why: Option<Why>,
    /// What the place must have for the case, and how old its figures are; empty where the offer cannot be read.
    musts: String,
    /// When both sides had said yes, and the transfer that came of it.
    agreed: Option<String>,
    transfer: Option<String>,
}

impl Inbox {
    pub(super) fn new(looking: &Looking<'_>, proposals: &[Proposal], known: &Known) -> Self {
        let Looking { csrf, trust, may_answer, opened, now, .. } = *looking;
        let name = known.directory.trust(trust);
        let mut inbox = Self {
            csrf: csrf.to_owned(),
            is_newest: opened.is_newest(),
            whom: if may_answer { "you" } else { name }.to_owned(),
            others: (!may_answer).then(|| format!("{} of {name} answer them", who_may("/proposals/answer"))),
            query: opened.query(),
            passed: opened.from,
            count: 0,
            blocks: Vec::new(),
            waiting: Vec::new(),
            answered: Vec::new(),
            answered_count: 0,
            more: None,
            agreed: Vec::new(),
            agreed_count: 0,
            bypassed: Vec::new(),
            bypassed_count: 0,
        };
        let (mut waiting, mut answered) = (Vec::new(), Vec::new());
        let mut sorted: Vec<&Proposal> = proposals.iter().collect();
        sorted.sort_by_key(|one| (from_wire(one.held_until.as_ref()), one.id.clone()));
        for proposal in sorted {
            let card = Card::new(proposal, looking, known);
            match proposal.state() {
                proposal::State::Confirmed => inbox.agreed.push(card),
                proposal::State::Bypassed => {
                    let at =
                        from_wire(proposal.ended_at.as_ref()).map(|at| now.clock(at)).unwrap_or_default();
                    inbox.bypassed.push((card, at, proposal.ended_because.clone()));
                }
                proposal::State::Held if card.is_waiting => {
                    inbox.count += 1;
                    match &proposal.block {
                        // Who only lends a team answers case by case: the block's one answer is for its two sides.
                        Some(block) if may_answer && !card.is_lending => {
                            Block::add(&mut inbox.blocks, block, card, &known.directory);
                        }
                        Some(_) | None => waiting.push(card),
                    }
                }
                proposal::State::Held => answered.push(card),
                proposal::State::Unspecified
                | proposal::State::Declined
                | proposal::State::Lapsed
                | proposal::State::Superseded
                | proposal::State::Withdrawn => {}
            }
        }
        inbox.agreed.reverse();
        (inbox.agreed_count, inbox.bypassed_count) = (inbox.agreed.len(), inbox.bypassed.len());
        inbox.agreed.truncate(OVER_SHOWN);
        inbox.bypassed.truncate(OVER_SHOWN);
        inbox.answered_count = answered.len();
        if inbox.is_newest {
            // Stable: of what was proposed in one round, what lapses first still stands first.
            waiting.sort_by_key(Card::newest);
            answered.sort_by_key(Card::newest);
            for block in &mut inbox.blocks {
                block.cards.sort_by_key(Card::newest);
            }
            inbox.blocks.sort_by_key(|block| block.cards.first().map(Card::newest));
        }
        inbox.fill(looking, &waiting, &answered);
        inbox
    }

    /// Writes as many of the cards as there is room for: those of blocks, those that wait alone, those that are answered.
    fn fill(&mut self, looking: &Looking<'_>, waiting: &[Card], answered: &[Card]) {
        let of_blocks: Vec<usize> = self.blocks.iter().map(|block| block.cards.len()).collect();
        let all: Vec<&Card> =
            self.blocks.iter().flat_map(|block| &block.cards).chain(waiting).chain(answered).collect();
        // All but the cards is written already, but for a heading and the way on.
        let taken = rendered(self).len() + REST_BYTES;
        let mut written =
            room::written(&all, looking.form(), looking.opened, looking.opens_first, taken).into_iter();
        let last = written.as_slice().iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let rest = all.len().saturating_sub(last.max(self.passed));
        let rest_count = i64::try_from(rest).unwrap_or(i64::MAX);
        let proposals = words::count(rest_count, "proposal", "proposals");
        let text = match (self.is_newest, rest) {
            (true, _) => format!("Show {proposals} from before"),
            (false, 1) => format!("Show {proposals} that lapses later"),
            (false, _) => format!("Show {proposals} that lapse later"),
        };
        self.more = (rest > 0).then_some((last, text));
        for (block, count) in self.blocks.iter_mut().zip(of_blocks) {
            block.shown = written.by_ref().take(count).flatten().collect();
        }
        self.waiting = written.by_ref().take(waiting.len()).flatten().collect();
        self.answered = written.flatten().collect();
    }
}

/// What is written of an inbox only once its cards are, in bytes: the heading of those that are answered, the way on.
const REST_BYTES: usize = 300;

/// A card as it is written.
#[derive(Template)]
#[template(path = "proposals/card.html")]
struct Written<'a> {
    card: &'a Card,
    csrf: &'a str,
    is_newest: bool,
    is_explained: bool,
    is_open: bool,
}

impl Card {
    /// Writes it: with its explanation, open or not, or with the way to it.
    pub(super) fn written(&self, form: Form<'_>, is_explained: bool, is_open: bool) -> String {
        let Form { csrf, is_newest } = form;
        rendered(&Written { card: self, csrf, is_newest, is_explained, is_open })
    }

    /// Returns what puts the newest first.
    fn newest(&self) -> Reverse<Option<Timestamp>> {
        Reverse(self.proposed_at)
    }

    fn new(proposal: &Proposal, looking: &Looking<'_>, known: &Known) -> Self {
        let (directory, Looking { trust, may_answer, opened, now, .. }) = (&known.directory, *looking);
        let proposed_at = from_wire(proposal.proposed_at.as_ref());
        let (need, offer) = (known.needs.get(&proposal.need), known.offers.get(&proposal.offer));
        let is_supporting = proposal.supporting_trust == trust;
        let lent = proposal.team.as_ref().filter(|team| team.answer.is_some());
        let is_lending = lent.is_some_and(|team| team.trust == trust);
        let (own, others): (Vec<Asked<'_>>, _) = asked(proposal).partition(|(code, _)| *code == trust);
        let ours = own.first().map(|(_, answer)| answer.clone()).unwrap_or_default();
        let held_until = from_wire(proposal.held_until.as_ref());
        let left = held_until.and_then(|until| now.left(until));
        let is_held = proposal.state() == proposal::State::Held && left.is_some();
        let resource =
            need.and_then(|need| need.resource.as_ref()).or(offer.and_then(|offer| offer.resource.as_ref()));
        let (home_site, support_site) =
            (need.map_or("", |need| need.site.as_str()), offer.map_or("", |offer| offer.site.as_str()));
        let other_trust = if is_supporting { &proposal.home_trust } else { &proposal.supporting_trust };
        let (other_site, other_phone) = if is_supporting {
            (home_site, &proposal.home_phone)
        } else {
            (support_site, &proposal.supporting_phone)
        };
        let other_desk = || Desk::new(directory.trust(other_trust), other_phone);
        let gives = is_supporting || is_lending;
        let reasons: &[_] = if gives { &codes::SUPPORTING_DECLINES } else { &codes::HOME_DECLINES };
        let reason = |reason: &fallow_api::v1::DeclineReason| Choice {
            key: codes::decline_key(*reason).to_owned(),
            name: codes::decline(*reason).to_owned(),
        };
        let priority = need.map_or(("", ""), |need| codes::priority(need.priority())).0;
        let answered = answer_of(&ours);
        let is_waiting = is_held && matches!(answered, answer::State::Pending | answer::State::Provisional);
        Self {
            id: proposal.id.clone(),
            key: key(&proposal.id).to_owned(),
            revision: proposal.revision,
            proposed_at,
            proposed: proposed_at.filter(|_| opened.is_newest()).map(|at| now.clock(at)),
            is_short: held_until.is_some_and(|until| until.duration_since(now.at) < SHORT_HOLD),
            left,
            what: what(proposal, resource),
            units: proposal.units,
            for_whom: for_whom(proposal, need, directory),
            place: place(proposal, offer, now, directory),
            priority,
            is_urgent: priority.starts_with("P1"),
            needed_by: need.and_then(|need| from_wire(need.needed_by.as_ref())).map(|by| now.clock(by)),
            since: need.and_then(|need| from_wire(need.raised_at.as_ref())).map(|at| now.clock(at)),
            reminded: reminded(proposal, now).filter(|_| is_held),
            next: next(proposal, directory),
            facts: need
                .map(facts)
                .into_iter()
                .flatten()
                .chain(proposal.from_home.map(codes::from_home))
                .chain(team(proposal, directory))
                .collect(),
            is_supporting,
            is_lending,
            ours: codes::answer_state(ours.state()),
            others: others
                .iter()
                .map(|(code, answer)| (directory.trust(code).to_owned(), codes::answer_state(answer.state())))
                .collect(),
            authority: authority(proposal),
            desk: directory.desk(other_site).or_else(other_desk).or_else(|| directory.desk_of(other_trust)),
            is_waiting,
            can_answer: is_waiting && may_answer,
            can_be_provisional: gives && answered == answer::State::Pending,
            can_undo: may_answer && is_held && can_undo(&ours, &others, now.at),
            reasons: reasons.iter().map(reason).collect(),
            why: Why::new(proposal, now, directory),
            musts: offer.map(|offer| musts(need, offer, now)).unwrap_or_default(),
            agreed: agreed_at(proposal).map(|at| now.time_of_day(at)),
            transfer: known
                .transfers
                .iter()
                .find(|transfer| transfer.proposal == proposal.id)
                .map(|transfer| transfer.id.clone()),
        }
    }
}

/// Returns the end of an id, which no two proposals of one page share.
fn key(id: &str) -> &str {
    id.get(id.len().saturating_sub(12)..).unwrap_or(id)
}

/// Returns when a desk was reminded last.
fn reminded(proposal: &Proposal, now: &Now) -> Option<String> {
    let passed = proposal.reminders.iter().filter_map(|at| from_wire(Some(at))).filter(|at| *at <= now.at);
    passed.max().map(|at| now.time_of_day(at))
}

/// Returns what a side has said; nothing sent is nothing said.
fn answer_of(answer: &Answer) -> answer::State {
    match answer.state() {
        answer::State::Unspecified | answer::State::Pending => answer::State::Pending,
        said @ (answer::State::Provisional | answer::State::Accepted | answer::State::Declined) => said,
    }
}

/// A trust that is asked, and what it has said.
pub(in crate::pages) type Asked<'p> = (&'p str, Answer);

/// The trusts that a proposal asks, each once: supporting, home and, where it is a third one, that of the team.
pub(in crate::pages) fn asked(proposal: &Proposal) -> impl Iterator<Item = Asked<'_>> {
    let sides = [(&proposal.supporting_trust, &proposal.supporting), (&proposal.home_trust, &proposal.home)];
    let sides = sides.map(|(trust, answer)| (trust.as_str(), answer.clone().unwrap_or_default()));
    let lender = proposal.team.as_ref().and_then(|team| Some((team.trust.as_str(), team.answer.clone()?)));
    sides.into_iter().chain(lender)
}

/// Returns the trust of the first runner-up, where it is another one.
fn next(proposal: &Proposal, directory: &Directory) -> Option<String> {
    let runner_up = proposal.explanation.as_ref()?.alternatives.first()?;
    (runner_up.trust != proposal.supporting_trust).then(|| directory.trust(&runner_up.trust).to_owned())
}

/// Says whose team comes to the session.
fn team(proposal: &Proposal, directory: &Directory) -> Option<String> {
    let team = proposal.team.as_ref()?;
    let roles = team.roles.join(", ").replace('_', " ").to_lowercase();
    let phone = if team.phone.is_empty() { String::new() } else { format!(", {}", team.phone) };
    Some(format!("team ({roles}) from {}{phone}", directory.trust(&team.trust)))
}

fn can_undo(ours: &Answer, others: &[Asked<'_>], now: Timestamp) -> bool {
    let just_now = from_wire(ours.at.as_ref()).is_some_and(|at| now.duration_since(at) <= RETRACT_WITHIN);
    just_now
        && ours.state() == answer::State::Accepted
        && others.iter().all(|(_, answer)| answer_of(answer) == answer::State::Pending)
}

/// Returns when the last yes was said.
pub(super) fn agreed_at(proposal: &Proposal) -> Option<Timestamp> {
    asked(proposal).filter_map(|(_, side)| from_wire(side.at.as_ref())).max()
}

pub(super) fn what(proposal: &Proposal, resource: Option<&fallow_api::v1::Resource>) -> String {
    match resource {
        Some(resource) if resource.kind() == ResourceKind::Theatre => {
            let cases = words::count(proposal.units, "case", "cases");
            format!("{}, {cases}, {} min", resource::with_specialties(resource), proposal.minutes)
        }
        Some(resource) => resource::phrase(resource, proposal.units),
        None => words::count(proposal.units, "unit", "units"),
    }
}

pub(super) fn for_whom(proposal: &Proposal, need: Option<&Need>, directory: &Directory) -> String {
    match need {
        Some(need) if need.case_ref.is_empty() => directory.site(&need.site).to_owned(),
        Some(need) => format!("{}, {}", directory.site(&need.site), need.case_ref),
        None => directory.trust(&proposal.home_trust).to_owned(),
    }
}

pub(super) fn place(proposal: &Proposal, offer: Option<&Offer>, now: &Now, directory: &Directory) -> String {
    let Some(offer) = offer else { return directory.trust(&proposal.supporting_trust).to_owned() };
    let site = directory.site(&offer.site);
    let is_session = offer.resource.as_ref().is_some_and(|one| one.kind() == ResourceKind::Theatre);
    let from = offer.window.as_ref().and_then(|window| from_wire(window.from.as_ref()));
    match from {
        Some(from) if is_session || from > now.at => format!("{site}, {}", now.clock(from)),
        Some(_) | None => site.to_owned(),
    }
}

/// Returns what is known of the case that matters for a yes, without anything that identifies anybody.
fn facts(need: &Need) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(patient) = &need.patient {
        facts.extend(patient.age.map(|age| format!("age {age}")));
        facts.extend(patient.sex.is_some().then(|| codes::sex(patient.sex()).to_owned()));
        facts.extend(patient.isolation.filter(|isolation| *isolation).map(|_| "isolation".to_owned()));
        facts.extend(patient.bmi.map(|bmi| format!("BMI {bmi}")));
        facts.extend(patient.asa.map(|asa| format!("ASA {asa}")));
    }
    facts.extend(need.requires.iter().filter(|one| *one != "isolation").cloned());
    if need.brings_team {
        facts.push("brings its team".to_owned());
    }
    if !need.note.is_empty() {
        facts.push(need.note.clone());
    }
    facts
}

/// Says what the place must have for the case: a proposal is only made where it has all of it. How old its figures are by now
/// is said beside it, for they can have aged since.
fn musts(need: Option<&Need>, offer: &Offer, now: &Now) -> String {
    let patient = need.and_then(|need| need.patient.as_ref());
    let age = patient.and_then(|patient| patient.age).map(|age| format!("age {age}"));
    let sex = patient.filter(|patient| patient.sex.is_some()).map(|one| codes::sex(one.sex()).to_owned());
    let isolation = patient.is_some_and(|patient| patient.isolation == Some(true));
    let requires = need.map(|need| need.requires.clone()).unwrap_or_default();
    let resource = need.and_then(|need| need.resource.as_ref()).or(offer.resource.as_ref());
    let all = resource
        .map(resource::with_specialties)
        .into_iter()
        .chain(age)
        .chain(sex)
        .chain((isolation && !requires.iter().any(|one| one == "isolation")).then(|| "isolation".to_owned()))
        .chain(requires)
        .map(|one| format!("{one} yes"));
    let figures = from_wire(offer.reported_at.as_ref()).map(|at| {
        let age = now.at.duration_since(at).as_secs();
        let cadence = offer.cadence.map_or(0, |cadence| cadence.seconds);
        let word = match age {
            age if age <= cadence => "fresh",
            age if age <= cadence.saturating_mul(2) => "ageing",
            _ => "stale by now",
        };
        format!("figures {} old, {word}", now.age(at))
    });
    all.chain(figures).collect::<Vec<_>>().join(" | ")
}

/// Returns who above the trusts must agree, and what they said.
fn authority(proposal: &Proposal) -> Option<(String, Tag)> {
    let authority = proposal.authority.as_ref()?;
    let tag = codes::authority_state(authority.state())?;
    let said = match authority.state() {
        authority::State::Refused if !authority.reason.is_empty() => format!(": {}", authority.reason),
        authority::State::Unspecified
        | authority::State::NotNeeded
        | authority::State::Pending
        | authority::State::Approved
        | authority::State::Refused => String::new(),
    };
    Some((format!("{}{said}", codes::role(&authority.role)), tag))
}
