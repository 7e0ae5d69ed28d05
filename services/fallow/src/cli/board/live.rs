//! The board while it runs: keys, watches and commands.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{CommandFactory, Parser};
use fallow_api::client::Client;
use fallow_api::reasons;
use fallow_api::v1::{WatchProposalsRequest, WatchSituationRequest, WatchTransfersRequest};
use jiff::Timestamp;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;
use tokio::time::{interval, sleep, timeout};
use tonic::Code;

use super::state::{Act, Board, Mode};
use super::{draw, on_the_way, picture, waiting};
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::Terminal;
use crate::cli::session::Session;
use crate::cli::time;
use crate::cli::watch::{self, AGES_MOVE, Feed, Happening, is_away};
use crate::root::{Command, Root};

/// Changes that come closer together than this are read once.
const READ_TOGETHER: Duration = Duration::from_millis(300);
/// How often the reader of keys looks whether the board has ended.
const LOOK_UP: Duration = Duration::from_millis(100);
/// Keys that may wait.
const KEYS_MAX: usize = 256;
/// Commands that may wait while another runs, or while the board is read.
const COMMANDS_MAX: usize = 8;
/// How what is said below begins while the services are away.
const NOT_LIVE: &str = "not live";
/// How it begins when the services do not let this command in any more.
const SIGNED_OUT: &str = "signed out";
/// A command on the board that takes longer is given up: those that watch belong outside it.
const COMMAND_MAX: Duration = Duration::from_secs(20);

/// Runs the board until it is told to end.
pub(super) async fn run(session: &mut Session<'_>) -> Result<Exit, Failure> {
    // What cannot be read at the start is said on the plain screen.
    let board = Board::new(picture::read(session).await?);
    let of = session.now();
    let ended = Arc::new(AtomicBool::new(false));
    let mut keys = keys(ended.clone());
    let mut terminal = ratatui::try_init()?;
    let screen = draw::Screen { colour: session.terminal.colour, ascii: session.global.ascii(true) };
    let waiting = VecDeque::new();
    let desk = Desk { board, of, is_shut: false, terminal: &mut terminal, keys: &mut keys, screen, waiting };
    let result = stay(session, desk).await;
    ended.store(true, Ordering::Release);
    ratatui::restore();
    result
}

