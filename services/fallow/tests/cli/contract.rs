//! The contract of the command line, row by row: each line that people were promised can be typed, each option is where it
//! was said to be, and each exit code is its number. What is otherwise than was first written has its reason here.

use clap::{CommandFactory, Parser};
use fallow::cli::Exit;
use fallow::root::Root;
use fallow_api::v1::{ListOffersRequest, ListOffersResponse};
use tonic::{Code, Status};

use crate::world::{World, words};

/// Lines of the contract, by what they are for. The long form stands before its short one.
const LINES: &[(&str, &[&str])] = &[
    (
        "publish",
        &[
            "capacity publish --site ZA401 --resource bed/cc_adult/2 --count 2 --until 20:00",
            "free 2 level2 --until 20:00",
        ],
    ),
    ("adjust", &["capacity adjust 0198c2 --by -1", "take 1 level2"]),
    ("reconfirm", &["capacity confirm --all", "still-true", "still-true level2"]),
    (
        "whole state",
        &[
            "capacity apply -f state.csv --replace",
            "capacity apply -f state.csv --replace --dry-run",
            "capacity apply --file dunmere.csv --replace --dry-run",
        ],
    ),
    ("withdraw", &["capacity withdraw 0198c2 --reason STAFFING"]),
    (
        "suspend, reserve",
        &[
            "capacity suspend bed/cc_adult/2 --until 22:00 --reason norovirus",
            "capacity resume bed/cc_adult/2",
            "capacity reserve set bed/cc_adult/2 1",
        ],
    ),
    (
        "list, history",
        &[
            "capacity list",
            "capacity list -w",
            "capacity list --watch",
            "capacity list --stale",
            "capacity show 0198c2",
            "capacity history 0198c2",
            "mine",
        ],
    ),
    (
        "raise",
        &[
            "demand raise --resource bed/cc_adult/3 --count 1 --needed-by 16:00 --priority P1A --need isolation --ref LC-118",
            "need 1 level3 --by 16:00",
        ],
    ),
    (
        "amend, cancel",
        &["demand amend LC-120 --needed-by +2h", "demand withdraw LC-120 --reason TREATED_ELSEWHERE"],
    ),
    (
        "wait",
        &[
            "demand wait LC-118 --for proposed --timeout 30m",
            "demand wait LC-118 --for agreed",
            "demand wait LC-118 --for met",
        ],
    ),
    ("inbox", &["proposal list --waiting-for-me", "proposal list --waiting-for-me -w", "inbox", "inbox -w"]),
    (
        "accept, decline",
        &[
            "proposal accept 0198c2",
            "proposal accept 0198c2 --units 1",
            "proposal accept 0198c2 --provisional",
            "proposal decline 0198c2 --reason STAFFING --set-free 0",
            "accept 0198c2 --units 1",
            "decline 0198c2 --reason staffing",
        ],
    ),
    ("explain", &["proposal explain 0198c2", "why 0198c2"]),
    ("why not", &["demand explain LC-120 --trust ZA5", "demand explain LC-120", "why-not LC-120"]),
    (
        "transfers",
        &[
            "transfer list",
            "transfer list -w",
            "transfer show 0198d4",
            "transfer advance 0198d4 --to in_transit",
            "transfer abort 0198d4 --reason NOT_FIT",
            "demand resolve-outside LC-120",
        ],
    ),
    (
        "watch",
        &[
            "watch",
            "watch --region north-vale",
            "watch --kinds proposal,alert",
            "watch --kinds proposal --since TOKEN",
        ],
    ),
    ("board", &["board"]),
    (
        "sitrep",
        &[
            "sitrep",
            "sitrep --at 08:00",
            "sitrep -o md",
            "sitrep -o html",
            "sitrep -o csv",
            "sitrep -o xlsx",
            "sitrep -o json",
            "sitrep --sign-off \"duty director\"",
        ],
    ),
    (
        "gold",
        &[
            "bypass 0198c2 --reason snow",
            "mode incident on --reason norovirus",
            "report equity",
            "report fairness",
            "report unmet",
            "report declines",
        ],
    ),
    (
        "import",
        &[
            "import capacity sheet.xlsx --map theatreman.toml --dry-run",
            "import capacity sheet.xlsx --errors-to bad.xlsx",
            "import template theatre",
            "import fhir requests.json --dry-run",
        ],
    ),
    (
        "export",
        &[
            "export have",
            "export have --at 08:00",
            "export fhir",
            "export fhir --at 08:00",
            "export csv",
            "export csv --at 08:00",
            "export xlsx",
            "export xlsx --at 08:00",
        ],
    ),
    (
        "simulate",
        &[
            "simulate -f scenario.toml",
            "simulate -f scenario.toml --base live",
            "simulate -f scenario.toml --base tuesday/",
        ],
    ),
    (
        "replay",
        &[
            "replay --log tuesday.jsonl --from 2026-11-24T08:00:00Z --to 2026-11-24T12:00:00Z --speed 60x --policy new.toml \
             --diff",
        ],
    ),
    ("dev", &["dev", "dev --scenario winter-tuesday --speed 60x --redis redis://127.0.0.1:6379"]),
    ("doctor", &["doctor", "doctor --probe", "doctor --bundle out.zip", "doctor -o json"]),
    (
        "contexts, auth",
        &[
            "context add prod --endpoint https://fallow.nv.example:443",
            "context use prod",
            "context list",
            "context show",
            "context rm prod",
            "auth login",
            "auth logout",
            "auth whoami",
        ],
    ),
    ("feeds", &["feed list", "feed show ZA2", "feed tail ZA2"]),
    (
        "hygiene",
        &[
            "ping",
            "errors",
            "errors STORE_LAGGING",
            "cheat",
            "cheat sheets",
            "completion bash",
            "completion zsh",
            "completion fish",
            "completion powershell",
            "man",
            "man capacity publish",
            "schema",
            "schema offer",
            "version",
            "version --all",
            "ledger status",
            "ledger verify",
            "ledger open",
            "ledger rebuild --from /srv/fallow/archive --by ops --reason fire",
            "audit verify /srv/fallow/archive",
            "audit export /srv/fallow/archive",
            "audit prove /srv/fallow/archive --trust ZA1",
            "audit check za1.proofs --key archive-key.pub.pem",
        ],
    ),
    (
        "what other texts tell people to type",
        &[
            "why-not LC-120",
            "capacity ask ZA5",
            "demand amend LC-120 --max-travel 60m",
            "feed show ZA2",
            "match --region region.toml --offers offers.jsonl --needs needs.jsonl --at 2026-11-24T08:00:00Z --out plan.jsonl \
             --explain --stats --certify --theatre-seconds 5 --seed 1",
        ],
    ),
    (
        "options of every command",
        &[
            "mine -o table",
            "mine -o wide",
            "mine -o json",
            "mine -o jsonl",
            "mine -o csv",
            "mine -o md",
            "mine -o id",
            "mine --output json",
            "mine --columns id,free",
            "mine -q",
            "mine --quiet",
            "mine --color auto",
            "mine --color always",
            "mine --color never",
            "mine --ascii",
            "mine --no-input",
            "mine --yes",
            "mine --context prod",
            "mine --endpoint http://127.0.0.1:7431",
            "mine --token-file /run/fallow.token",
        ],
    ),
    (
        "times",
        &[
            "free 2 level2 --until 18:00",
            "free 2 level2 --until +4h",
            "free 2 level2 --until \"tomorrow 08:00\"",
            "free 2 level2 --until 2026-11-24T18:00:00Z",
            "timeline --from -4h --until -30m",
            "audit mine --from -4h --until -30m",
            "report unmet --from -7d --until -1d",
            "trend needs_open --from -14d --until -1h",
            "sitrep --at -30m",
            "export have --at -30m",
            "capacity opel 3 --declared-at -2h",
        ],
    ),
];

