//! A sheet through a browser without scripts: form, preview with what is wrong by the cell, confirmation.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{SOON, Visitor, header};
use crate::stage::Stage;

const SHEET: &str = "site,resource,figures.staffed,window.until,cadence\n\
                     ZA401,bed/cc_adult/2,3,tomorrow 20:00,4h\n\
                     ZA401,diagnostic/mri,5,ASAP,4h\n\
                     ZA401,bed/ga_adult,20000,tomorrow 20:00,4h\n";

/// Sends a form with a file, as a browser does.
async fn send(visitor: &Visitor, csrf: &str, name: &str, file: &[u8]) -> String {
    let part = |name: &str, value: &str| {
        format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let mut body = (part("csrf", csrf) + &part("of", "offers")).into_bytes();
    let head = format!(
        "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/csv\r\n\r\n"
    );
    body.extend([head.as_bytes(), file, b"\r\n--XX--\r\n"].concat());
    let head = format!(
        "POST /upload HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nCookie: {}\r\nContent-Type: multipart/form-data; \
         boundary=XX\r\nContent-Length: {}\r\n\r\n",
        visitor.address,
        visitor.cookie,
        body.len()
    );
    let mut stream = TcpStream::connect(visitor.address).await.expect("the console listens");
    stream.write_all(head.as_bytes()).await.expect("the console reads");
    // A console that refuses early may not read to the end.
    let _ = stream.write_all(&body).await;
    let mut answer = Vec::new();
    let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("in time");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Returns the value of the first hidden field of a name.
pub(super) fn hidden(page: &str, name: &str) -> String {
    let begins = format!("name=\"{name}\" value=\"");
    let rest = page.split(&begins).nth(1).unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split('"')
        .next()
        .unwrap_or_default()
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#38;", "&")
}

/// Returns the body of the confirmation that a page offers.
fn confirmation(page: &str) -> String {
    let names = ["csrf", "of", "sequence", "rows", "records"];
    names.map(|name| format!("{name}={}", encoded(&hidden(page, name)))).join("&")
}

pub(super) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn a_sheet_is_shown_before_it_changes_anything_and_confirmed_once() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let form = visitor.get("/upload", "").await;
    assert!(form.starts_with("HTTP/1.1 200") && form.contains("enctype=\"multipart/form-data\""), "{form}");
    let csrf = hidden(&form, "csrf");
    let ids = || stage.world.change(|records| records.request_ids.clone());
    let before = ids();

    let seen = send(&visitor, &csrf, "sheet.csv", SHEET.as_bytes()).await;
    assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
    assert!(seen.contains("1 added, 2 rejected") && seen.contains("Nothing has been changed yet"), "{seen}");
    assert!(seen.contains("row 3, D3</th><td>&#34;ASAP&#34; is not a time."), "{seen}");
    assert!(seen.contains("row 4, C4</th><td>figures.staffed must be 1 to 10,000"), "{seen}");
    assert_eq!(ids(), before, "a preview changes nothing");

    let fields = confirmation(&seen);
    let confirmed = visitor.ask("POST", "/upload/confirm", "", &fields).await;
    assert!(confirmed.starts_with("HTTP/1.1 303"), "{confirmed}");
    assert_eq!(header(&confirmed, "location"), Some("/capacity"));
    let page = visitor.get("/capacity", "").await;
    assert!(page.contains("Uploaded: 1 added."), "{page}");
    visitor.ask("POST", "/upload/confirm", "", &fields).await;
    let sent = &ids()[before.len()..];
    assert!(sent.len() == 2 && sent[0] == sent[1], "a second click repeats the request: {sent:?}");
    stage.tasks.stop();
}

#[tokio::test]
async fn what_ends_a_confirmation_leaves_it_to_be_sent_again() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let csrf = hidden(&visitor.get("/upload", "").await, "csrf");
    let rows = "site,source_key,resource,figures.staffed,window.until,cadence\n\
                ZA401,A,bed/cc_adult/2,3,tomorrow 20:00,4h\n\
                ZA401,B,bed/cc_adult/2,3,tomorrow 20:00,4h\n\
                ZA401,A,bed/cc_adult/2,9,tomorrow 20:00,4h\n\
                ZA401,C,bed/cc_adult/2,3,tomorrow 20:00,4h\n";
    let seen = send(&visitor, &csrf, "sheet.csv", rows.as_bytes()).await;
    assert!(seen.contains("is the same offer as row 2"), "{seen}");
    assert_eq!(hidden(&seen, "rows"), "2,3,5");
    assert!(hidden(&seen, "records").contains("reported_at"), "{seen}");

    let before = stage.world.change(|records| {
        (records.too_soon, records.until_away) = (3, Some(1));
        records.request_ids.len()
    });
    let ended = visitor.ask("POST", "/upload/confirm", "", &confirmation(&seen)).await;
    assert!(ended.contains("Done: rows ") && ended.contains("Confirm again"), "{ended}");
    assert!(!ended.contains("Nothing was changed"), "{ended}");
    assert_eq!(confirmation(&ended), confirmation(&seen), "the form is the same");
    let first = stage.world.change(|records| {
        records.until_away = None;
        records.request_ids[before..].to_vec()
    });
    assert_eq!(first.len(), 1);

    let confirmed = visitor.ask("POST", "/upload/confirm", "", &confirmation(&ended)).await;
    assert!(confirmed.starts_with("HTTP/1.1 303"), "{confirmed}");
    let second = stage.world.change(|records| records.request_ids[before + 1..].to_vec());
    assert!(second.len() == 3 && second.contains(&first[0]), "{first:?} {second:?}");
    stage.tasks.stop();
}

