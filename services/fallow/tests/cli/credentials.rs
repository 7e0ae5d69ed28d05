//! Credentials of commands that outlive one: a long sheet whose file changes, goes, or is a pipe; a watch.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use fallow_api::v1::{
    ListOffersRequest, ListOffersResponse, RaiseNeedRequest, RaiseNeedResponse, WatchOffersRequest,
    WatchOffersResponse, watch_offers_response,
};
use tonic::Status;

use crate::records::level_2;
use crate::world::World;

/// Two rows: the second is sent with what there is after the first.
const SHEET: &str = "case_ref,resource,priority,needed_by\n\
                     LC-1,bed/cc_adult/3,P1A,16:00\nLC-2,bed/cc_adult/3,P1A,16:00\n";
/// An hour and a half before, and after, what the world's clock says.
const PAST: u32 = 1_795_525_200;
const AHEAD: u32 = 1_795_536_000;

/// A credential of Dunmere's bed manager or of somebody else there.
fn credential(sub: &str, exp: u32) -> String {
    let claims =
        format!(r#"{{"sub":"{sub}","kind":"person","role":"bed_manager","trust":"ZA4","exp":{exp}}}"#);
    format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims))
}

/// Somebody who imports the sheet by this credential; `then` befalls its file once the first row is raised.
async fn world(credential: &str, then: impl Fn(&Path) + Send + Sync + 'static) -> World {
    let world = World::new().await;
    std::fs::write(world.folder().join("needs.csv"), SHEET).unwrap();
    let file = world.folder().join("token");
    std::fs::write(&file, credential).unwrap();
    world.script.on("DemandService/RaiseNeed", move |ask: RaiseNeedRequest| {
        then(&file);
        Ok(RaiseNeedResponse { need: ask.need, revision: 53, ..Default::default() })
    });
    world
}

/// Imports the sheet; returns the exit code, what was said, and what was shown with each row.
async fn import(world: &World, more: &str) -> (u8, String, Vec<String>) {
    let sheet = world.folder().join("needs.csv");
    let told = world.run(&format!("import demand {} {more}", sheet.display())).await;
    let shown = world.script.take_credentials();
    assert_eq!(shown.len(), told.calls.len(), "{}", told.err);
    (told.exit, format!("{}{}", told.out, told.err), shown)
}

fn shown(credentials: &[&str]) -> Vec<String> {
    credentials.iter().map(|credential| format!("Bearer {credential}")).collect()
}

#[tokio::test]
async fn a_long_sheet_goes_on_with_the_newest_credential() {
    let (first, newer) = (credential("bed-manager.ZA4", PAST), credential("bed-manager.ZA4", AHEAD));
    let renewed = newer.clone();
    let world = world(&first, move |file| std::fs::write(file, &renewed).unwrap()).await;
    let (exit, said, bearers) = import(&world, "").await;
    assert_eq!((exit, bearers), (0, shown(&[&first, &newer])), "{said}");
}

#[tokio::test]
async fn a_sheet_never_goes_on_as_somebody_else() {
    let first = credential("bed-manager.ZA4", AHEAD);
    let other = credential("night-manager.ZA4", AHEAD);
    let world = world(&first, move |file| std::fs::write(file, &other).unwrap()).await;
    let (exit, said, bearers) = import(&world, "").await;
    assert_eq!((exit, bearers), (5, shown(&[&first])), "{said}");
    assert!(said.contains("you are signed in as somebody else now"), "{said}");
    assert!(said.contains("1 added") && said.contains("begun by bed-manager.ZA4"), "{said}");
}

#[tokio::test]
async fn a_credential_whose_file_goes_serves_as_long_as_it_lasts() {
    let goes = |file: &Path| drop(std::fs::remove_file(file));
    let lasting = credential("bed-manager.ZA4", AHEAD);
    let (exit, said, bearers) = import(&world(&lasting, goes).await, "").await;
    assert_eq!((exit, bearers), (0, shown(&[&lasting, &lasting])), "{said}");
    let ended = credential("bed-manager.ZA4", PAST);
    let (exit, said, bearers) = import(&world(&ended, goes).await, "").await;
    assert_eq!((exit, bearers), (5, shown(&[&ended])), "{said}");
    assert!(said.contains("NO_CREDENTIAL"), "{said}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_credential_from_a_pipe_serves_every_row() {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;

    let world = world("unused", |_| {}).await;
    let piped = credential("bed-manager.ZA4", PAST);
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(piped.as_bytes()).unwrap();
    drop(writer);
    // As `--token-file <(…)` names it: read once, and empty from then on.
    let (exit, said, bearers) = import(&world, &format!("--token-file /dev/fd/{}", reader.as_raw_fd())).await;
    assert_eq!((exit, bearers), (0, shown(&[&piped, &piped])), "{said}");
}

/// A screen that is watched for hours: the credential is renewed after the first picture, and the old one ends.
#[tokio::test]
async fn a_watch_goes_on_with_the_newest_credential() {
    let (first, newer) = (credential("bed-manager.ZA4", PAST), credential("bed-manager.ZA4", AHEAD));
    let world = World::new().await;
    let file = world.folder().join("token");
    std::fs::write(&file, &first).unwrap();
    let renewed = newer.clone();
    world.script.on("CapacityService/ListOffers", move |_: ListOffersRequest| {
        std::fs::write(&file, &renewed).unwrap();
        Ok(ListOffersResponse { offers: vec![level_2()], ..ListOffersResponse::default() })
    });
    let event = |cursor: &str| {
        let item = Some(watch_offers_response::Item::Offer(level_2()));
        Ok(WatchOffersResponse { item, cursor: cursor.into(), revision: 41 })
    };
    let ended = || Err(Status::unauthenticated("the credential has ended"));
    let streams = vec![vec![event("c1"), ended()], vec![event("c2"), ended()], vec![ended()]];
    world.script.watch::<WatchOffersRequest, _>("CapacityService/WatchOffers", streams);
    let told = world.run_on_a_screen("mine --watch").await;
    assert_eq!(told.out.matches("\u{1b}[2J").count(), 2, "{:?}", told.out);
    // The first stream and picture, the second of each, and a third stream that ends at once: then nothing helps.
    let shows = [&first, &first, &newer, &newer, &newer].map(|credential| credential.as_str());
    assert_eq!(world.script.take_credentials(), shown(&shows), "{}", told.err);
    assert_eq!(told.exit, 5, "{}", told.err);
}
