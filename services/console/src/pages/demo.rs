//! The demonstration's own page: what to try, other roles, how fast time passes, and things to break.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::frame::{Frame, Place, rendered};
use super::problem::summary;
use crate::app::Visit;
use crate::demo::{Demo, Fault};
use crate::directory::Directory;
use crate::form::Posted;
use crate::problem::Problem;
use crate::words::codes;
use crate::words::resource::Choice;
use crate::{SignIn, routes};

/// What can be broken: the value of the form, and what it says.
const KINDS: [(&str, &str, &str); 3] = [
    (
        "silent",
        "A feed falls silent",
        "Its figures go stale after two cadences, and Fallow stops proposing them.",
    ),
    (
        "norovirus",
        "Norovirus closes the general wards",
        "What was free there is blocked; what was held lapses or is refused.",
    ),
    ("no-answers", "A trust stops answering", "Its holds lapse and Fallow asks the next in line."),
];

#[derive(Template)]
#[template(path = "demo/page.html")]
struct Page {
    frame: Frame,
    problem: String,
    csrf: String,
    who: String,
    pace: String,
    /// How fast time may pass: the value of the form, what the button says, and whether it does so now.
    speeds: Vec<(u32, String, bool)>,
    steps: &'static [(&'static str, &'static str)],
    people: Vec<Choice>,
    own: String,
    kinds: &'static [(&'static str, &'static str, &'static str)],
    trusts: Vec<Choice>,
    /// What is broken: kind, trust and what it says.
    broken: Vec<(&'static str, String, String)>,
}

/// `GET /demo`
pub(crate) async fn page(visit: Visit) -> Response {
    visit.answer(show(&visit, None).await)
}

/// `POST /demo/fault`: breaks something, or mends it.
pub(crate) async fn fault(Posted { visit, fields }: Posted) -> Response {
    let Some(demo) = &visit.app.settings.demo else { return visit.refuse(&Problem::not_found()) };
    let directory = match visit.directory().await {
        Ok(directory) => directory,
        Err(problem) => return visit.refuse(&problem),
    };
    let trust = fields.text("trust").to_owned();
    let is_known = directory.trusts().any(|(ods, _)| ods == trust);
    let fault = match fields.text("kind") {
        "silent" => Some(Fault::SilentFeed(trust)),
        "norovirus" => Some(Fault::ClosedWard(trust)),
        "no-answers" => Some(Fault::NoAnswers(trust)),
        _ => None,
    };
    let Some(fault) = fault.filter(|_| is_known) else {
        let problem = Problem::invalid("kind", "choose a fault and a trust");
        return visit.answer(show(&visit, Some(problem)).await);
    };
    let is_on = fields.text("on") == "yes";
    demo.faults.set(fault.clone(), is_on);
    let said = in_words(&fault, &directory);
    visit.done(if is_on { format!("Broken: {said}.") } else { format!("Mended: {said}.") }, "/demo")
}

/// `POST /demo/speed`: lets time pass at another speed, or stand still.
pub(crate) async fn speed(Posted { visit, fields }: Posted) -> Response {
    let Some(demo) = &visit.app.settings.demo else { return visit.refuse(&Problem::not_found()) };
    let is_set = fields.text("speed").parse().is_ok_and(|speed| demo.run_at(speed));
    if !is_set {
        let problem = Problem::invalid("speed", "choose one of the speeds");
        return visit.answer(show(&visit, Some(problem)).await);
    }
    visit.done(format!("From now on, {}.", pace(demo)), "/demo")
}

async fn show(visit: &Visit, problem: Option<Problem>) -> Result<Response, Problem> {
    let Some(demo) = &visit.app.settings.demo else { return Err(Problem::not_found()) };
    let (frame, directory) =
        tokio::join!(Frame::read(visit, Place::Elsewhere, "The demonstration"), visit.directory());
    let directory = directory?;
    let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
    let trust = |(ods, name): (&str, &str)| Choice { key: ods.to_owned(), name: name.to_owned() };
    let page = Page {
        who: you_are(visit, &directory),
        pace: pace(demo),
        speeds: demo.speeds().into_iter().map(|one| (one, faster(one), one == demo.speed())).collect(),
        frame,
        problem: problem.map_or_else(String::new, |problem| summary(&problem, &[])),
        csrf: visit.signed.csrf.clone(),
        steps: steps(visit.viewer().trust.is_some()),
        people: people(visit, &directory),
        own: visit.viewer().subject.clone(),
        kinds: &KINDS,
        trusts: directory.trusts().map(trust).collect(),
        broken: demo
            .faults
            .all()
            .iter()
            .map(|one| (kind(one), one.trust().to_owned(), in_words(one, &directory)))
            .collect(),
    };
    Ok(routes::html(status, rendered(&page)))
}

