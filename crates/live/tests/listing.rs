//! Lists as of a time, page by page.

#![allow(clippy::unwrap_used, reason = "also helpers of tests say what failed by their line")]

use std::sync::Arc;

use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::{Label, RegionId};
use fallow_domain::standing::Claim;
use fallow_ledger::cause::Cause;
use fallow_ledger::follow::follow;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::Record;
use fallow_ledger::{Commit, Cursor, Key, Ledger, MemoryLedger, RecordKind, Revision};
use fallow_live::Live;
use fallow_live::lists::Asked;
use fallow_live::pages::{Page, PageKey};
use jiff::{SignedDuration, Timestamp};

/// How a ledger is listed as of the second minute.
const AS_OF: Asked = Asked { named: None, as_of: Some(minute(2)) };

const fn minute(minute: i64) -> Timestamp {
    Timestamp::constant(minute * 60, 0)
}

fn live(ledger: &Arc<MemoryLedger>, picture: &Arc<Picture>) -> Live {
    Live::new(RegionId::parse("Y99").unwrap(), ledger.clone(), picture.clone(), PageKey::new(b"test"))
}

/// Writes a record by a call that began at a time.
async fn put(live: &Live, at: Timestamp, name: &str) {
    let cause = Cause {
        by: Actor {
            subject: Label::parse("one").unwrap(),
            kind: ActorKind::Person,
            role: Role::BedManager,
            trust: None,
        },
        verb: "Put".to_owned(),
        at,
        request_id: None,
        traceparent: None,
        decided_at: None,
        denied: None,
    };
    let body = Record::Claim(Claim { holder: Label::parse(name).unwrap() }).encode();
    let commit = Commit::new(at).because(cause.encode()).writing(Key::new(RecordKind::Claim, name), body);
    live.ledger().commit(commit).await.unwrap();
    let (_, cursor) = live.ledger().snapshot().await.unwrap();
    assert!(live.picture().reached(cursor.revision(), std::time::Duration::from_secs(5)).await);
}

async fn names(live: &Live, asked: &Asked, page: &mut Page) -> Result<Vec<String>, Failure> {
    let (records, _) = asked.records(live, RecordKind::Claim, page).await?;
    Ok(records.into_iter().map(|(key, _)| key.id.to_string()).collect())
}

/// Lists one after the other, as the calls of a client do: the token is all that goes from page to page.
async fn page(live: &Live, token: &str) -> Result<(Vec<String>, String), Failure> {
    let mut page = live.pages().page(1, token, "q")?;
    let all = names(live, &AS_OF, &mut page).await?;
    Ok(live.pages().cut(&page, "q", all))
}

#[tokio::test]
async fn pages_of_a_time_are_of_one_revision_whatever_is_committed_between_them() {
    let (ledger, picture) = (Arc::new(MemoryLedger::new()), Arc::new(Picture::default()));
    let live = live(&ledger, &picture);
    let asking = async {
        put(&live, minute(1), "b").await;
        put(&live, minute(1), "d").await;
        put(&live, minute(3), "e").await;
        let (first, token) = page(&live, "").await.unwrap();
        // By a call that began before the time of the list: it comes before what was told already.
        put(&live, minute(2), "a").await;
        let (second, last) = page(&live, &token).await.unwrap();
        assert_eq!((first, second, last.as_str()), (vec!["b".to_owned()], vec!["d".to_owned()], ""));
        // Whoever asks afresh is told of it.
        assert_eq!(page(&live, "").await.unwrap().0, ["a"]);
        // A list of now is of now on each page.
        let now = Asked { named: None, as_of: None };
        let mut page = live.pages().page(1, "", "q").unwrap();
        assert_eq!(names(&live, &now, &mut page).await.unwrap(), ["a", "b", "d", "e"]);
        assert_eq!(page.of, None);
        let some = Asked { named: Some([Key::new(RecordKind::Claim, "d")].into()), as_of: None };
        assert_eq!(names(&live, &some, &mut page).await.unwrap(), ["d"]);
    };
    tokio::select! {
        () = follow(ledger.clone(), picture.clone()) => panic!("the follower ended"),
        () = asking => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_another_history_says_so_and_one_that_is_ahead_is_waited_for() {
    let (ledger, picture) = (Arc::new(MemoryLedger::new()), Arc::new(Picture::default()));
    let live = live(&ledger, &picture);
    let asking = async {
        put(&live, minute(1), "b").await;
        let here = picture.still().cursor().unwrap().clone();
        let reason = |place: Cursor| {
            let live = live.clone();
            async move {
                let mut page = Page { size: 1, skip: 1, of: Some(place) };
                names(&live, &AS_OF, &mut page).await.unwrap_err().reason()
            }
        };
        assert_eq!(reason(Cursor::new("wiped".into(), Revision(1))).await, reasons::REVISION_GONE);
        assert_eq!(reason(Cursor::new("wiped".into(), Revision(9))).await, reasons::REVISION_GONE);
        assert_eq!(reason(here.at(Revision(9))).await, reasons::NOT_READY);
        // The copy that gave the token has seen the new history, and this one has not yet.
        let other = Arc::new(MemoryLedger::new());
        let of_new = other.snapshot().await.unwrap().1;
        let behind =
            Live::new(RegionId::parse("Y99").unwrap(), other, picture.clone(), PageKey::new(b"test"));
        let mut page = Page { size: 1, skip: 1, of: Some(of_new) };
        let waits = names(&behind, &AS_OF, &mut page).await.unwrap_err();
        assert!(matches!(waits, Failure::NotReady { .. }), "{waits:?}");
        let mut page = Page { size: 1, skip: 0, of: Some(here) };
        assert_eq!(names(&live, &AS_OF, &mut page).await.unwrap(), ["b"]);
        let long_ago =
            Asked { named: None, as_of: Some(Timestamp::UNIX_EPOCH - SignedDuration::from_mins(1)) };
        let gone = names(&live, &long_ago, &mut live.pages().page(1, "", "q").unwrap()).await;
        assert_eq!(gone.unwrap_err().reason(), reasons::REVISION_GONE);
    };
    tokio::select! {
        () = follow(ledger.clone(), picture.clone()) => panic!("the follower ended"),
        () = asking => {}
    }
}
