//! The rows, in the catalogue's order.

use fallow_api::reasons::{
    BAD_CODE, BAD_ID, BAD_PAGE_TOKEN, BAD_REQUEST_ID, BAD_TEXT, DUPLICATE, INVALID, LARGE_CHANGE,
    NO_RESERVE_FOR_THEATRE, NOT_APPLICABLE, NOT_FOUND, OUT_OF_RANGE, REQUIRED, SERVER_FIELD,
    SITE_NOT_OF_TRUST, SOURCE_AHEAD, SOURCE_STALE, TOO_MANY, TRUST_MISMATCH, UNKNOWN_VALUE, WINDOW,
};

use super::*;

const YEAR_10000: prost_types::Timestamp = prost_types::Timestamp { seconds: 253_402_300_800, nanos: 0 };
const LONG_SECOND: prost_types::Timestamp =
    prost_types::Timestamp { seconds: 1_800_000_000, nanos: 1_000_000_000 };

pub(super) fn all(ground: &Ground) -> Vec<Row> {
    let parts = [whose, repeats, reports, counts, codes, times, places, batches, texts, pages, whole];
    parts.into_iter().flat_map(|part| part(ground)).collect()
}

/// B33: a body that names another trust.
fn whose(on: &Ground) -> Vec<Row> {
    use Code::PermissionDenied as Denied;
    vec![
        refused("B33 offer of another trust", on.publish(|o| o.trust = "ZA1".into()), Denied, TRUST_MISMATCH),
        refused("B33 need of another trust", on.raise(|n| n.trust = "ZA1".into()), Denied, TRUST_MISMATCH),
        refused(
            "B33 need of a trust of no region",
            on.raise(|n| n.trust = "RXX".into()),
            Denied,
            TRUST_MISMATCH,
        ),
        refused(
            "B33 one item of another trust",
            on.replace(on.items(2).into_iter().map(|o| v1::Offer { trust: "ZA1".into(), ..o }).collect()),
            Denied,
            TRUST_MISMATCH,
        ),
    ]
}

/// B58, B63: request ids and expected revisions.
fn repeats(on: &Ground) -> Vec<Row> {
    let mut rows = vec![
        invalid("B58 no request id", on.named(""), BAD_REQUEST_ID, "request_id"),
        invalid("B58 no UUID", on.named("7"), BAD_REQUEST_ID, "request_id"),
        invalid("B58 key-like", on.named("{r}:seal"), BAD_REQUEST_ID, "request_id"),
        invalid(
            "B58 all zeros",
            on.named("00000000-0000-0000-0000-000000000000"),
            BAD_REQUEST_ID,
            "request_id",
        ),
    ];
    for revision in [0, -1, i64::MIN, TOO_GREAT, i64::MAX] {
        rows.push(invalid("B63", on.expecting(revision), OUT_OF_RANGE, "expected_revision"));
    }
    rows
}

/// B68, B70: what is reported when, and by how much.
fn reports(on: &Ground) -> Vec<Row> {
    let reported = |seconds: i64| {
        let at = on.now + SignedDuration::from_secs(seconds);
        on.publish(|offer| offer.reported_at = Some(to_wire(at)))
    };
    let rule = |what, sent, reason| refused(what, sent, Code::FailedPrecondition, reason);
    let old = -2 * wire::CADENCE.as_secs() - 1;
    vec![
        rule("B68 older than two cadences", reported(old), SOURCE_STALE),
        rule("B68 61 s ahead", reported(61), SOURCE_AHEAD),
        rule(
            "B70 100 beds become 40",
            on.publish(|offer| {
                offer.source_key = "standing".into();
                offer.figures.as_mut().unwrap().staffed = 40;
            }),
            LARGE_CHANGE,
        ),
        rule("B70 60 of 100 beds are taken", on.adjust(-60), LARGE_CHANGE),
    ]
}