/// Says who the viewer is in the demonstration: `You are Dunmere General Hospital\u{2019}s bed manager`.
pub(crate) fn you_are(visit: &Visit, directory: &Directory) -> String {
    let viewer = visit.viewer();
    let role = codes::role(&viewer.role);
    match &viewer.trust {
        Some(trust) => {
            let name = directory.trust(trust);
            let of = if name.ends_with('s') { "\u{2019}" } else { "\u{2019}s" };
            format!("You are {name}{of} {}", role.to_lowercase())
        }
        None => format!("You are {} of {}", role.to_lowercase(), directory.region),
    }
}

/// Says how fast time passes.
pub(crate) fn pace(demo: &Demo) -> String {
    match demo.speed() {
        0 => "time stands still".to_owned(),
        1 => "time passes as it does".to_owned(),
        60 => "a minute passes every second".to_owned(),
        speed => format!("time passes {speed} times as fast"),
    }
}

/// What the button of a speed says.
fn faster(speed: u32) -> String {
    match speed {
        0 => "Stop the clock".to_owned(),
        1 => "As it is".to_owned(),
        speed => format!("{speed} times as fast"),
    }
}

/// Returns what is broken on purpose, in words.
pub(crate) fn broken(demo: &Demo, directory: &Directory) -> Vec<String> {
    demo.faults.all().iter().map(|fault| in_words(fault, directory)).collect()
}

fn kind(fault: &Fault) -> &'static str {
    match fault {
        Fault::SilentFeed(_) => "silent",
        Fault::ClosedWard(_) => "norovirus",
        Fault::NoAnswers(_) => "no-answers",
    }
}

fn in_words(fault: &Fault, directory: &Directory) -> String {
    let name = directory.trust(fault.trust());
    match fault {
        Fault::SilentFeed(_) => format!("the feed of {name} is silent"),
        Fault::ClosedWard(_) => format!("norovirus has closed the general wards of {name}"),
        Fault::NoAnswers(_) => format!("{name} does not answer"),
    }
}

impl Page {
    /// Returns what people call a page: `Proposals` for `/proposals`.
    fn name(&self, address: &str) -> String {
        let mut letters = address.trim_start_matches('/').chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    }
}

/// What to try: where it is, and what it shows.
fn steps(has_trust: bool) -> &'static [(&'static str, &'static str)] {
    if has_trust {
        &[
            (
                "/proposals",
                "Accept the first proposal. One click, and ten seconds to take it back; read why it was made.",
            ),
            ("/capacity", "Say that a number is still true, then offer one bed more with the plus button."),
            ("/needs", "Find a need that nothing fits and press what would help most cheaply."),
            ("/transfers", "Take what was agreed to its next step, and look at its timeline."),
            ("/situation", "See who can help and who is short, then open the account behind one number."),
        ]
    } else {
        &[
            (
                "/situation",
                "See who can help, who is short and how old each number is; open one number\u{2019}s account.",
            ),
            ("/wall", "Look at the same from across the room."),
            ("/needs", "Read every need of the region, and why each is not served."),
            ("/what-if", "Try a wider travel limit, or more beds, on a copy."),
            ("/demo", "Break something below and watch what Fallow makes of it."),
        ]
    }
}

/// Returns everybody whom one can be here.
fn people(visit: &Visit, directory: &Directory) -> Vec<Choice> {
    match &visit.app.settings.sign_in {
        SignIn::BuiltIn(users) => users
            .iter()
            .map(|user| {
                let actor = &user.issuer.caller().actor;
                let role = codes::role(&actor.role.to_string());
                let place = actor.trust.map(|trust| trust.to_string());
                let place =
                    place.map_or_else(|| directory.region.clone(), |ods| directory.trust(&ods).to_owned());
                Choice { key: actor.subject.to_string(), name: format!("{place}: {role}") }
            })
            .collect(),
        SignIn::Provider(_) | SignIn::AccessToken => Vec::new(),
    }
}