#[tokio::test]
async fn a_session_that_ends_midway_loses_nothing_of_what_was_done() {
    const ROWS: usize = 500;
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let csrf = hidden(&visitor.get("/upload", "").await, "csrf");
    let row = |n: usize| format!("ZA401,ward-{n},bed/cc_adult/2,3,tomorrow 20:00,4h\n");
    let sheet = "site,source_key,resource,figures.staffed,window.until,cadence\n".to_owned();
    let sheet = (0..ROWS).fold(sheet, |sheet, n| sheet + &row(n));
    let seen = send(&visitor, &csrf, "sheet.csv", sheet.as_bytes()).await;
    assert!(hidden(&seen, "records").len() > 64 * 1024, "more than what somebody fills in");
    let before = stage.world.change(|records| {
        (records.until_away, records.is_over) = (Some(40), true);
        records.request_ids.len()
    });

    let ended = visitor.ask("POST", "/upload/confirm", "", &confirmation(&seen)).await;
    assert!(ended.starts_with("HTTP/1.1 401") && ended.contains("What is done so far"), "{ended}");
    assert!(!ended.contains("action=\"/upload"), "no form that nobody takes: {ended}");
    let done = done_of(&ended);
    let first = stage.world.change(|records| records.request_ids[before..].to_vec());
    assert_eq!(first.len(), 40);

    // Signed in again, it is told, and the first row ends it once more: what was done stays told.
    let back = Visitor::signed_in(&stage).await;
    let resumed = resume(&back, &ended, &done).await;
    stage.world.change(|records| records.until_away = Some(0));
    let ended = back.ask("POST", "/upload/confirm", "", &resumed).await;
    assert_eq!(done_of(&ended), done);

    let back = Visitor::signed_in(&stage).await;
    let resumed = resume(&back, &ended, &done).await;
    stage.world.change(|records| records.until_away = None);
    let confirmed = back.ask("POST", "/upload/confirm", "", &resumed).await;
    assert!(confirmed.starts_with("HTTP/1.1 303"), "{confirmed}");
    let again = stage.world.change(|records| records.request_ids[before + first.len()..].to_vec());
    assert_eq!(again.len(), ROWS);
    assert!(first.iter().all(|id| again.contains(id)), "what is done is found by its request ids");
    stage.tasks.stop();
}