/// Reads keys on a thread of their own, for a terminal has no other way.
fn keys(ended: Arc<AtomicBool>) -> mpsc::Receiver<Event> {
    let (send, keys) = mpsc::channel(KEYS_MAX);
    std::thread::spawn(move || {
        while !ended.load(Ordering::Acquire) {
            let read =
                event::poll(LOOK_UP).and_then(|ready| if ready { event::read().map(Some) } else { Ok(None) });
            match read {
                Ok(None) => {}
                Ok(Some(event)) => {
                    if send.blocking_send(event).is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    });
    keys
}

/// The board on its screen, with whoever types.
struct Desk<'a> {
    board: Board,
    /// When what the board shows was read.
    of: Timestamp,
    /// Whether the services do not let this command in any more: then no watch is opened before they do again.
    is_shut: bool,
    terminal: &'a mut DefaultTerminal,
    keys: &'a mut mpsc::Receiver<Event>,
    screen: draw::Screen,
    /// Commands that were typed and are still to run.
    waiting: VecDeque<String>,
}

/// How a wait ended.
enum Waited<T> {
    /// What was waited for is there.
    Done(T),
    /// Somebody would not wait for it any longer.
    GivenUp,
    /// Somebody left the board.
    Left(Exit),
}

impl Desk<'_> {
    fn draw(&mut self) -> Result<(), Failure> {
        let (board, screen) = (&self.board, self.screen);
        self.terminal.draw(|frame| draw::draw(frame, board, screen))?;
        Ok(())
    }

    /// Takes what was typed, or how the screen changed; returns how the board was left, where it was.
    fn take(&mut self, event: Option<&Event>) -> Option<Exit> {
        let Some(event) = event else { return Some(Exit::Ok) };
        match pressed(event) {
            Some(KeyEvent { code: KeyCode::Char('c'), modifiers, .. })
                if modifiers.contains(KeyModifiers::CONTROL) =>
            {
                return Some(Exit::Interrupted);
            }
            Some(key) => match self.board.key(key.code) {
                Act::Nothing => {}
                Act::Quit => return Some(Exit::Ok),
                Act::Run(line) if self.waiting.len() < COMMANDS_MAX => self.waiting.push_back(line),
                Act::Run(line) => {
                    self.board.notice = format!("too much is asked at once: {line} was not done")
                }
            },
            None => {}
        }
        None
    }

    /// Says why the board is not of now, where it can wait for that to end.
    ///
    /// # Errors
    /// What ends the board.
    fn stays(&mut self, failure: Failure, session: &Session<'_>) -> Result<String, Failure> {
        self.is_shut |= failure.exit == Exit::NotAllowed;
        let ago = match time::age(session.now().duration_since(self.of)).as_str() {
            "now" => "a moment ago".to_owned(),
            age => format!("{age} ago"),
        };
        let way = match session.context()?.token_file.as_deref() {
            Some(file) => format!("it waits for a new credential in {}", file.display()),
            None => "it waits for fallow auth login in another window".to_owned(),
        };
        standing(failure, &ago, &way)
    }

    /// Waits for work and goes on taking keys, for services that hang must not hang the board with them. What `can_be_left`
    /// is given up by esc.
    async fn wait_for<T>(
        &mut self,
        work: impl Future<Output = T>,
        can_be_left: bool,
    ) -> Result<Waited<T>, Failure> {
        let mut work = pin!(work);
        loop {
            self.draw()?;
            tokio::select! {
                done = &mut work => return Ok(Waited::Done(done)),
                event = self.keys.recv() => {
                    let esc = event.as_ref().and_then(pressed).is_some_and(|key| key.code == KeyCode::Esc);
                    if can_be_left && esc && self.board.mode == Mode::Browse {
                        return Ok(Waited::GivenUp);
                    }
                    if let Some(exit) = self.take(event.as_ref()) {
                        return Ok(Waited::Left(exit));
                    }
                }
            }
        }
    }
}

async fn stay(session: &mut Session<'_>, mut desk: Desk<'_>) -> Result<Exit, Failure> {
    let mut region = Feed::new(String::new(), |client: Client, cursor| {
        let ask = WatchSituationRequest { cursor, collaborative: String::new() };
        async move { client.monitor().watch_situation(ask).await.map(tonic::Response::into_inner) }
    });
    let mut inbox = Feed::new(String::new(), |client: Client, cursor| {
        let ask = WatchProposalsRequest { cursor, filter: Some(waiting()) };
        async move { client.matching().watch_proposals(ask).await.map(tonic::Response::into_inner) }
    });
    let mut moving = Feed::new(String::new(), |client: Client, cursor| {
        let ask = WatchTransfersRequest { cursor, filter: Some(on_the_way()) };
        async move { client.matching().watch_transfers(ask).await.map(tonic::Response::into_inner) }
    });
    let mut tick = interval(AGES_MOVE);
    loop {
        desk.draw()?;
        let notice = if let Some(line) = desk.waiting.pop_front() {
            desk.board.notice = format!("running: {line}; esc gives it up");
            match desk.wait_for(command(session, &line), true).await? {
                Waited::Done(said) => {
                    desk.board.notice.clear();
                    desk.board.read(&line, &said);
                }
                Waited::GivenUp => desk.board.notice = format!("given up: {line}; look whether it was done"),
                Waited::Left(exit) => return Ok(exit),
            }
            None
        } else {
            let heard = tokio::select! {
                event = desk.keys.recv() => match desk.take(event.as_ref()) {
                    Some(exit) => return Ok(exit),
                    None => continue,
                },
                _ = tick.tick() => Ok(Heard::Change),
                happening = region.next(), if !desk.is_shut => hear(&mut region, happening, session).await,
                happening = inbox.next(), if !desk.is_shut => hear(&mut inbox, happening, session).await,
                happening = moving.next(), if !desk.is_shut => hear(&mut moving, happening, session).await,
            };
            match heard {
                Ok(Heard::Nothing) => continue,
                Ok(Heard::Change) => None,
                Ok(Heard::Notice(notice)) => Some(notice),
                Err(failure) => Some(desk.stays(failure, session)?),
            }
        };
        if let Some(notice) = notice {
            desk.board.notice = notice;
            continue;
        }
        let work = async {
            sleep(READ_TOGETHER).await;
            read(session).await
        };
        match desk.wait_for(work, false).await? {
            Waited::Done(Ok(picture)) => {
                if [NOT_LIVE, SIGNED_OUT].iter().any(|begins| desk.board.notice.starts_with(begins)) {
                    desk.board.notice.clear();
                }
                (desk.of, desk.is_shut) = (session.now(), false);
                desk.board.refresh(picture);
            }
            // The last picture stays, with the words below it why it is not of now.
            Waited::Done(Err(failure)) => desk.board.notice = desk.stays(failure, session)?,
            Waited::GivenUp => {}
            Waited::Left(exit) => return Ok(exit),
        }
    }
}

/// Reads what the board shows, by a credential that lasts.
async fn read(session: &mut Session<'_>) -> Result<picture::Picture, Failure> {
    session.lasting().await?;
    session.keep_time().await?;
    picture::read(session).await
}

/// What was heard of a watch.
enum Heard {
    /// Nothing that anybody has to know.
    Nothing,
    /// That the board is to be read again.
    Change,
    /// Something about the watch itself, for people.
    Notice(String),
}

/// Takes what happens to a watch, and opens it by a credential that lasts where it is about to open.
async fn hear<E: watch::Event>(
    feed: &mut Feed<E>,
    happening: Result<Happening<E>, Failure>,
    session: &mut Session<'_>,
) -> Result<Heard, Failure> {
    Ok(match happening? {
        Happening::Opens => feed.open_by(session.lasting().await)?.map_or(Heard::Nothing, Heard::Notice),
        Happening::Event(_) => Heard::Change,
        Happening::Notice(notice) => Heard::Notice(notice),
    })
}

/// Says why a board of some time ago is not of now, where it can wait for that to end: `way` leads back in.
///
/// # Errors
/// What ends the board.
fn standing(failure: Failure, ago: &str, way: &str) -> Result<String, Failure> {
    if is_away(&failure) {
        return Ok(format!("{NOT_LIVE}, the board is of {ago}: {}", failure.what));
    }
    if failure.exit != Exit::NotAllowed {
        return Err(failure);
    }
    let of_credential = |reason: &&reasons::Reason| reason.codes.first() == Some(&Code::Unauthenticated);
    let is_over = reasons::find(&failure.reason).filter(of_credential).is_some()
        || failure.reason == reasons::code_name(Code::Unauthenticated);
    Ok(if is_over {
        format!("{SIGNED_OUT}, the board is of {ago}: {way}")
    } else {
        format!("{NOT_LIVE}, the board is of {ago}: {}", failure.what)
    })
}

fn pressed(event: &Event) -> Option<&KeyEvent> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(key),
        Event::Key(_)
        | Event::FocusGained
        | Event::FocusLost
        | Event::Mouse(_)
        | Event::Paste(_)
        | Event::Resize(_, _) => None,
    }
}

