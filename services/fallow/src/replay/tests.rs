//! A log as a file: read back as it was written, and what is no log named by its line.

use std::fs;

use fallow_ledger::{Change, Revision, Versioned};

use super::file::{Reader, Start, Writer};
use super::{ReplayArgs, ReplayError, replayed};

fn change(revision: u64, writes: &[(&str, Option<&str>)], cause: &str) -> Change {
    let write = |(key, body): &(&str, Option<&str>)| {
        (key.parse().unwrap(), body.map(|body| body.as_bytes().to_vec().into()))
    };
    Change {
        revision: Revision(revision),
        writes: writes.iter().map(write).collect(),
        cause: cause.as_bytes().to_vec().into(),
    }
}

#[test]
fn a_log_is_read_back_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let body = br#"{"v":1,"r":{"holder":"o-1"}}"#.to_vec();
    let start = Start {
        revision: Revision(7),
        records: vec![Versioned {
            key: "claim/a b/{c}".parse().unwrap(),
            revision: Revision(3),
            body: body.into(),
        }],
    };
    let changes = [
        change(8, &[("claim/a", Some(r#"{"r":{"holder":"o-2"},"v":1}"#)), ("need/n", None)], "{}"),
        change(9, &[], "{}"),
    ];
    let mut writer = Writer::create(&path, &start).unwrap();
    changes.iter().for_each(|change| writer.change(change).unwrap());
    writer.finish().unwrap();
    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(reader.start().revision, Revision(7));
    assert_eq!(reader.start().records.len(), 1);
    let read: Vec<Change> = std::iter::from_fn(|| reader.next_change().unwrap()).collect();
    assert_eq!(read, changes);
}

#[tokio::test]
async fn what_is_no_log_is_named_by_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let args = ReplayArgs {
        log: Some(path.clone()),
        config: None,
        from: None,
        to: None,
        speed: None,
        policy: None,
        diff: false,
        save: None,
        json: false,
    };
    let head = "{\"fallow_log\":1,\"revision\":0}\n";
    for (text, wrong) in [
        ("".to_owned(), "log.jsonl:1: is no line of a log"),
        ("{\"fallow_log\":2,\"revision\":0}\n".to_owned(), "log.jsonl:1: is a log of version 2"),
        (format!("{head}nonsense\n"), "log.jsonl:2: is no line of a log"),
        (
            format!("{head}{{\"revision\":1,\"cause\":{{}},\"writes\":{{\"bed/1\":null}}}}\n"),
            "log.jsonl:2: \"bed/1\" is not",
        ),
        (
            format!("{head}{{\"revision\":3,\"cause\":{{}},\"writes\":{{}}}}\n"),
            "revision 3 comes where 1 must",
        ),
        (
            format!(
                "{head}{{\"revision\":1,\"cause\":{{}},\"writes\":{{\"need/n\":{{\"v\":1,\"r\":3}}}}}}\n"
            ),
            "revision 1, need/n: the need record cannot be read",
        ),
    ] {
        fs::write(&path, &text).unwrap();
        let error = replayed(&args).await.err().unwrap().to_string();
        assert!(error.contains(wrong), "{text}\n{error}");
    }
    fs::write(&path, format!("{head}{{\"revision\":1,\"cause\":{{}},\"writes\":{{}}}}\n")).unwrap();
    let report = replayed(&args).await.unwrap();
    assert!(!report.has_diverged());
    assert!(report.text(false).ends_with("nothing was compared\n"));
    fs::write(folder.path().join("policy.toml"), "").unwrap();
    let other = ReplayArgs { policy: Some(folder.path().join("policy.toml")), ..args };
    let error = replayed(&other).await.err().unwrap();
    assert!(matches!(&error, ReplayError::Usage(text) if text.contains("no region")), "{error}");
}