/// B74, B76: counts, and messages that are not there.
fn counts(on: &Ground) -> Vec<Row> {
    let mut rows = Vec::new();
    for count in [-1, 10_001, 1 << 31, i64::MIN, i64::MAX] {
        rows.extend([
            invalid("B74", on.figures(|f| f.staffed = count), OUT_OF_RANGE, "offer.figures.staffed"),
            invalid("B74", on.figures(|f| f.occupied = count), OUT_OF_RANGE, "offer.figures.occupied"),
            invalid("B74", on.figures(|f| f.blocked = count), OUT_OF_RANGE, "offer.figures.blocked"),
            invalid("B74", on.raise(|n| n.units = count), OUT_OF_RANGE, "need.units"),
            invalid(
                "B74",
                on.raise(|n| n.max_travel_minutes = count),
                OUT_OF_RANGE,
                "need.max_travel_minutes",
            ),
        ]);
    }
    for by in [10_001, -10_001, i64::MAX, i64::MIN] {
        rows.push(invalid("B74 adjust", on.adjust(by), OUT_OF_RANGE, "by"));
    }
    rows.push(invalid("B74 adjust by nothing", on.adjust(0), REQUIRED, "by"));
    for opel in [0, 5, -1, i32::MAX] {
        let declare =
            v1::DeclarePressureRequest { request_id: fresh_request_id(), opel, ..Default::default() };
        rows.push(invalid("B74 OPEL", Sent::Declare(declare), OUT_OF_RANGE, "opel"));
    }
    let reserve = |resource, units| {
        let request_id = fresh_request_id();
        Sent::Reserve(v1::SetReserveRequest { request_id, resource, units, ..Default::default() })
    };
    let theatre = resource(v1::ResourceKind::Theatre, "MAIN");
    let nothing = |what, sent, field| invalid(what, sent, REQUIRED, field);
    let id = fresh_request_id;
    rows.extend([
        invalid("B74 reserve", reserve(Some(wire::bed()), -1), OUT_OF_RANGE, "units"),
        invalid("B74 reserve", reserve(Some(wire::bed()), 10_001), OUT_OF_RANGE, "units"),
        invalid("a theatre's reserve", reserve(Some(theatre), 1), NO_RESERVE_FOR_THEATRE, "resource.kind"),
        nothing("B76 a reserve of nothing", reserve(None, 1), "resource"),
        nothing(
            "B76 no offer",
            Sent::Publish(v1::PublishOfferRequest { request_id: id(), ..Default::default() }),
            "offer",
        ),
        nothing(
            "B76 no need",
            Sent::Raise(v1::RaiseNeedRequest { request_id: id(), ..Default::default() }),
            "need",
        ),
        nothing("B76 no resource", on.publish(|o| o.resource = None), "offer.resource"),
        nothing("B76 no figures", on.publish(|o| o.figures = None), "offer.figures"),
        nothing("B76 no window", on.publish(|o| o.window = None), "offer.window"),
        nothing("B76 no cadence", on.publish(|o| o.cadence = None), "offer.cadence"),
        nothing("B76 no resource", on.raise(|n| n.resource = None), "need.resource"),
        nothing(
            "B76 no selection",
            Sent::Confirm(v1::ConfirmOffersRequest { request_id: id(), ..Default::default() }),
            "selection",
        ),
        nothing(
            "B76 an empty selection",
            Sent::Confirm(v1::ConfirmOffersRequest {
                request_id: id(),
                selection: Some(v1::OfferSelection::default()),
                ..Default::default()
            }),
            "selection",
        ),
    ]);
    rows
}

