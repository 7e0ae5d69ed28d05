//! Whether a patient can be found in an archive: none among what services write, and each that was planted.

use fallow_archive::identifiers::{Look, Suspicion};
use fallow_archive::verify::{Told, verify};
use fallow_ledger::cause::Cause;
use fallow_ledger::{Commit, Key, Ledger, RecordKind};
use serde_json::{Value, json};

use crate::world::{World, at, caught_up, world};

/// Dice of a fixed seed (xorshift64), so that a failure comes again.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        let (time, rest) = (a >> 32, a & 0xffff);
        format!("{time:08x}-{rest:04x}-7{:03x}-8{:03x}-{:012x}", a >> 52, b >> 52, b & 0xffff_ffff_ffff)
    }

    /// A UUID of figures alone, in which the check of an NHS number passes most often.
    fn figures(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        let part =
            |n: u64, width: usize| format!("{:0width$}", n % 10_u64.pow(u32::try_from(width).unwrap()));
        format!("{}-{}-{}-{}-{}", part(a, 8), part(b, 4), part(a >> 9, 4), part(b >> 9, 4), part(a ^ b, 12))
    }

    fn id(&mut self) -> String {
        if self.below(2) == 0 { self.uuid() } else { self.figures() }
    }
}

/// Records of every kind, as the ledger keeps them.
const GOLDEN: [(RecordKind, &str); 20] = [
    (RecordKind::Claim, include_str!("../../../ledger/tests/golden/claim.v1.json")),
    (RecordKind::Decline, include_str!("../../../ledger/tests/golden/decline.v1.json")),
    (RecordKind::Feed, include_str!("../../../ledger/tests/golden/feed.v1.json")),
    (RecordKind::Lease, include_str!("../../../ledger/tests/golden/lease.v1.json")),
    (RecordKind::Monitor, include_str!("../../../ledger/tests/golden/monitor.v1.action.json")),
    (RecordKind::Monitor, include_str!("../../../ledger/tests/golden/monitor.v1.alert.json")),
    (RecordKind::Monitor, include_str!("../../../ledger/tests/golden/monitor.v1.json")),
    (RecordKind::Monitor, include_str!("../../../ledger/tests/golden/monitor.v1.rollup.json")),
    (RecordKind::Monitor, include_str!("../../../ledger/tests/golden/monitor.v1.sign_off.json")),
    (RecordKind::Need, include_str!("../../../ledger/tests/golden/need.v1.json")),
    (RecordKind::Need, include_str!("../../../ledger/tests/golden/need.v1.least.json")),
    (RecordKind::Offer, include_str!("../../../ledger/tests/golden/offer.v1.campaign.json")),
    (RecordKind::Offer, include_str!("../../../ledger/tests/golden/offer.v1.json")),
    (RecordKind::Proposal, include_str!("../../../ledger/tests/golden/proposal.v1.json")),
    (RecordKind::Proposal, include_str!("../../../ledger/tests/golden/proposal.v1.team.json")),
    (RecordKind::Region, include_str!("../../../ledger/tests/golden/region.v1.json")),
    (RecordKind::Session, include_str!("../../../ledger/tests/golden/session.v1.json")),
    (RecordKind::Transfer, include_str!("../../../ledger/tests/golden/transfer.v1.json")),
    (RecordKind::Transfer, include_str!("../../../ledger/tests/golden/transfer.v1.team.json")),
    (RecordKind::Trust, include_str!("../../../ledger/tests/golden/trust.v1.json")),
];

