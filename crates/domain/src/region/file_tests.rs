use super::*;

const SMALL: &str = r#"
    [region]
    id = "Y99"
    name = "Small"
    resources = { STAFF = ["ODP"] }
    [[trust]]
    ods = "AAA"
    name = "A"
    opel = 2
    reserve = { "BED/CC_ADULT/3" = 1, "STAFF/ODP" = 2 }
    [[trust]]
    ods = "BBB"
    name = "B"
    successor = "AAA"
    [[site]]
    code = "AAA01"
    trust = "AAA"
    name = "A main"
    lat = 53.0
    lon = -2.0
    kind = "HOSPITAL"
    [[site]]
    code = "BBB01"
    trust = "BBB"
    name = "B main"
    lat = 53.0
    lon = -2.1
    kind = "SURGICAL_HUB"
    phone = "0555 0101"
    [[collaborative]]
    id = "ab"
    name = "A and B"
    kind = "ACUTE"
    members = ["AAA", "BBB"]
    lead = "AAA"
    shares = ["BED"]
    [[travel]]
    from = "AAA01"
    to = "BBB01"
    minutes = 41
"#;

fn problems(text: &str) -> Vec<String> {
    parse(text).unwrap_err().problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_whole_file_is_read() {
    let region = parse(SMALL).unwrap();
    let (a, b) = ("AAA01".parse().unwrap(), "BBB01".parse().unwrap());
    assert_eq!(region.travel_minutes(a, b), Some(41));
    assert_eq!(
        region.travel_minutes(b, a),
        Some(41),
        "a measured time holds both ways unless both are given"
    );
    assert_eq!(region.travel_minutes(a, a), Some(5));
    assert_eq!(region.joining("AAA".parse().unwrap(), "BBB".parse().unwrap()).count(), 1);
    assert!(region.knows_code(ResourceKind::Staff, "ODP") && !region.knows_code(ResourceKind::Staff, "CHEF"));
}

#[test]
fn every_problem_is_named_at_once() {
    let text = SMALL
        .replace("opel = 2", "opel = 5")
        .replace("\"STAFF/ODP\" = 2", "\"THEATRE/MAIN\" = 2, \"BED/CC_ADULT\" = 1, \"BED/SOFA\" = 1")
        .replace("minutes = 41", "minutes = 4100")
        .replace("lat = 53.0\n    lon = -2.1", "lat = 530.0\n    lon = -2.1")
        .replace("lead = \"AAA\"", "lead = \"CCC\"");
    let found = problems(&text).join("\n");
    for expected in [
        "opel",
        "THEATRE/MAIN",
        "needs its level",
        "no code SOFA",
        "at most 1440",
        "site BBB01: lat",
        "trust CCC",
    ] {
        assert!(found.contains(expected), "{expected} in\n{found}");
    }
}

#[test]
fn two_collaboratives_of_one_id_join_only_their_own_members() {
    let text = format!(
        "{SMALL}\n[[trust]]\nods = \"CCC\"\nname = \"C\"\n[[collaborative]]\nid = \"ab\"\nname = \"B and C\"\n\
         kind = \"ACUTE\"\nmembers = [\"BBB\", \"CCC\"]\nshares = [\"BED\"]\n"
    );
    let region = parse(&text).unwrap();
    let joining = |a: &str, b: &str| region.joining(a.parse().unwrap(), b.parse().unwrap()).count();
    assert_eq!((joining("AAA", "BBB"), joining("BBB", "CCC"), joining("AAA", "CCC")), (1, 1, 0));
}

#[test]
fn a_policy_is_read_by_itself() {
    let region = parse(SMALL).unwrap();
    for text in ["[policy]\nfair_step = 7\n", "fair_step = 7\n"] {
        assert_eq!(parse_policy(text, &region).unwrap().fair_step, 7, "{text}");
    }
    for (text, wrong) in [
        ("fair_stop = 7", "fair_stop"),
        ("[policy]\nfair_stop = 7", "fair_stop"),
        ("[policy]\n[region]\nid = \"Y62\"", "region"),
        ("opel_limit = 9", "policy: opel_limit: must be 1 to 5, is 9"),
        (
            "[[standing_agreement]]\nid = \"a\"\ntrust = \"CCC\"\nuntil = \"2027-01-01T00:00:00Z\"",
            "trust CCC is not in this file",
        ),
    ] {
        let error = parse_policy(text, &region).unwrap_err().to_string();
        assert!(error.contains(wrong), "{error}");
    }
}

#[test]
fn a_rule_that_nobody_can_fulfil_is_named() {
    let without_lead = SMALL.replace("lead = \"AAA\"\n", "\n");
    let found = |file: &str, rule: &str| -> Vec<String> {
        let file = file.replacen("[[trust]]", &format!("{rule}\n[[trust]]"), 1);
        approvals_of_nobody(&parse(&file).unwrap()).iter().map(ToString::to_string).collect()
    };
    let of = |role: &str, kinds: &str| format!("[[policy.approval]]\nkinds = {kinds}\nrole = \"{role}\"");
    let in_incident = |role: &str| format!("[[policy.incident.approval]]\nrole = \"{role}\"");
    for fine in [of("icb", "[]"), of("lead_provider", "[]"), in_incident("gold"), in_incident("icb")] {
        assert_eq!(found(SMALL, &fine), [""; 0], "{fine}");
    }
    assert_eq!(found(&without_lead, &of("lead_provider", "[\"STAFF\"]")), [""; 0], "it shares no staff");
    for kinds in ["[]", "[\"BED\"]"] {
        let named = found(&without_lead, &of("lead_provider", kinds));
        assert_eq!(named, ["policy: approval: collaborative ab has no lead who could approve"]);
    }
    // Whoever leads another collaborative of the same two trusts can approve between them.
    let and = |shares: &str, lead: &str| {
        format!(
            "{without_lead}\n[[collaborative]]\nid = \"other\"\nname = \"Other\"\nkind = \"ACUTE\"\n\
             members = [\"AAA\", \"BBB\"]\n{lead}shares = [\"{shares}\"]\n"
        )
    };
    let led = and("DIAGNOSTIC", "lead = \"BBB\"\n");
    assert_eq!(found(&led, &of("lead_provider", "[]")), [""; 0]);
    // A theatre is proposed with a team, whose approval is its trusts' lead's to give.
    let theatres = and("THEATRE", "");
    let named = found(&theatres, &of("lead_provider", "[\"STAFF\"]"));
    assert_eq!(named, ["policy: approval: collaborative other has no lead who could approve"]);
    assert!(
        found(SMALL, &of("gold", "[]"))[0].starts_with("policy: approval: gold approves in an incident only")
    );
    assert!(found(SMALL, &of("bed_manager", "[]"))[0].contains("role must be icb, lead_provider or"));
    assert!(
        found(SMALL, &in_incident("engine"))[0].starts_with("policy: incident: approval: role must be icb")
    );
}

#[test]
fn unknown_keys_and_duplicates_are_errors() {
    assert!(problems(&SMALL.replace("opel = 2", "opal = 2"))[0].contains("opal"));
    let twice = format!("{SMALL}\n[[trust]]\nods = \"AAA\"\nname = \"A again\"\n");
    assert_eq!(problems(&twice), ["trust AAA: stands twice in this file"]);
}