/// B75: enums.
fn codes(on: &Ground) -> Vec<Row> {
    let withdraw = |reason| {
        let offer = on.offer.id.clone();
        Sent::Withdraw(v1::WithdrawOfferRequest {
            request_id: fresh_request_id(),
            offer,
            reason,
            ..Default::default()
        })
    };
    let withdraw_need = |reason| {
        let need = on.need.id.clone();
        Sent::WithdrawNeed(v1::WithdrawNeedRequest {
            request_id: fresh_request_id(),
            need,
            reason,
            ..Default::default()
        })
    };
    let home = v1::DeclineReason::PatientDeclined.into();
    let supporting = v1::DeclineReason::Staffing.into();
    let no_answer = v1::DeclineReason::NoAnswer.into();
    vec![
        invalid("B75 no kind", on.offered(|r| r.kind = 0), REQUIRED, "offer.resource.kind"),
        invalid("B75 kind 99", on.offered(|r| r.kind = 99), UNKNOWN_VALUE, "offer.resource.kind"),
        invalid("B75 kind -1", on.offered(|r| r.kind = -1), UNKNOWN_VALUE, "offer.resource.kind"),
        invalid("B75 no priority", on.raise(|n| n.priority = 0), REQUIRED, "need.priority"),
        invalid("B75 priority 99", on.raise(|n| n.priority = 99), UNKNOWN_VALUE, "need.priority"),
        invalid("B75 source 99", on.publish(|o| o.source = 99), UNKNOWN_VALUE, "offer.source"),
        invalid("B75 pathway 99", on.raise(|n| n.pathway = 99), UNKNOWN_VALUE, "need.pathway"),
        invalid("B75 scope 99", on.raise(|n| n.scope = 99), UNKNOWN_VALUE, "need.scope"),
        invalid("B75 no reason", withdraw(0), REQUIRED, "reason"),
        invalid("B75 reason 99", withdraw(99), UNKNOWN_VALUE, "reason"),
        invalid("B75 the home trust's reason", withdraw(home), UNKNOWN_VALUE, "reason"),
        invalid("B75 the supporting trust's reason", withdraw_need(supporting), UNKNOWN_VALUE, "reason"),
        invalid("B75 the server's own reason", withdraw_need(no_answer), UNKNOWN_VALUE, "reason"),
        invalid("a code of no list", on.offered(|r| r.code = "BUNK".into()), BAD_CODE, "offer.resource.code"),
        invalid(
            "a code of another kind",
            on.offered(|r| r.code = "MRI".into()),
            BAD_CODE,
            "offer.resource.code",
        ),
        invalid("no code", on.offered(|r| r.code.clear()), REQUIRED, "offer.resource.code"),
        invalid(
            "a level where there is none",
            on.offered(|r| r.level = 2),
            NOT_APPLICABLE,
            "offer.resource.level",
        ),
        invalid(
            "no level where there must be",
            on.offered(|r| r.code = "CC_ADULT".into()),
            REQUIRED,
            "offer.resource.level",
        ),
        invalid(
            "a specialty of no list",
            on.offered(|r| r.specialties = vec!["100".into(), "999".into()]),
            BAD_CODE,
            "offer.resource.specialties[1]",
        ),
        invalid(
            "minutes of a bed",
            on.raise(|n| n.minutes_per_case = 60),
            NOT_APPLICABLE,
            "need.minutes_per_case",
        ),
        invalid(
            "a field that cannot be amended",
            Sent::Amend(v1::AmendNeedRequest {
                request_id: fresh_request_id(),
                need: Some(v1::Need { id: on.need.id.clone(), ..Default::default() }),
                update_mask: Some(prost_types::FieldMask { paths: vec!["state".into()] }),
                ..Default::default()
            }),
            OUT_OF_RANGE,
            "update_mask",
        ),
    ]
}

/// B77, B78, B80: times, windows and lengths of time.
fn times(on: &Ground) -> Vec<Row> {
    let (day, until) = (24, "offer.window.until");
    let until_at = |at| on.publish(|o| o.window = Some(v1::Window { from: None, until: Some(at) }));
    let by = |hours| Some(to_wire(on.now + SignedDuration::from_hours(hours)));
    let suspend = |until| {
        Sent::Suspend(v1::SuspendOffersRequest {
            request_id: fresh_request_id(),
            selection: Some(v1::OfferSelection { all: true, ..Default::default() }),
            until,
            reason: "deep clean".into(),
            ..Default::default()
        })
    };
    let park = |review_at| {
        let need = on.need.id.clone();
        Sent::Park(v1::ParkNeedRequest {
            request_id: fresh_request_id(),
            need,
            review_at,
            ..Default::default()
        })
    };
    let session = |from, until| {
        let Sent::Publish(mut request) = on.window(from, until) else { unreachable!() };
        request.offer.as_mut().unwrap().resource = Some(resource(v1::ResourceKind::Diagnostic, "MRI"));
        Sent::Publish(request)
    };
    vec![
        invalid("B77 a second of more than a second", until_at(LONG_SECOND), OUT_OF_RANGE, until),
        invalid("B77 the year 10000", until_at(YEAR_10000), OUT_OF_RANGE, until),
        invalid("B77 no end", on.publish(|o| o.window = Some(v1::Window::default())), REQUIRED, until),
        invalid(
            "B77 the year 10000",
            on.raise(|n| n.needed_by = Some(YEAR_10000)),
            OUT_OF_RANGE,
            "need.needed_by",
        ),
        invalid("B78 reversed", on.window(Some(5), 2), WINDOW, until),
        invalid("B78 empty", on.window(Some(2), 2), WINDOW, until),
        invalid("B78 over", on.window(None, -1), WINDOW, until),
        invalid(
            "B78 more than 400 days ahead",
            on.window(Some(401 * day), 402 * day),
            WINDOW,
            "offer.window.from",
        ),
        invalid("B78 longer than 400 days", on.window(None, 401 * day), WINDOW, "offer.window"),
        invalid("B78 a session of more than 31 days", session(Some(1), 2 + 31 * day), WINDOW, "offer.window"),
        invalid("B78 needed before now", on.raise(|n| n.needed_by = by(-1)), WINDOW, "need.needed_by"),
        invalid(
            "B78 needed in 401 days",
            on.raise(|n| n.needed_by = by(401 * day)),
            WINDOW,
            "need.needed_by",
        ),
        invalid("B78 listed tomorrow", on.raise(|n| n.listed_at = by(day)), WINDOW, "need.listed_at"),
        invalid("B78 suspended without end", suspend(None), REQUIRED, "until"),
        invalid("B78 suspended until an hour ago", suspend(by(-1)), WINDOW, "until"),
        invalid("B78 suspended for 32 days", suspend(by(32 * day)), WINDOW, "until"),
        invalid("B78 parked without review", park(None), REQUIRED, "review_at"),
        invalid("B78 to be reviewed an hour ago", park(by(-1)), WINDOW, "review_at"),
        invalid("B78 to be reviewed in 401 days", park(by(401 * day)), WINDOW, "review_at"),
        invalid("B80 negative", on.cadence(-60), OUT_OF_RANGE, "offer.cadence"),
        invalid("B80 nothing", on.cadence(0), OUT_OF_RANGE, "offer.cadence"),
        invalid("B80 less than a minute", on.cadence(59), OUT_OF_RANGE, "offer.cadence"),
        invalid("B80 more than 31 days", on.cadence(31 * 86_400 + 1), OUT_OF_RANGE, "offer.cadence"),
        invalid(
            "B80 seconds and nanoseconds of two signs",
            on.publish(|o| o.cadence = Some(prost_types::Duration { seconds: 3_600, nanos: -1 })),
            OUT_OF_RANGE,
            "offer.cadence",
        ),
    ]
}