/// Gives a record ids, numbers of rows and times as machines make them.
fn made_anew(value: &mut Value, field: &str, dice: &mut Dice) {
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| made_anew(value, name, dice)),
        Value::Array(items) => items.iter_mut().for_each(|value| made_anew(value, field, dice)),
        Value::String(text) if ["019", "n-", "engine-"].iter().any(|start| text.starts_with(start)) => {
            *text = dice.id();
        }
        Value::String(text) if text.ends_with('Z') && text.contains('T') => {
            *text = at(i64::try_from(dice.below(100_000_000)).unwrap()).to_string();
        }
        Value::String(text) if field == "source_key" => *text = format!("{:09}", dice.below(1_000_000_000)),
        Value::String(text) if field == "subject" => *text = format!("{:012}", dice.below(1_000_000_000_000)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Commits so many records of all sorts, with ids, digests and times as services make them.
async fn records(world: &World, count: u64) {
    let mut dice = Dice(20_261_124);
    for number in 0..count {
        let (kind, golden) = GOLDEN[usize::try_from(number).unwrap() % GOLDEN.len()];
        let mut body: Value = serde_json::from_str(golden).unwrap();
        made_anew(&mut body, "", &mut dice);
        let digest = format!("{:016x}{:016x}", dice.next() | 1 << 63, dice.next());
        let (id, other) = (dice.id(), dice.id());
        let name = if kind == RecordKind::Claim {
            format!("offer/ZA1/{:09}", dice.below(1_000_000_000))
        } else if kind == RecordKind::Decline {
            format!("{id} {other}")
        } else if kind == RecordKind::Session {
            format!("{:012}", dice.below(1_000_000_000_000))
        } else {
            id
        };
        let by = json!({"subject": format!("{:012}", dice.below(1_000_000_000_000)), "kind": "person", "role": "bed_manager"});
        let trace = format!("00-{digest}-{:016x}-01", dice.next());
        let at = at(i64::try_from(number).unwrap()).to_string();
        let cause = json!({"by": by, "verb": "PublishOffer", "at": at, "request_id": dice.id(), "traceparent": trace});
        commit(world, &cause, Key::new(kind, name), &body).await;
    }
}

async fn commit(world: &World, cause: &Value, key: Key, body: &Value) {
    assert!(Cause::decode(cause.to_string().as_bytes()).is_some(), "{cause}");
    let commit = Commit::new(at(0)).because(cause.to_string()).writing(key, body.to_string());
    world.ledger.commit(commit).await.unwrap();
}

async fn looked(world: &World) -> (Vec<Suspicion>, u64) {
    caught_up(&mut world.archivist(), at(0)).await;
    let mut look = Look::default();
    let report = verify(world.path(), &fallow_archive::verify::Against::default(), &mut |told| match told {
        Told::Change { change, .. } => look.change(change),
        Told::Snapshot(state) => look.snapshot(state),
        Told::Segment { .. } => {}
    });
    assert_eq!(report.unwrap().findings, []);
    look.end()
}

#[tokio::test]
async fn slow_ten_thousand_records_of_services_are_suspected_of_nothing() {
    let world = World { segment_bytes: 4_000_000, ..world() };
    records(&world, 10_000).await;
    let (found, texts) = looked(&world).await;
    assert!(texts > 1_000, "they were looked at: {texts}");
    let told: Vec<String> = found.iter().take(5).map(ToString::to_string).collect();
    assert_eq!(told, [""; 0], "{} in all", found.len());
}

#[tokio::test]
async fn every_planted_patient_is_found_by_its_place_and_not_repeated() {
    let world = World { segment_bytes: 4_000_000, ..world() };
    records(&world, 60).await;
    let cause = json!({"by": {"subject": "ana", "kind": "person", "role": "bed_manager", "trust": "ZA1"}, "verb": "RaiseNeed", "at": at(0).to_string()});
    let id = "01999434-7659-7190-8000-943476591900";
    let need = |record: Value| (Key::new(RecordKind::Need, id), json!({"v": 1, "r": record}));
    let region = |toml: &str| (Key::new(RecordKind::Region, "za"), json!({"v": 1, "r": {"toml": toml}}));
    let desk = "01632 960118";
    let report = json!({"decisions": [{"rationale": "for Mrs Ada Example"}]}).to_string();
    let planted = [
        (need(json!({"note": "943 476 5919 waits"})), "need/01999434-7659-7190-8000-943476591900", "r.note"),
        (need(json!({"case_ref": "9990000018"})), "need/01999434-7659-7190-8000-943476591900", "r.case_ref"),
        (
            need(json!({"needs": ["a", "DOB 12/03/1948"]})),
            "need/01999434-7659-7190-8000-943476591900",
            "r.needs[1]",
        ),
        (
            need(json!({"labels": {"82M": 1}})),
            "need/01999434-7659-7190-8000-943476591900",
            "r.labels.(a name)",
        ),
        (
            need(json!({"note": format!("beside {id} 9434765919")})),
            "need/01999434-7659-7190-8000-943476591900",
            "r.note",
        ),
        (
            (Key::new(RecordKind::Claim, "offer/ZA1/943-476-5919"), json!({"v": 1, "r": {"holder": id}})),
            "claim/offer",
            "its name",
        ),
        (
            (Key::new(RecordKind::Monitor, "sign-off/x"), json!({"v": 1, "r": {"content": report}})),
            "monitor/sign-off",
            "r.content.decisions[0].rationale",
        ),
        (
            need(json!({"note": "DOB 1948-03-12T00:00:00Z"})),
            "need/01999434-7659-7190-8000-943476591900",
            "r.note",
        ),
        (need(json!({"subject": "999 000 0018"})), "need/01999434-7659-7190-8000-943476591900", "r.subject"),
        (
            region(&format!("id = \"za\"\nphone = \"{desk}\"\n# ask Mrs Ada Example\n")),
            "region/za",
            "r.toml line 3",
        ),
        (
            region(&format!("site = [{{ phone = \"{desk}\", code = \"999-000-0018\" }}]\n")),
            "region/za",
            "r.toml.site[0].code",
        ),
        (region("[a]\nid = 'for 943 476 5919'\n"), "region/za", "r.toml.a.id"),
        (region("reason = \"\"\"\nask\n999 000 0018 there\"\"\"\n"), "region/za", "r.toml.reason"),
        (region("id = '\"' # Mrs Adela Example asks\n"), "region/za", "r.toml line 1"),
    ];
    let expected: Vec<(&str, &str)> = planted.iter().map(|(_, record, field)| (*record, *field)).collect();
    for ((key, body), ..) in &planted {
        commit(&world, &cause, key.clone(), body).await;
    }
    let (found, _) = looked(&world).await;
    let places: Vec<(&str, &str)> =
        found.iter().map(|one| (one.record.as_str(), one.field.as_str())).collect();
    assert_eq!(places, expected);
    for one in &found {
        let told = one.to_string();
        assert!(
            !["943", "999000", "999 ", "999-", "1948", "82M", "Ada", "Adela"]
                .iter()
                .any(|part| told.replace(id, "").contains(part)),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_date_that_was_near_when_it_was_written_is_no_date_of_birth_later() {
    let world = World { segment_bytes: 4_000_000, ..world() };
    let cause = |seconds: i64| json!({"by": {"subject": "ana", "kind": "person", "role": "bed_manager"}, "verb": "PublishOffer", "at": at(seconds).to_string()});
    let note = format!("opens {}", at(0).to_string().split_once('T').unwrap().0);
    let body = |revised: u64| json!({"v": 1, "r": {"note": note, "revised": revised}});
    let later = 90 * 24 * 3_600;
    commit(&world, &cause(0), Key::new(RecordKind::Offer, "o-1"), &body(1)).await;
    commit(&world, &cause(later), Key::new(RecordKind::Offer, "o-1"), &body(2)).await;
    assert_eq!(looked(&world).await.0, []);
    let again = World { segment_bytes: 4_000_000, ..crate::world::world() };
    commit(&again, &cause(later), Key::new(RecordKind::Offer, "o-1"), &body(1)).await;
    assert_eq!(looked(&again).await.0.len(), 1, "written that late, it is one");
}