#[tokio::test]
async fn two_sheets_are_two_while_a_demonstrations_clock_stands_still() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let csrf = hidden(&visitor.get("/upload", "").await, "csrf");
    let stopped = visitor.ask("POST", "/demo/speed", "", &format!("csrf={csrf}&speed=0")).await;
    assert!(stopped.starts_with("HTTP/1.1 303"), "{stopped}");
    let sequence = async || -> i64 {
        let seen = send(&visitor, &csrf, "sheet.csv", SHEET.as_bytes()).await;
        hidden(&seen, "sequence").parse().expect("a number")
    };
    let (first, until) = (sequence().await, tokio::time::Instant::now() + SOON);
    // Both may be of the same millisecond, but not for long.
    while sequence().await <= first {
        assert!(tokio::time::Instant::now() < until, "the number of a later sheet is higher");
    }
    stage.tasks.stop();
}

/// Returns what a page says is done: `rows 2 to 21`.
fn done_of(page: &str) -> String {
    let (_, rest) = page.split_once("Done: rows ").unwrap_or_else(|| panic!("nothing is done in {page}"));
    rest.split('.').next().unwrap_or_default().to_owned()
}

/// Follows a page's way through signing in again, and returns the body of the confirmation that waits there.
async fn resume(back: &Visitor, ended: &str, done: &str) -> String {
    let (_, way) = ended.split_once("href=\"/sign-in?next=").expect("the way to sign in again");
    let page = back.get(way.split('"').next().unwrap_or_default(), "").await;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert_eq!(done_of(&page), done);
    assert!(!page.contains("nothing was done") && page.contains("<dd>2 to 501</dd>"), "{page}");
    format!("{}&done={}", confirmation(&page), encoded(&hidden(&page, "done")))
}

#[tokio::test]
async fn a_file_that_is_none_of_ours_is_refused_in_plain_words() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let csrf = hidden(&visitor.get("/upload", "").await, "csrf");
    for (name, file, said) in [
        ("old.xls", &b"x"[..], "must be an XLSX or a CSV file"),
        ("fake.xlsx", b"x", "not a workbook that can be read"),
        ("odd.csv", b"site,beds\nZA401,2\n", "beds: is not a column"),
        ("empty.csv", b"", "choose a file that is not empty"),
        ("head.csv", b"site\n", "has no row below its head"),
    ] {
        let answer = send(&visitor, &csrf, name, file).await;
        assert!(answer.starts_with("HTTP/1.1 422") && answer.contains(said), "{name}: {answer}");
    }
    let rows = "ZA401\n".repeat(1_001);
    let long = send(&visitor, &csrf, "long.csv", format!("site\n{rows}").as_bytes()).await;
    assert!(long.contains("has 1001 rows; at most 1000 go at once"), "{long}");
    let large = send(&visitor, &csrf, "large.csv", &vec![b'x'; 1024 * 1024 + 1]).await;
    assert!(large.contains("is larger than 1024 kB"), "{large}");
    let forged = send(&visitor, "another", "sheet.csv", SHEET.as_bytes()).await;
    assert!(forged.starts_with("HTTP/1.1 403"), "{forged}");
    stage.tasks.stop();
}

#[tokio::test]
async fn templates_are_workbooks_to_keep() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    for kind in ["offers", "needs", "theatre"] {
        let answer = visitor.get(&format!("/upload/template/{kind}.xlsx"), "").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\r\n\r\nPK"), "{kind}");
        assert!(header(&answer, "content-disposition").is_some_and(|kept| kept.starts_with("attachment")));
    }
    assert!(visitor.get("/upload/template/none.xlsx", "").await.starts_with("HTTP/1.1 404"));
    stage.tasks.stop();
}