/// B81, B82: codes of trusts and sites.
fn places(on: &Ground) -> Vec<Row> {
    let mut rows = Vec::new();
    for code in ["za3", "ZA", "ZA31!", "ZA3ZA3ZA3Z", "Z\u{410}3", " ZA3"] {
        rows.push(invalid("B81 trust", on.publish(|o| o.trust = code.into()), BAD_CODE, "offer.trust"));
        rows.push(invalid("B81 trust", on.raise(|n| n.trust = code.into()), BAD_CODE, "need.trust"));
    }
    for code in ["za301", "ZA30", "ZA3011", "Z\u{410}301"] {
        rows.push(invalid("B81 site", on.publish(|o| o.site = code.into()), BAD_CODE, "offer.site"));
    }
    rows.extend([
        invalid("no site", on.publish(|o| o.site.clear()), REQUIRED, "offer.site"),
        invalid(
            "B82 another trust's site",
            on.publish(|o| o.site = "ZA101".into()),
            SITE_NOT_OF_TRUST,
            "offer.site",
        ),
        invalid(
            "B82 no site of the region",
            on.publish(|o| o.site = "RXX01".into()),
            SITE_NOT_OF_TRUST,
            "offer.site",
        ),
        invalid(
            "B82 another trust's site",
            on.raise(|n| n.site = "ZA101".into()),
            SITE_NOT_OF_TRUST,
            "need.site",
        ),
        invalid(
            "B84 a collaborative of others",
            on.publish(|o| o.shared_with = vec!["vale-at-home".into()]),
            BAD_ID,
            "offer.shared_with[0]",
        ),
        invalid(
            "B84 a collaborative that is none",
            on.publish(|o| o.shared_with = vec!["no-such".into()]),
            BAD_ID,
            "offer.shared_with[0]",
        ),
    ]);
    rows
}

