//! Signing in as in production: at a provider, by the console's code flow and by the command line's device code, over a
//! whole `fallow dev`.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use fallow::dev::{Demonstration, DevArgs, SignIn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const MANAGER: &str = "900000000007 900000000007-1";

/// A browser reduced to what signing in needs: it keeps cookies and follows nothing by itself.
#[derive(Default)]
struct Browser {
    cookies: BTreeMap<String, String>,
}

struct Page {
    status: u16,
    location: String,
    set_cookies: Vec<String>,
    body: String,
}

impl Browser {
    async fn send(&mut self, method: &str, address: &str, form: &str) -> Page {
        let rest = address.strip_prefix("http://").unwrap();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = format!(
            "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nCookie: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            cookies.join("; "),
            form.len()
        );
        let mut stream = TcpStream::connect(host).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let headers = |name: &str| {
            let named = head.lines().filter_map(|line| line.split_once(": "));
            let named = named.filter(|(found, _)| found.eq_ignore_ascii_case(name));
            named.map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
        };
        let set_cookies = headers("set-cookie");
        for cookie in &set_cookies {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let location = headers("location").pop().unwrap_or_default();
        Page { status, location, set_cookies, body: body.to_owned() }
    }

    async fn get(&mut self, address: &str) -> Page {
        self.send("GET", address, "").await
    }

    /// Goes to the provider, chooses somebody there, and comes back.
    async fn sign_in(&mut self, console: &str, next: &str) -> Page {
        let leaving = self.get(&format!("{console}/sign-in/provider?next={next}")).await;
        assert_eq!(leaving.status, 303, "{}", leaving.body);
        let back = self.choose(&leaving.location).await;
        self.get(&back).await
    }

    /// Chooses somebody on the provider's page and returns where it sends them.
    async fn choose(&mut self, at: &str) -> String {
        self.choose_as(at, MANAGER).await
    }

    async fn choose_as(&mut self, at: &str, who: &str) -> String {
        assert_eq!(self.get(at).await.status, 200, "the provider asks who they are");
        let (place, query) = at.split_once('?').unwrap();
        let form = format!("{query}&who={}", who.replace(' ', "+"));
        let chosen = self.send("POST", place, &form).await;
        assert_eq!(chosen.status, 303, "{}", chosen.body);
        chosen.location
    }
}

async fn demonstration(folder: &std::path::Path) -> Demonstration {
    let args = DevArgs {
        speed: 1,
        port: 0,
        grpc_port: 0,
        no_simulator: true,
        sign_in: SignIn::Provider,
        ..DevArgs::default()
    };
    Demonstration::start(&args, folder).await.unwrap()
}

fn csrf(page: &Page) -> String {
    let (_, rest) = page.body.split_once("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("{}", page.body));
    rest.split('"').next().unwrap().to_owned()
}

/// Ends every session at the provider, as its own page does.
async fn end_at_provider(provider: &str) {
    let mut browser = Browser::default();
    let page = browser.get(&format!("{provider}/")).await;
    for part in page.body.split("name=\"sid\" value=\"").skip(1) {
        let sid = part.split('"').next().unwrap();
        browser.send("POST", &format!("{provider}/sessions/end"), &format!("sid={sid}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_signs_in_is_ended_by_the_provider_and_finds_their_form_again() {
    let folder = tempfile::tempdir().unwrap();
    let shown = demonstration(folder.path()).await;
    let (console, provider) = (shown.console_url(), shown.provider_url().unwrap().to_owned());
    let mut browser = Browser::default();
    let page = browser.get(&format!("{console}/sign-in?next=/capacity")).await;
    assert!(page.body.contains("/sign-in/provider?next=/capacity"), "{}", page.body);

    // An answer of the provider is good for the browser that asked, and once.
    let leaving = browser.get(&format!("{console}/sign-in/provider?next=/capacity")).await;
    let back = browser.choose(&leaving.location).await;
    let stranger = Browser::default().get(&back).await;
    assert!(stranger.status == 422 && stranger.set_cookies.iter().all(|c| !c.starts_with("fallow_session")));
    let arrived = browser.get(&back).await;
    assert_eq!((arrived.status, arrived.location.as_str()), (303, "/capacity"), "{}", arrived.body);
    let session = arrived.set_cookies.iter().find(|cookie| cookie.starts_with("fallow_session=")).unwrap();
    assert!(session.contains("HttpOnly") && session.contains("SameSite=Lax") && !session.contains("Secure"));
    assert!(!session.contains("eyJ"), "the browser holds no token");
    assert_eq!(browser.get(&back).await.status, 422);

    let page = browser.get(&format!("{console}/capacity")).await;
    assert!(page.status == 200 && page.body.contains("Bed manager"), "{}", page.body);
    let secret = csrf(&page);

    // Their card comes out: the provider says so, and the form that they had half done comes back to them.
    end_at_provider(&provider).await;
    let form = format!("csrf={secret}&resource=BED%2FSTEP_DOWN&count=3&note=opens+0730");
    let late = browser.send("POST", &format!("{console}/capacity/offer"), &form).await;
    assert_eq!(late.status, 303, "{}", late.body);
    let next = late.location.strip_prefix("/sign-in?next=").unwrap().to_owned();
    assert!(next.starts_with("/resume/"), "{next}");
    let again = browser.sign_in(&console, &next).await;
    assert_eq!(again.location, next, "{}", again.body);
    let resumed = browser.get(&format!("{console}{next}")).await;
    assert!(resumed.status == 200 && resumed.body.contains("opens 0730"), "{}", resumed.body);
    assert!(resumed.body.contains("action=\"/capacity/offer\"") && !resumed.body.contains(&secret));
    // A form without its session's secret is no form of ours, and nobody's.
    let forged = Browser::default().send("POST", &format!("{console}/capacity/offer"), "count=3").await;
    assert_eq!(forged.location, "/sign-in?next=/");

    // They sign out, here and on the way at the provider: what the cookie named is gone.
    let left =
        browser.send("POST", &format!("{console}/sign-out"), &format!("csrf={}", csrf(&resumed))).await;
    let there = way_in(&left, "http-equiv=\"refresh\" content=\"0; url=");
    assert!(left.status == 200 && there.starts_with(&format!("{provider}/logout?")), "{}", left.body);
    assert_eq!(browser.get(&format!("{console}/f/capacity")).await.status, 401);
    let back = browser.get(&there).await;
    assert_eq!((back.status, back.location.as_str()), (303, format!("{console}/sign-in").as_str()));
    assert!(!browser.get(&format!("{provider}/")).await.body.contains("name=\"sid\""), "nobody is signed in");
    // Whoever is no provider ends nothing.
    let forged = browser.send("POST", &format!("{console}/sign-out/provider"), "logout_token=a.b.c").await;
    assert_eq!(forged.status, 400);
    shown.end(PATIENCE).await.unwrap();
}

/// Returns an address that a page names after some words, as a browser reads it.
fn way_in(page: &Page, after: &str) -> String {
    let (_, rest) = page.body.split_once(after).unwrap_or_else(|| panic!("{}", page.body));
    rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_signed_out_shows_who_they_are_and_is_not_locked_out_by_a_provider_that_keeps_its_session() {
    let folder = tempfile::tempdir().unwrap();
    let shown = demonstration(folder.path()).await;
    let (console, provider) = (shown.console_url(), shown.provider_url().unwrap().to_owned());
    let mut browser = Browser::default();
    browser.sign_in(&console, "/capacity").await;
    let page = browser.get(&format!("{console}/capacity")).await;
    assert_eq!(page.status, 200, "{}", page.body);

    // A browser that was never here, but is known to the provider, need not be asked again.
    let mut other = Browser { cookies: browser.cookies.clone() };
    other.cookies.retain(|name, _| !name.starts_with("fallow"));
    let leaving = other.get(&format!("{console}/sign-in/provider?next=/capacity")).await;
    let known = other.get(&leaving.location).await;
    assert_eq!(known.status, 303, "{}", known.body);
    assert_eq!(other.get(&known.location).await.location, "/capacity");

    // They sign out here and close the window before the provider hears of it.
    let left = browser.send("POST", &format!("{console}/sign-out"), &format!("csrf={}", csrf(&page))).await;
    assert_eq!(left.status, 200);
    // What the other window had came of the same sign-in.
    let ended = async {
        while other.get(&format!("{console}/f/capacity")).await.status == 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.unwrap();
    // A third, whom the provider lets in by that session still, is told so once, and then asked who they are.
    let mut third = Browser { cookies: browser.cookies.clone() };
    third.cookies.retain(|name, _| !name.starts_with("fallow"));
    let leaving = third.get(&format!("{console}/sign-in/provider?next=/capacity")).await;
    let known = third.get(&leaving.location).await;
    assert_eq!(third.get(&known.location).await.status, 401);
    let leaving = third.get(&format!("{console}/sign-in/provider?next=/capacity")).await;
    assert!(leaving.location.contains("prompt=login"), "{}", leaving.location);

    let leaving = browser.get(&format!("{console}/sign-in/provider?next=/capacity")).await;
    assert!(leaving.location.contains("prompt=login"), "{}", leaving.location);
    // The provider goes on with the same session; they have shown who they are since, and are let in.
    let back = browser.choose(&leaving.location).await;
    let again = browser.get(&back).await;
    assert_eq!((again.status, again.location.as_str()), (303, "/capacity"), "{}", again.body);
    assert_eq!(browser.get(&format!("{console}/capacity")).await.status, 200);
    let sessions = browser.get(&format!("{provider}/")).await;
    assert_eq!(sessions.body.matches("name=\"sid\"").count(), 1, "{}", sessions.body);
    shown.end(PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_needs_a_stronger_sign_in_is_sent_there_and_finds_their_form_again() {
    let folder = tempfile::tempdir().unwrap();
    let shown = demonstration(folder.path()).await;
    let (console, provider) = (shown.console_url(), shown.provider_url().unwrap().to_owned());
    let mut browser = Browser::default();
    browser.sign_in(&console, "/capacity").await;
    let before = browser.cookies["fallow_session"].clone();

    // As a page about what needs level 3 sends somebody: shown, and back with what the provider's page said.
    let leaving = browser.get(&format!("{console}/sign-in/provider?stronger=yes&next=/needs")).await;
    assert!(leaving.location.contains("prompt=login") && leaving.location.contains("acr_values=AAL3"));
    // Whoever comes back as weakly as before is not let on, and keeps the session that they have.
    let weak = leaving.location.replace("acr_values=AAL3", "acr_values=AAL2");
    let back = browser.choose(&weak).await;
    let refused = browser.get(&back).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(browser.cookies["fallow_session"], before);
    assert_eq!(browser.get(&format!("{console}/capacity")).await.status, 200);

    let leaving = browser.get(&format!("{console}/sign-in/provider?stronger=yes&next=/needs")).await;
    let back = browser.choose(&leaving.location).await;
    let arrived = browser.get(&back).await;
    assert_eq!((arrived.status, arrived.location.as_str()), (303, "/needs"), "{}", arrived.body);
    assert_ne!(browser.cookies["fallow_session"], before);
    assert_eq!(browser.get(&format!("{console}/needs")).await.status, 200);
    // The session that they had is over.
    let mut old = Browser::default();
    old.cookies.insert("fallow_session".to_owned(), before);
    assert_eq!(old.get(&format!("{console}/f/capacity")).await.status, 401);
    let sessions = browser.get(&format!("{provider}/")).await;
    assert_eq!(sessions.body.matches("name=\"sid\"").count(), 1, "{}", sessions.body);
    shown.end(PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_signs_in_by_a_code_and_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let shown = demonstration(folder.path()).await;
    let (endpoint, home) = (shown.grpc_url().to_owned(), folder.path().join("home"));
    let fallow = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fallow"));
        command.args(words).args(["--endpoint", &endpoint]).env_clear().env("HOME", &home);
        command
    };
    let run = |words: &[&str]| fallow(words).output().unwrap();
    assert_eq!(run(&["mine"]).status.code(), Some(5));

    let mut login = fallow(&["auth", "login"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let said = std::io::BufReader::new(login.stderr.take().unwrap());
    let mut lines = std::io::BufRead::lines(said).map_while(Result::ok);
    let place = lines.find_map(|line| Some(line.split_once("open ")?.1.to_owned())).unwrap();
    let (page, code) = place.split_once("?user_code=").unwrap();
    let form = format!("user_code={code}&who={}", MANAGER.replace(' ', "+"));
    assert_eq!(Browser::default().send("POST", page, &form).await.status, 200);
    let ended = login.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success() && out.contains("bed_manager") && out.contains("900000000007"), "{out}");

    assert!(run(&["mine"]).status.success());
    let files = home.join(".local/state/fallow/sign-ins");
    let mut kept = std::fs::read_dir(&files).unwrap().map(|file| file.unwrap().path());
    let file = kept.find(|path| path.extension().is_some_and(|extension| extension == "json")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&files)), (0o600, 0o700));
    }
    // A credential that is about to end is renewed: here, one that has ended.
    let text = std::fs::read_to_string(&file).unwrap();
    let mut sign_in: serde_json::Value = serde_json::from_str(&text).unwrap();
    for field in ["credential_ends", "tokens_end"] {
        sign_in[field] = "2026-01-01T00:00:00Z".into();
    }
    std::fs::write(&file, sign_in.to_string()).unwrap();
    // Two commands at once: a refresh token is good once, so that one of them renews for both.
    let both = [fallow(&["mine"]), fallow(&["mine"])]
        .map(|mut command| command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    for one in both {
        let ended = one.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    let renewed: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    // Two credentials of one second are the same; how long they last, and what they were fetched with, is not.
    assert!(renewed["credential_ends"] != sign_in["credential_ends"]);
    assert!(renewed["refresh_token"] != sign_in["refresh_token"]);

    // One signs out the next morning: the credential has ended, the session has not.
    let mut old = renewed.clone();
    old["credential"] = "a.b.c".into();
    old["credential_ends"] = "2026-01-01T00:00:00Z".into();
    std::fs::write(&file, old.to_string()).unwrap();
    assert!(run(&["auth", "logout"]).status.success());
    assert!(!file.exists());
    assert_eq!(run(&["mine"]).status.code(), Some(5));
    // What was kept of it elsewhere is worth nothing either.
    std::fs::write(&file, renewed.to_string()).unwrap();
    let late = run(&["mine"]);
    assert_eq!(late.status.code(), Some(5), "{}", String::from_utf8_lossy(&late.stderr));
    assert!(String::from_utf8_lossy(&late.stderr).contains("SESSION_ENDED"));
    assert!(run(&["auth", "logout"]).status.success());

    // What two people do together needs more, which the provider is asked for.
    let mut login = fallow(&["auth", "login", "--stronger"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = std::io::BufReader::new(login.stderr.take().unwrap());
    let mut lines = std::io::BufRead::lines(said).map_while(Result::ok);
    let place = lines.find_map(|line| Some(line.split_once("open ")?.1.to_owned())).unwrap();
    let (page, code) = place.split_once("?user_code=").unwrap();
    let form = format!("user_code={code}&who={}", MANAGER.replace(' ', "+"));
    assert_eq!(Browser::default().send("POST", page, &form).await.status, 200);
    assert!(login.wait_with_output().unwrap().status.success());
    let kept: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let claims = kept["credential"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    let claims: serde_json::Value = serde_json::from_slice(
        &base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, claims).unwrap(),
    )
    .unwrap();
    assert_eq!((claims["sub"].as_str(), claims["aal"].as_u64()), (Some("900000000007"), Some(3)), "{claims}");
    shown.end(PATIENCE).await.unwrap();
}