/// What the contract first had otherwise, and what holds. A line of these must not be taken for what it is not.
const OTHERWISE: &[(&str, &str)] = &[
    (
        "proposal accept 0198c2 --provisional 15m",
        "a provisional yes extends the hold by the policy's own time, by the words of the API: it takes no time of its own",
    ),
    (
        "replay --seed 1 --log x.jsonl",
        "a log has the seed of what it replays: another would be another history",
    ),
];

/// Commands that change nothing for others, or whose change is made elsewhere, and so have no dry run.
const WITHOUT_DRY_RUN: &[&str] = &[
    "export csv",
    "export fhir",
    "export have",
    "export xlsx",
    "import template",
    "feed list",
    "feed show",
    "feed tail",
    "alert list",
    "alert watch",
    "action list",
    "action show",
    "auth login",
    "auth logout",
    "auth whoami",
    "campaign list",
    "campaign show",
    "capacity history",
    "capacity list",
    "capacity show",
    "cohort list",
    "context add",
    "context list",
    "context rm",
    "context show",
    "context use",
    "demand explain",
    "demand history",
    "demand list",
    "demand show",
    "demand wait",
    "proposal explain",
    "proposal list",
    "region show",
    "transfer history",
    "transfer list",
    "transfer show",
    // Commands of one word.
    "board",
    "cheat",
    "completion",
    "doctor",
    "errors",
    "inbox",
    "man",
    "mine",
    "ping",
    "report",
    "returns",
    "schema",
    "simulate",
    "situation",
    "timeline",
    "trend",
    "version",
    "watch",
    "why",
    "why-not",
    // What runs servers, and what an operator does at the store and its archive, which asks in its own way.
    "archive keygen",
    "audit check",
    "audit export",
    "audit mine",
    "audit prove",
    "audit receipt",
    "audit verify",
    "dev",
    "dev-ca",
    "healthcheck",
    "ledger deploy",
    "ledger open",
    "ledger rebuild",
    "ledger status",
    "ledger users",
    "ledger verify",
    "match",
    "replay",
    "serve",
    "token issue",
    "token keygen",
];