/// B85, B86: lists and batches. Nothing of a batch is applied when one of it is wrong.
fn batches(on: &Ground) -> Vec<Row> {
    let with = |count: usize, change: &dyn Fn(&mut Vec<v1::Offer>)| {
        let mut items = on.items(count);
        change(&mut items);
        on.replace(items)
    };
    let ids = |count: usize| {
        let selection = v1::OfferSelection { ids: vec!["o".into(); count], ..Default::default() };
        Sent::Confirm(v1::ConfirmOffersRequest {
            request_id: fresh_request_id(),
            selection: Some(selection),
            ..Default::default()
        })
    };
    let labels = |count: usize| (0..count).map(|label| label.to_string()).collect::<Vec<_>>();
    let two_bad = Row {
        fields: vec!["items[3].site", "items[36].figures.staffed"],
        ..invalid(
            "B86 items 4 and 37 of 40",
            with(40, &|items| {
                items[36].figures.as_mut().unwrap().staffed = -1;
                items[3].site = "ZA101".into();
            }),
            INVALID,
            "",
        )
    };
    vec![
        invalid("B85 10,001 items", on.replace(vec![v1::Offer::default(); 10_001]), TOO_MANY, "items"),
        invalid("B85 1,001 ids", ids(1_001), TOO_MANY, "selection.ids"),
        invalid(
            "B85 51 capabilities",
            on.publish(|o| o.capabilities = labels(51)),
            TOO_MANY,
            "offer.capabilities",
        ),
        invalid("B85 51 requirements", on.raise(|n| n.requires = labels(51)), TOO_MANY, "need.requires"),
        invalid(
            "B85 the same key twice",
            with(3, &|items| items[2].source_key = items[0].source_key.clone()),
            DUPLICATE,
            "items[2].source_key",
        ),
        invalid("B85 no key", with(2, &|items| items[1].source_key.clear()), REQUIRED, "items[1].source_key"),
        invalid(
            "B86 item 37 of 40",
            with(40, &|items| items[36].figures.as_mut().unwrap().staffed = -1),
            OUT_OF_RANGE,
            "items[36].figures.staffed",
        ),
        two_bad,
        invalid(
            "an item of another site",
            with(2, &|items| items[1].site = "ZA302".into()),
            NOT_APPLICABLE,
            "items[1].site",
        ),
        invalid(
            "an item of another kind",
            with(2, &|items| items[1].resource = Some(resource(v1::ResourceKind::Equipment, "VENTILATOR"))),
            NOT_APPLICABLE,
            "items[1].resource.kind",
        ),
    ]
}

/// B87, B88, B90: numbers that are none, texts and ids. (Our client never sends a negative zero; whoever does is refused
/// where the need is parsed.)
fn texts(on: &Ground) -> Vec<Row> {
    let mut rows = Vec::new();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 100.1] {
        let risk = v1::Risk { value, source: "score".into(), at: None };
        rows.push(invalid("B87", on.raise(|n| n.risk = Some(risk)), OUT_OF_RANGE, "need.risk.value"));
    }
    let marks = format!("a{}", "\u{301}".repeat(10_000));
    let long = "n".repeat(141);
    for text in ["a\0b", "a\u{7}b", "a\u{202e}b", "a\u{200b}b", "a\u{feff}b", "a\nb", &marks, &long] {
        rows.push(invalid("B88 note", on.publish(|o| o.note = text.into()), BAD_TEXT, "offer.note"));
        rows.push(invalid("B88 note", on.raise(|n| n.note = text.into()), BAD_TEXT, "need.note"));
        rows.push(invalid("B88 case", on.raise(|n| n.case_ref = text.into()), BAD_TEXT, "need.case_ref"));
        rows.push(invalid(
            "B88 key",
            on.publish(|o| o.source_key = text.into()),
            BAD_TEXT,
            "offer.source_key",
        ));
    }
    rows.push(invalid(
        "B88 a capability",
        on.publish(|o| o.capabilities = vec!["isolation".into(), "a\0b".into()]),
        BAD_TEXT,
        "offer.capabilities[1]",
    ));
    let long = "o".repeat(65);
    for id in ["{r}:seal", "{r}:offer", "a b", "a\u{0}b", "a\u{202e}b", "a\tb", &long] {
        let offer: String = id.into();
        rows.push(invalid("B90 offer", Sent::GetOffer(v1::GetOfferRequest { offer }), BAD_ID, "offer"));
        rows.push(invalid("B90 need", Sent::GetNeed(v1::GetNeedRequest { need: id.into() }), BAD_ID, "need"));
    }
    rows.push(invalid("no id", Sent::GetOffer(v1::GetOfferRequest::default()), REQUIRED, "offer"));
    // Separators and escapes are characters like others: they name nothing.
    for id in ["|", "%00", "offer|1", "*", "../seal", "'"] {
        let offer: String = id.into();
        rows.push(refused("B90", Sent::GetOffer(v1::GetOfferRequest { offer }), Code::NotFound, NOT_FOUND));
    }
    rows
}

