//! Who sees what, over a small region, and what a watcher is told of it.

#![allow(clippy::unwrap_used, reason = "also helpers of tests say what failed by their line")]

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fallow_api::status::Failure;
use fallow_api::v1::{WatchOffersResponse, watch_offers_response};
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::{Label, NeedId, OfferId, RegionId, TrustCode};
use fallow_domain::need::{Need, Validated, Validation, ValidationAsked};
use fallow_domain::offer::Offer;
use fallow_domain::region::{Region, file};
use fallow_domain::standing::{Claim, Declaration, RegionState, TrustState};
use fallow_ledger::follow::follow;
use fallow_ledger::picture::{Picture, WATCHER_BUFFER};
use fallow_ledger::record::{Record, need_key, offer_key, region_key, trust_key};
use fallow_ledger::{Commit, Key, Ledger, MemoryLedger, RecordKind, Revision};
use fallow_live::Live;
use fallow_live::audience::{Audience, Audiences};
use fallow_live::call::Call;
use fallow_live::lists::Named;
use fallow_live::pages::PageKey;
use fallow_live::visibility::{Joined, Reach, Viewer};
use fallow_live::watch::{Item, Told, Watching};
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use prost::Message as _;

const AT: Timestamp = Timestamp::UNIX_EPOCH;
const SOON: Duration = Duration::from_secs(5);
/// What has happened is told at once.
const AT_HAND: Duration = Duration::from_millis(20);
const REGION: &str = r#"
    region = { id = "Y99", name = "Small" }
    trust = [{ ods = "AAA", name = "A" }, { ods = "BBB", name = "B" }, { ods = "CCC", name = "C" },
             { ods = "OLD", name = "Old", successor = "AAA" }]
    site = [{ code = "AAA01", trust = "AAA", name = "A", lat = 53, lon = -2, kind = "HOSPITAL" },
            { code = "BBB01", trust = "BBB", name = "B", lat = 53, lon = -2, kind = "HOSPITAL" },
            { code = "CCC01", trust = "CCC", name = "C", lat = 53, lon = -2, kind = "HOSPITAL" }]
    collaborative = [
        { id = "beds", name = "Beds", kind = "ACUTE", members = ["AAA", "BBB"], shares = ["BED"] },
        { id = "scans", name = "Scans", kind = "ACUTE", members = ["AAA", "CCC"], shares = ["DIAGNOSTIC"] }]
"#;

fn region() -> Region {
    file::parse(REGION).unwrap()
}

fn actor(role: Role, trust: Option<&str>) -> Actor {
    Actor {
        subject: Label::parse("somebody").unwrap(),
        kind: ActorKind::Person,
        role,
        trust: trust.map(|ods| ods.parse().unwrap()),
    }
}

fn offer() -> Offer {
    serde_json::from_str(
        r#"{"id":"o-1","trust":"AAA","site":"AAA01","resource":{"kind":"BED","code":"GA_ADULT"},
            "figures":{"staffed":3,"occupied":0,"blocked":0},"window":{"until":"1970-01-02T00:00:00Z"},"state":"OPEN",
            "reported_at":"1970-01-01T00:00:00Z","source":"FEED","cadence":"PT1H"}"#,
    )
    .unwrap()
}

fn need() -> Need {
    serde_json::from_str(
        r#"{"id":"n-1","trust":"BBB","site":"BBB01","resource":{"kind":"BED","code":"GA_ADULT"},"units":1,
            "priority":"P2","listed_at":"1970-01-01T00:00:00Z","patient":{"age":70},"reason":"CAPACITY",
            "scope":"EPISODE_ONLY","state":"OPEN"}"#,
    )
    .unwrap()
}

#[test]
fn an_offer_is_seen_by_those_it_is_shared_with_and_by_roles_above_trusts() {
    let region = region();
    let sees = |role, trust, offer: &Offer| {
        Viewer { actor: &actor(role, trust), region: &region }.offer(offer).is_some()
    };
    let open = offer();
    for (role, trust, expected) in [
        (Role::BedManager, Some("AAA"), true),
        (Role::BedManager, Some("BBB"), true),
        // In a collaborative with AAA, but not one that shares beds.
        (Role::BedManager, Some("CCC"), false),
        (Role::TrustSystem, None, false),
        (Role::Gold, None, true),
        (Role::Console, None, false),
        (Role::PlatformAdmin, None, false),
    ] {
        assert_eq!(sees(role, trust, &open), expected, "{role} {trust:?}");
    }
    let shared = Offer { shared_with: ["scans"].map(id).into(), ..offer() };
    assert!(!sees(Role::BedManager, Some("BBB"), &shared), "shared with another collaborative only");
    assert!(sees(Role::BedManager, Some("AAA"), &shared), "always its own");
}