fn parse(line: &str) -> Result<Root, String> {
    Root::try_parse_from(words(&format!("fallow {line}"))).map_err(|error| error.to_string())
}

#[test]
fn every_line_of_the_contract_can_be_typed() {
    let typed = LINES.iter().flat_map(|(intent, lines)| lines.iter().map(move |line| (intent, line)));
    let wrong: Vec<String> = typed
        .filter_map(|(intent, line)| parse(line).err().map(|said| format!("{intent}: {line}: {said}")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (line, why) in OTHERWISE {
        assert!(parse(line).is_err() && !why.is_empty(), "{line}");
    }
}

/// Every command that can be typed, with its words.
fn commands() -> Vec<(String, clap::Command)> {
    let mut root = Root::command();
    root.build();
    let mut rest: Vec<(String, clap::Command)> =
        root.get_subcommands().map(|command| (command.get_name().to_owned(), command.clone())).collect();
    let mut all = Vec::new();
    while let Some((name, command)) = rest.pop() {
        let below: Vec<_> =
            command.get_subcommands().filter(|one| one.get_name() != "help").cloned().collect();
        if command.get_name() == "help" {
            continue;
        }
        if below.is_empty() {
            all.push((name, command));
            continue;
        }
        rest.extend(below.into_iter().map(|one| (format!("{name} {}", one.get_name()), one)));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn has(command: &clap::Command, long: &str) -> bool {
    command.get_arguments().any(|arg| arg.get_long() == Some(long))
}

#[test]
fn every_change_can_be_tried_first_and_sent_again() {
    let mut wrong = Vec::new();
    for (name, command) in commands() {
        let is_apart = WITHOUT_DRY_RUN.contains(&name.as_str());
        if has(&command, "dry-run") == is_apart {
            wrong.push(format!("{name}: dry run {}, listed as without {is_apart}", !is_apart));
        }
        // A sheet is many changes, each with an id of its own.
        let is_sheet = name.starts_with("import ") || name == "capacity apply";
        if has(&command, "dry-run") && !is_sheet && !has(&command, "request-id") {
            wrong.push(format!("{name}: no --request-id"));
        }
        if has(&command, "if-revision") && !has(&command, "dry-run") {
            wrong.push(format!("{name}: --if-revision without a dry run"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_list_can_be_watched() {
    /// Lists that cannot, and why.
    const STILL: &[(&str, &str)] = &[("context list", "contexts are a file of one's own")];
    let lists = commands().into_iter().filter(|(name, _)| name.ends_with(" list"));
    let still: Vec<String> =
        lists.filter(|(_, command)| !has(command, "watch")).map(|(name, _)| name).collect();
    assert_eq!(still, STILL.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    assert!(STILL.iter().all(|(_, why)| !why.is_empty()));
}

/// Examples come first: most people read no further.
#[test]
fn every_command_shows_an_example_or_takes_nothing() {
    let silent: Vec<String> = commands()
        .into_iter()
        .filter(|(_, command)| {
            let help = command.clone().render_long_help().to_string();
            let takes =
                |arg: &clap::Arg| !arg.is_global_set() && arg.get_id() != "help" && arg.get_id() != "version";
            let takes = command.get_arguments().any(takes);
            (takes || help.contains("Examples:")) && !help.starts_with("Example")
        })
        .map(|(name, _)| name)
        .collect();
    assert_eq!(silent, Vec::<String>::new());
}

/// Exit codes by lines that end with them. What ends with 8, 9 and 130 does so in the tests of the process.
#[tokio::test]
async fn exit_codes_come_of_lines() {
    let world = World::new().await;
    let mine = "mine --deadline 1s";
    for (line, lists, exit) in [
        (mine, Code::Ok, 0),
        (mine, Code::Internal, 1),
        ("free 2 leval2 --until 20:00", Code::Ok, 2),
        ("errors NO_SUCH_REASON_AT_ALL", Code::Ok, 3),
        (mine, Code::Aborted, 4),
        (mine, Code::PermissionDenied, 5),
        (mine, Code::Unavailable, 6),
        (mine, Code::DeadlineExceeded, 7),
    ] {
        world.script.on("CapacityService/ListOffers", move |_: ListOffersRequest| {
            if lists == Code::Ok {
                return Ok(ListOffersResponse::default());
            }
            Err(Status::new(lists, "as it is scripted"))
        });
        let told = world.run(line).await;
        assert_eq!(told.exit, exit, "{line}: {}", told.err);
    }
    assert_eq!(Exit::Interrupted.code(), 130);
}

#[test]
fn a_mistyped_command_option_or_code_is_guessed() {
    for (line, guess) in [
        ("inbx", "inbox"),
        ("capacity publsh", "publish"),
        ("mine --colums id", "--columns"),
        ("mine -o jsn", "json"),
        ("decline 0198c2 --reason stafing", "STAFFING"),
        ("free 2 leval2 --until 20:00", "level2"),
        ("watch --kinds propsal", "proposal"),
    ] {
        let said = parse(line).unwrap_err();
        assert!(said.contains(guess), "{line}: {said}");
    }
}