/// B91: pages.
fn pages(_: &Ground) -> Vec<Row> {
    let offers = |page_size, page_token: &str| {
        let page_token = page_token.into();
        Sent::ListOffers(v1::ListOffersRequest { page_size, page_token, ..Default::default() })
    };
    let needs = |page_size, page_token: &str| {
        let page_token = page_token.into();
        Sent::ListNeeds(v1::ListNeedsRequest { page_size, page_token, ..Default::default() })
    };
    let proposals = |page_size, page_token: &str| {
        let page_token = page_token.into();
        Sent::ListProposals(v1::ListProposalsRequest { page_size, page_token, filter: None })
    };
    let transfers = |page_size, page_token: &str| {
        let page_token = page_token.into();
        Sent::ListTransfers(v1::ListTransfersRequest { page_size, page_token, filter: None })
    };
    let mut rows = Vec::new();
    for size in [-1, 1_001, 10_001, i32::MIN, i32::MAX] {
        rows.push(invalid("B91 size", offers(size, ""), OUT_OF_RANGE, "page_size"));
        rows.push(invalid("B91 size", needs(size, ""), OUT_OF_RANGE, "page_size"));
        rows.push(invalid("B91 size", proposals(size, ""), OUT_OF_RANGE, "page_size"));
        rows.push(invalid("B91 size", transfers(size, ""), OUT_OF_RANGE, "page_size"));
    }
    for token in ["x", "0", "1.00", "1.000000000000000000000000", "18446744073709551616.0", "{r}:seal"] {
        rows.push(invalid("B91 token", offers(0, token), BAD_PAGE_TOKEN, "page_token"));
        rows.push(invalid("B91 token", needs(0, token), BAD_PAGE_TOKEN, "page_token"));
        rows.push(invalid("B91 token", proposals(0, token), BAD_PAGE_TOKEN, "page_token"));
        rows.push(invalid("B91 token", transfers(0, token), BAD_PAGE_TOKEN, "page_token"));
    }
    rows
}

/// Everything that is wrong is said at once.
fn whole(on: &Ground) -> Vec<Row> {
    let server = |what, sent, field| invalid(what, sent, SERVER_FIELD, field);
    let everything = |sent, fields| Row { fields, ..invalid("all violations at once", sent, INVALID, "") };
    let Sent::Publish(mut publish) = on.publish(|offer| {
        offer.site = "ZA101".into();
        offer.resource.as_mut().unwrap().kind = 99;
        offer.figures = Some(v1::Figures { staffed: -1, held: 1, ..Default::default() });
        offer.window = None;
        offer.cadence = None;
        offer.note = "a\0b".into();
    }) else {
        unreachable!()
    };
    publish.request_id = "7".into();
    publish.expected_revision = Some(0);
    let Sent::Raise(mut raise) = on.raise(|need| {
        need.site = "ZA101".into();
        need.resource = None;
        need.units = -1;
        need.priority = 99;
        need.requires = vec![String::new()];
        need.imd_decile = 11;
        need.state = 1;
    }) else {
        unreachable!()
    };
    raise.request_id.clear();
    let suspend = v1::SuspendOffersRequest { request_id: "7".into(), ..Default::default() };
    vec![
        server("an id of its own", on.publish(|o| o.id = "o-1".into()), "offer.id"),
        server("a state", on.publish(|o| o.state = 1), "offer.state"),
        server("held units", on.figures(|f| f.held = 1), "offer.figures.held"),
        server("free units", on.figures(|f| f.free = 1), "offer.figures.free"),
        server("an adjustment", on.publish(|o| o.source = v1::Source::Adjustment.into()), "offer.source"),
        server("an id of its own", on.raise(|n| n.id = "n-1".into()), "need.id"),
        server("committed units", on.raise(|n| n.units_committed = 1), "need.units_committed"),
        everything(
            Sent::Publish(publish),
            vec![
                "offer.figures.held",
                "offer.site",
                "offer.resource.kind",
                "offer.figures.staffed",
                "offer.window",
                "offer.cadence",
                "offer.note",
                "request_id",
                "expected_revision",
            ],
        ),
        everything(
            Sent::Raise(raise),
            vec![
                "need.state",
                "need.site",
                "need.resource",
                "need.units",
                "need.priority",
                "need.requires[0]",
                "need.imd_decile",
                "request_id",
            ],
        ),
        everything(Sent::Suspend(suspend), vec!["until", "reason", "selection", "request_id"]),
    ]
}