fn id(text: &str) -> fallow_domain::ids::CollaborativeId {
    fallow_domain::ids::CollaborativeId::parse(text).unwrap()
}

#[test]
fn a_patient_is_shown_to_the_home_trust_and_to_whom_a_proposal_joins_only() {
    let region = region();
    let sees = |role, trust, joined| {
        let actor = actor(role, trust);
        let viewer = Viewer { actor: &actor, region: &region };
        viewer.need(&need(), joined).map(|visible| visible.get().patient.age.is_some())
    };
    assert_eq!(sees(Role::BedManager, Some("BBB"), Joined::No), Some(true));
    assert_eq!(sees(Role::BedManager, Some("AAA"), Joined::No), Some(false));
    assert_eq!(sees(Role::BedManager, Some("AAA"), Joined::Serves), Some(true));
    assert_eq!(sees(Role::BedManager, Some("AAA"), Joined::Lends), Some(false));
    assert_eq!(sees(Role::BedManager, Some("CCC"), Joined::No), None);
    assert_eq!(sees(Role::BedManager, Some("CCC"), Joined::Lends), Some(false), "what, and not who");
    assert_eq!(sees(Role::Gold, None, Joined::No), Some(false));
}

#[test]
fn who_only_lends_a_team_is_not_told_whose_case_it_is() {
    let region = region();
    let known = Need {
        case_ref: Some(fallow_domain::ids::CaseRef::parse("LC-118").unwrap()),
        imd_decile: Some(2),
        cohort: Label::parse("hips of November").unwrap(),
        validation: validation("CCC"),
        ..need()
    };
    let sees = |trust, joined| {
        let actor = actor(Role::BedManager, Some(trust));
        let viewer = Viewer { actor: &actor, region: &region };
        viewer.need(&known, joined).map(|visible| {
            let need = visible.get();
            let standing = viewer.knows_score(need);
            [need.case_ref.is_some(), need.imd_decile.is_some(), !need.cohort.is_empty(), standing]
                .map(u8::from)
        })
    };
    assert_eq!(sees("CCC", Joined::Lends), Some([0, 0, 0, 0]), "no collaborative shares it");
    assert_eq!(sees("CCC", Joined::Serves), Some([1, 1, 1, 0]));
    assert_eq!(
        sees("AAA", Joined::Lends),
        Some([1, 1, 1, 1]),
        "as every member of the collaborative sees it"
    );
    let lender = actor(Role::BedManager, Some("CCC"));
    let viewer = Viewer { actor: &lender, region: &region };
    assert!(viewer.need(&known, Joined::Lends).unwrap().get().validation.is_empty());
}

/// A need's validation: asked for by a trust, and answered before that.
fn validation(asker: &str) -> Validation {
    let (by, asker) = (actor(Role::BedManager, Some("BBB")), actor(Role::BedManager, Some(asker)));
    Validation {
        asked: Some(ValidationAsked { by: asker, at: AT }),
        said: Some(Validated { consented: true, fit: true, by, at: AT }),
    }
}

#[test]
fn what_a_validation_says_of_the_patient_is_for_those_who_see_the_patient() {
    let region = region();
    let sees = |role, trust, joined, asker| {
        let actor = actor(role, trust);
        let viewer = Viewer { actor: &actor, region: &region };
        let known = Need { validation: validation(asker), ..need() };
        let Validation { asked, said } = viewer.need(&known, joined).unwrap().into_inner().validation;
        (asked.is_some(), said.map(|said| said.consented && said.fit))
    };
    let manager = Role::BedManager;
    assert_eq!(sees(manager, Some("BBB"), Joined::No, "AAA"), (true, Some(true)), "the home trust");
    assert_eq!(sees(manager, Some("AAA"), Joined::Serves, "CCC"), (true, Some(true)));
    assert_eq!(sees(manager, Some("AAA"), Joined::No, "AAA"), (true, None), "its own question");
    assert_eq!(sees(manager, Some("AAA"), Joined::No, "CCC"), (false, None));
    assert_eq!(sees(Role::Gold, None, Joined::No, "AAA"), (true, Some(false)), "that it was said");
}

