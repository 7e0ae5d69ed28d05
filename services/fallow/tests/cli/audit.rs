//! `audit mine`: who did what, and who was denied what.

use fallow_api::v1::{AuditEntry, AuditTotal, ListAuditRequest, ListAuditResponse};
use insta::assert_snapshot;

use crate::world::{World, at};

fn done() -> AuditEntry {
    AuditEntry {
        revision: 812,
        at: at("2026-11-24T14:20:00Z"),
        call: "PublishOffer".into(),
        subject: "bed-manager.ZA4".into(),
        role: "bed_manager".into(),
        trust: "ZA4".into(),
        request_id: "0198c7a0-1111-7000-8000-000000000001".into(),
        times: 1,
        records: vec!["offer/0198c7a0-2222-7000-8000-000000000001".into()],
        records_count: 1,
        ..AuditEntry::default()
    }
}

fn denied() -> AuditEntry {
    AuditEntry {
        revision: 811,
        call: "BypassProposal".into(),
        denied: "ROLE_FORBIDS".into(),
        request_id: String::new(),
        times: 490,
        records: Vec::new(),
        records_count: 0,
        ..done()
    }
}

fn by_another() -> AuditEntry {
    AuditEntry {
        revision: 640,
        at: at("2026-11-23T09:05:00Z"),
        call: "AnswerProposal".into(),
        subject: String::new(),
        role: "site_lead".into(),
        trust: "ZA1".into(),
        request_id: String::new(),
        records: vec!["need/0198c7a0-3333-7000-8000-000000000001".into()],
        ..done()
    }
}

fn total(denied: &str, times: i64) -> AuditTotal {
    AuditTotal {
        trust: "ZA4".into(),
        role: "bed_manager".into(),
        call: "PublishOffer".into(),
        denied: denied.into(),
        times,
    }
}

#[tokio::test]
async fn a_trust_reads_its_own_trail_over_pages() {
    let world = World::new().await;
    world.script.on("MonitorService/ListAudit", |ask: ListAuditRequest| {
        let first = ask.page_token.is_empty();
        let entries = if first { vec![done(), denied()] } else { vec![by_another()] };
        let entries = entries.into_iter().filter(|entry| !ask.denied || !entry.denied.is_empty()).collect();
        let next_page_token = if first { "640.x".into() } else { String::new() };
        let totals = vec![total("", 2), total("ROLE_FORBIDS", 490)];
        Ok(ListAuditResponse { entries, next_page_token, revision: 812, totals })
    });
    let told = world
        .transcript(&[
            "audit mine",
            "audit mine --denied --from 08:00 -o wide",
            "audit mine --totals",
            "audit mine --limit 2 -o jsonl",
            "audit mine --limit 0",
        ])
        .await;
    assert_snapshot!(told);
}

#[tokio::test]
async fn who_may_read_no_entry_reads_how_often() {
    let world = World::new().await;
    world.script.on("MonitorService/ListAudit", |ask: ListAuditRequest| {
        assert_eq!(ask.trust, "ZA4");
        Ok(ListAuditResponse { totals: vec![total("", 3)], revision: 9, ..ListAuditResponse::default() })
    });
    let told = world.run("audit mine --trust za4").await;
    assert_eq!(told.exit, 0, "{}", told.err);
    assert!(told.out.contains("PublishOffer") && told.out.contains('3'), "{}", told.out);
}