/// Runs a command as a shell would and returns all that it said.
async fn command(session: &Session<'_>, line: &str) -> String {
    let words = std::iter::once("fallow".to_owned()).chain(words(line));
    let (verb, is_sure) = match Root::try_parse_from(words) {
        Ok(Root { command: Command::Client(verb), global }) => (*verb, global.yes),
        Ok(_) => return "only what a client does can be done here; leave the board with q".to_owned(),
        Err(error) => return error.to_string(),
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let terminal = Terminal {
        out: &mut out,
        err: &mut err,
        interactive: false,
        colour: false,
        ascii: false,
        input: None,
    };
    let mut inner = session.beside(terminal);
    // A person typed it and nobody can be asked here: what would be asked elsewhere wants --yes with it.
    (inner.global.yes, inner.global.no_input) = (is_sure, true);
    let ended = {
        let acted = Box::pin(super::super::act(verb, &mut inner, Root::command()));
        timeout(COMMAND_MAX, acted).await
    };
    drop(inner);
    let mut said = String::from_utf8_lossy(&out).into_owned();
    said.push_str(&String::from_utf8_lossy(&err));
    match ended {
        Ok(Ok(_)) => {}
        Ok(Err(failure)) => said.push_str(&failure.text()),
        Err(_) => said.push_str("this goes on for longer than the board waits: run it outside\n"),
    }
    said
}

/// Splits a line at its spaces; what stands in double quotes is one word.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for sign in line.chars() {
        match sign {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            sign => word.push(sign),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use fallow_host::clock::Clock;
    use tonic::Status;
    use tonic_types::{ErrorDetails, StatusExt};

    use super::*;

    #[test]
    fn a_board_that_is_signed_out_stays_and_says_how_to_sign_in() {
        let way = "it waits for fallow auth login in another window";
        let of = |code: Code, reason: &str| {
            let details = ErrorDetails::with_error_info(reason, "fallow", HashMap::new());
            Failure::of(&Status::with_error_details(code, "the token's key is not known", details))
        };
        for reason in [reasons::TOKEN_KEY, reasons::TOKEN_EXPIRED] {
            assert_eq!(
                standing(of(Code::Unauthenticated, reason), "3 min ago", way).unwrap(),
                "signed out, the board is of 3 min ago: it waits for fallow auth login in another window"
            );
        }
        let proxy = Failure::of(&Status::unauthenticated("who are you"));
        assert!(standing(proxy, "3 min ago", way).unwrap().ends_with(way));
        let other =
            Failure::new(Exit::NotAllowed, "SIGN_IN_CHANGED", "you are signed in as somebody else now");
        assert_eq!(
            standing(other, "a moment ago", way).unwrap(),
            "not live, the board is of a moment ago: you are signed in as somebody else now"
        );
        let away = Failure::of(&Status::unavailable("the store is closed"));
        assert_eq!(
            standing(away, "2 h ago", way).unwrap(),
            "not live, the board is of 2 h ago: the store is closed"
        );
        assert_eq!(standing(of(Code::Internal, "BUG"), "2 h ago", way).unwrap_err().reason, "BUG");
    }

    #[tokio::test]
    async fn what_would_be_asked_wants_its_yes_typed_on_the_board() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().display().to_string();
        // Nobody listens there: what is sent comes back as such.
        let line = ["fallow", "board", "--endpoint", "http://127.0.0.1:1", "--deadline", "1s", "--yes"];
        let root = Root::try_parse_from(line.into_iter().chain(["--state-home", &folder])).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let terminal = Terminal {
            out: &mut out,
            err: &mut err,
            interactive: true,
            colour: false,
            ascii: false,
            input: None,
        };
        let session = Session::new(root.global, Clock::system(), terminal);
        let line = "mode incident on nv-acute --reason x";
        let said = command(&session, line).await;
        assert!(said.contains("nobody can be asked here") && said.contains("with --yes"), "{said}");
        let said = command(&session, &format!("{line} --yes")).await;
        assert!(!said.contains("nobody can be asked") && said.contains("127.0.0.1:1"), "{said}");
    }
}