struct World {
    ledger: Arc<MemoryLedger>,
    live: Live,
    follower: tokio::task::JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

#[allow(clippy::disallowed_methods)] // a test's own task, ended with its world
async fn world() -> World {
    let ledger = Arc::new(MemoryLedger::default());
    let picture = Arc::new(Picture::default());
    let follower = tokio::spawn(follow(ledger.clone(), picture.clone()));
    let id = RegionId::parse("Y99").unwrap();
    let state = RegionState {
        toml: REGION.to_owned(),
        version: 1,
        modes: Default::default(),
        applied_at: AT,
        applied_by: actor(Role::PlatformAdmin, None),
    };
    let live = Live::new(id.clone(), ledger.clone(), picture, PageKey::new(b"test"));
    let world = World { ledger, live, follower };
    world.put(region_key(&id), Record::Region(state)).await;
    world
}

impl World {
    async fn put(&self, key: Key, record: Record) {
        self.ledger.commit(Commit::new(AT).writing(key, record.encode())).await.unwrap();
        let (_, cursor) = self.ledger.snapshot().await.unwrap();
        assert!(self.live.picture().reached(cursor.revision(), SOON).await);
    }
}

#[tokio::test]
async fn a_trust_that_is_not_there_or_was_merged_may_not_call() {
    let world = world().await;
    let call = |trust| Call::new(&world.live, actor(Role::BedManager, Some(trust)), AT, None);
    assert!(call("AAA").is_ok());
    for gone in ["ZZZ", "OLD"] {
        assert_eq!(call(gone).map(|_| ()).unwrap_err().reason(), "TRUST_NOT_ACTIVE", "{gone}");
    }
}

#[tokio::test]
async fn the_region_in_force_is_made_anew_when_a_trust_has_spoken_and_not_before() {
    let world = world().await;
    let first = world.live.region().unwrap();
    world.put(offer_key(&OfferId::parse("o-1").unwrap()), Record::Offer(offer())).await;
    assert!(Arc::ptr_eq(&first, &world.live.region().unwrap()), "a figure is nothing of the region's");
    let trust: TrustCode = "AAA".parse().unwrap();
    let declared = Some(Declaration { opel: 4, at: AT, by: actor(Role::BedManager, Some("AAA")) });
    let said = TrustState { ods: trust, declared, reserves: Default::default() };
    world.put(trust_key(trust), Record::Trust(said)).await;
    let second = world.live.region().unwrap();
    assert_eq!((first.region.trusts[&trust].opel, second.region.trusts[&trust].opel), (None, Some(4)));
    assert!(Arc::ptr_eq(&second, &world.live.region().unwrap()));
}

#[tokio::test]
async fn the_console_hears_at_once_of_a_change_that_it_may_not_see() {
    let world = world().await;
    let own = OfferId::parse("o-1").unwrap();
    let hides = |_: &Record, _| None::<u32>;
    let watching = Watching::start(world.live.picture(), RecordKind::Offer, "", hides).unwrap();
    let mut watching = watching.for_role(Role::Console);
    let begun = watching.next().await.unwrap();
    assert_eq!(begun.item, Item::SnapshotDone);
    world.put(offer_key(&own), Record::Offer(offer())).await;
    // Well before an ordinary bookmark is due.
    let told = tokio::time::timeout(Duration::from_secs(2), watching.next()).await.unwrap().unwrap();
    assert_eq!(told.item, Item::Bookmark);
    assert!(told.revision > begun.revision);
}

#[tokio::test]
async fn a_watcher_is_told_what_it_may_see_and_when_it_no_longer_may() {
    let world = world().await;
    let own = OfferId::parse("o-1").unwrap();
    world.put(offer_key(&own), Record::Offer(offer())).await;
    let see = |record: &Record, _| match record {
        Record::Offer(offer) if offer.figures.staffed.get() > 1 => Some(offer.figures.staffed.get()),
        Record::Offer(_)
        | Record::Need(_)
        | Record::Proposal(_)
        | Record::Transfer(_)
        | Record::Trust(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Session(_)
        | Record::Monitor(_)
        | Record::Decline(_) => None,
    };
    let mut watching = Watching::start(world.live.picture(), RecordKind::Offer, "", see).unwrap();
    assert_eq!(watching.next().await.unwrap().item, Item::Now(3));
    let done = watching.next().await.unwrap();
    assert_eq!(done.item, Item::SnapshotDone);

    let mut less = offer();
    less.figures.staffed = 1.into();
    // One change that also writes records of other kinds.
    let need_id = NeedId::parse("n-1").unwrap();
    let commit = Commit::new(AT)
        .writing(offer_key(&own), Record::Offer(less).encode())
        .writing(need_key(&need_id), Record::Need(need()).encode())
        .writing(
            Key::new(RecordKind::Claim, "x"),
            Record::Claim(Claim { holder: Label::parse("o-1").unwrap() }).encode(),
        );
    world.ledger.commit(commit).await.unwrap();
    let told = watching.next().await.unwrap();
    assert_eq!(told.item, Item::Removed("o-1".to_owned()));

    // Going on from the cursor before tells the same again; a made-up cursor is a violation, another history is gone.
    let mut again = Watching::start(world.live.picture(), RecordKind::Offer, &done.cursor, see).unwrap();
    assert_eq!(again.next().await.unwrap(), told);
    let refused = |cursor| {
        Watching::start(world.live.picture(), RecordKind::Offer, cursor, see).map(|_| ()).unwrap_err()
    };
    assert_eq!(refused("nonsense").reason(), "BAD_CURSOR");
    assert_eq!(refused("elsewhere.1").reason(), "CURSOR_GONE");
}

/// What somebody is told of offers: how many are staffed.
fn staffed(live: &Live, reach: Reach) -> impl Fn(&Record, Revision) -> Option<u32> + Send + use<> {
    let live = live.clone();
    move |record, _| {
        let region = live.region().ok()?;
        let Record::Offer(offer) = record else { return None };
        Some(reach.offer(&region.region, offer)?.get().figures.staffed.get())
    }
}

/// A message of what is told, be it what it may.
fn wire(told: Told<u32>) -> WatchOffersResponse {
    let item = watch_offers_response::Item::Removed(format!("{:?}", told.item));
    let revision = i64::try_from(told.revision.0).unwrap();
    WatchOffersResponse { item: Some(item), cursor: told.cursor, revision }
}

fn unwritten(mut piece: &[u8]) -> Vec<WatchOffersResponse> {
    let mut messages = Vec::new();
    while let [0, a, b, c, d, rest @ ..] = piece {
        let (message, after) = rest.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        messages.push(WatchOffersResponse::decode(message).unwrap());
        piece = after;
    }
    assert!(piece.is_empty(), "{piece:?} is no message");
    messages
}

type Pieces = Pin<Box<dyn Stream<Item = Result<bytes::Bytes, Failure>> + Send>>;

/// Takes all that is told until now.
async fn so_far(pieces: &mut Pieces) -> Vec<WatchOffersResponse> {
    let mut told = Vec::new();
    while let Ok(piece) = tokio::time::timeout(AT_HAND, pieces.next()).await {
        told.extend(unwritten(&piece.expect("the watch goes on").unwrap()));
    }
    but_for_bookmarks(told)
}

/// On a machine that is slow enough there are some.
fn but_for_bookmarks(mut told: Vec<WatchOffersResponse>) -> Vec<WatchOffersResponse> {
    told.retain(|message| !format!("{message:?}").contains("Bookmark"));
    told
}

async fn so_far_alone<F>(watching: &mut Watching<u32, F>) -> Vec<WatchOffersResponse>
where
    F: FnMut(&Record, Revision) -> Option<u32>,
{
    let mut told = Vec::new();
    while let Ok(next) = tokio::time::timeout(AT_HAND, watching.next()).await {
        told.push(wire(next.unwrap()));
    }
    but_for_bookmarks(told)
}

impl World {
    fn pieces(&self, audience: &Arc<Audience>, reach: Reach) -> Pieces {
        let (picture, see) = (self.live.picture().clone(), staffed(&self.live, reach));
        let watching = Watching::start(&picture, RecordKind::Offer, "", see).unwrap();
        Box::pin(watching.into_written(picture, audience.clone(), wire, std::future::pending()))
    }

    /// Changes two offers of a trust in one commit, and one of them again.
    async fn offers(&self, first: u32) {
        let id = |name: &str| OfferId::parse(name).unwrap();
        let with = |name: &str, staffed: u32| {
            let mut offer = Offer { id: id(name), ..offer() };
            offer.figures.staffed = staffed.into();
            Record::Offer(offer)
        };
        let both = Commit::new(AT)
            .writing(offer_key(&id("o-1")), with("o-1", first).encode())
            .writing(offer_key(&id("o-2")), with("o-2", first + 1).encode());
        self.ledger.commit(both).await.unwrap();
        self.put(offer_key(&id("o-1")), with("o-1", first + 2)).await;
    }
}

#[tokio::test]
async fn what_is_written_once_for_many_is_what_each_is_told_alone_under_the_region_in_force() {
    let world = world().await;
    let audiences = Audiences::default();
    let trust = |ods: &str| Reach::Trust(ods.parse().unwrap());
    let all = [trust("AAA"), trust("BBB"), trust("CCC"), Reach::Region, Reach::Nothing];
    let mut watchers = Vec::new();
    for reach in all {
        let audience = audiences.join(reach);
        let alone = Watching::start(world.live.picture(), RecordKind::Offer, "", staffed(&world.live, reach));
        let pieces = [(); 3].map(|()| world.pieces(&audience, reach));
        watchers.push((reach, alone.unwrap(), pieces));
    }
    world.offers(10).await;
    for (reach, alone, [first, second, _]) in &mut watchers {
        let told = so_far_alone(alone).await;
        let sees = *reach != trust("CCC") && *reach != Reach::Nothing;
        // The snapshot's end, and three offers where they are seen.
        assert_eq!(told.len(), if sees { 4 } else { 1 }, "{reach:?}");
        assert_eq!(so_far(first).await, told, "{reach:?}");
        assert_eq!(so_far(second).await, told, "{reach:?}");
    }
    // Beds are no longer shared: what was written for those who saw them is told to nobody who comes to it now.
    let id = world.live.region_id().clone();
    let state = RegionState {
        toml: REGION.replace("shares = [\"BED\"]", "shares = [\"STAFF\"]"),
        version: 2,
        modes: Default::default(),
        applied_at: AT,
        applied_by: actor(Role::PlatformAdmin, None),
    };
    world.put(region_key(&id), Record::Region(state)).await;
    world.offers(20).await;
    for (reach, alone, [first, second, late]) in &mut watchers {
        let told = so_far_alone(alone).await;
        assert_eq!(so_far(first).await, told, "{reach:?}");
        assert_eq!(so_far(second).await, told, "{reach:?}");
        let late = so_far(late).await;
        let seen = late.iter().filter(|message| format!("{message:?}").contains("Now")).count();
        let expected = if *reach == trust("AAA") || *reach == Reach::Region { 6 } else { 0 };
        assert_eq!(seen, expected, "{reach:?}: {late:?}");
    }
}

#[tokio::test]
async fn a_written_watch_tells_what_it_has_before_it_says_why_it_ends() {
    let world = world().await;
    let audience = Audiences::default().join(0);
    let mut pieces = world.pieces(&audience, Reach::Region);
    let done = so_far(&mut pieces).await;
    assert_eq!(done.len(), 1);
    world.offers(1).await;
    let told = so_far(&mut pieces).await;
    for number in 0..=u32::try_from(WATCHER_BUFFER).unwrap() {
        let mut offer = offer();
        offer.figures.staffed = number.into();
        let commit = Commit::new(AT).writing(offer_key(&offer.id.clone()), Record::Offer(offer).encode());
        world.ledger.commit(commit).await.unwrap();
    }
    world.offers(1).await;
    let ended = pieces.next().await.unwrap().unwrap_err();
    assert_eq!(ended.reason(), "SLOW_CONSUMER");
    assert!(ended.to_string().ends_with(&told.last().unwrap().cursor), "{ended}");
    assert!(pieces.next().await.is_none());
}

#[tokio::test]
#[allow(clippy::disallowed_methods)] // a test's own task, ended with its world
async fn who_comes_late_to_what_was_lost_and_who_watches_what_is_now_are_each_told_their_own() {
    for is_late_first in [true, false] {
        let mut world = world().await;
        let audience = Audiences::default().join(0);
        let mut late = world.pieces(&audience, Reach::Region);
        assert_eq!(so_far(&mut late).await.len(), 1);
        world.offers(10).await;

        // The ledger goes on in another history that ends before, while one of them has not looked.
        world.follower.abort();
        let region = world.ledger.snapshot().await.unwrap().0.into_iter();
        let region = region.filter(|record| record.key.kind == RecordKind::Region);
        world.ledger = Arc::new(MemoryLedger::default());
        for record in region {
            world.ledger.commit(Commit::new(AT).writing(record.key, record.body)).await.unwrap();
        }
        world.follower = tokio::spawn(follow(world.ledger.clone(), world.live.picture().clone()));
        let drawn = async {
            while !world.live.picture().still().all(RecordKind::Offer).is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, drawn).await.unwrap();
        let mut now = world.pieces(&audience, Reach::Region);
        assert_eq!(so_far(&mut now).await.len(), 1);
        world.offers(20).await;

        let mut told = Vec::new();
        for is_late in [is_late_first, !is_late_first] {
            let piece = if is_late { late.next().await } else { now.next().await };
            told.push(unwritten(&piece.unwrap().unwrap()));
        }
        if !is_late_first {
            told.reverse();
        }
        let of = |told: &[WatchOffersResponse]| {
            let one = |message: &WatchOffersResponse| {
                let Some(watch_offers_response::Item::Removed(item)) = &message.item else { return None };
                Some((item.clone(), message.cursor.split_once('.').unwrap().0.to_owned()))
            };
            told.iter().map(|message| one(message).unwrap()).collect::<Vec<_>>()
        };
        let (was, is) = (of(&told[0]), of(&told[1]));
        let staffed = |of: &[(String, String)]| of.iter().map(|one| one.0.clone()).collect::<Vec<_>>();
        assert_eq!(staffed(&was), ["Now(10)", "Now(11)", "Now(12)"]);
        assert_eq!(staffed(&is), ["Now(20)", "Now(21)", "Now(22)"]);
        assert!(was.iter().all(|one| is.iter().all(|other| one.1 != other.1)), "{was:?} and {is:?}");
        assert_eq!(late.next().await.unwrap().unwrap_err().reason(), "CURSOR_GONE");
    }
}

#[tokio::test]
async fn a_snapshot_of_which_nothing_is_asked_for_holds_nobody_up() {
    const OFFERS: usize = 1_500;
    let world = world().await;
    let ids: Vec<String> = (0..OFFERS).map(|number| format!("o-{number}")).collect();
    for some in ids.chunks(500) {
        let commit = some.iter().fold(Commit::new(AT), |commit, id| {
            let id = OfferId::parse(id).unwrap();
            commit.writing(offer_key(&id), Record::Offer(Offer { id, ..offer() }).encode())
        });
        world.ledger.commit(commit).await.unwrap();
    }
    assert!(world.live.picture().reached(world.ledger.snapshot().await.unwrap().1.revision(), SOON).await);
    let looked_at = Arc::new(AtomicUsize::new(0));
    let see = || {
        let (looked_at, named) = (looked_at.clone(), Named::of(&["o-none".to_owned()]));
        move |record: &Record, _| {
            looked_at.fetch_add(1, Ordering::Relaxed);
            let Record::Offer(offer) = record else { return None };
            named.has(offer.id.as_str()).then_some(1)
        }
    };
    let watching = || Watching::start(world.live.picture(), RecordKind::Offer, "", see()).unwrap();
    let mut alone = watching();
    let mut next = std::pin::pin!(alone.next());
    assert!(futures::poll!(next.as_mut()).is_pending());
    assert!(looked_at.load(Ordering::Relaxed) < OFFERS, "others have their turn before all is looked at");
    assert_eq!(next.await.unwrap().item, Item::SnapshotDone);
    assert_eq!(looked_at.swap(0, Ordering::Relaxed), OFFERS);

    let (picture, audience) = (world.live.picture().clone(), Audiences::default().join(0));
    let pieces = watching().into_written(picture, audience, wire, std::future::pending());
    let mut pieces = std::pin::pin!(pieces);
    assert!(futures::poll!(pieces.next()).is_pending());
    assert!(looked_at.load(Ordering::Relaxed) < OFFERS, "others have their turn before all is looked at");
    assert_eq!(unwritten(&pieces.next().await.unwrap().unwrap()).len(), 1);
    assert_eq!(looked_at.load(Ordering::Relaxed), OFFERS);
}
