//! `margay keys`.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Running, Site, command};

#[tokio::test]
async fn keys_are_reported_on_the_output_in_a_file_or_nowhere() {
    let site = Site::start().await;
    site.redis_says(&["SET", "t:lock:a", "1616000000.0"]).await;
    site.redis_says(&["RPUSH", "list", "a", "b"]).await;
    let scan = async |flags: &[&str]| site.margay(&[&["keys", "scan"], flags].concat()).await;

    let silent = scan(&[]).await;
    assert_eq!((silent.code, silent.stdout.as_str()), (0, ""));
    assert_eq!(silent.stderr, "2 keys seen, 0 changed\n");
    let lock = "t:lock:a string -1 - 12\n";
    assert_eq!(scan(&["--print", "--match", "t:*"]).await.ok(), lock);
    assert_eq!(scan(&["--file", "keys.log", "--match", "t:*"]).await.ok(), "");
    assert_eq!(std::fs::read_to_string(site.path("keys.log")).expect("a file"), lock);
    let line: Value = scan(&["--json", "--match", "list"]).await.json();
    assert_eq!(line, json!({ "name": "list", "type": "list", "ttl": -1, "new_ttl": null, "size": 2 }));
}

/// A line's name and new TTL; the old one may have become smaller.
fn without_ttl(line: &str) -> String {
    let parts: Vec<&str> = line.split(' ').collect();
    format!("{} {}", parts[0], parts[3])
}

#[tokio::test]
async fn expiries_are_set_and_removed_as_tasktigers_script_does() {
    let site = Site::start().await;
    site.redis_says(&["SET", "t:lock:a", "1"]).await;
    site.redis_says(&["SET", "t:lock:b", "1", "EX", "5000"]).await;
    site.redis_says(&["SET", "other", "1"]).await;
    let scan = async |flags: &[&str]| {
        let arguments = [&["keys", "scan", "--match", "t:lock:*", "--print"], flags].concat();
        let answer = site.margay(&arguments).await;
        let summary = answer.stderr.clone();
        let mut lines: Vec<String> = answer.ok().lines().map(without_ttl).collect();
        lines.sort();
        (lines, summary)
    };
    let lines = |a: &str, b: &str| vec![format!("t:lock:a {a}"), format!("t:lock:b {b}")];
    let would = scan(&["--ttl", "300", "--dry-run"]).await;
    assert_eq!(would, (lines("300", "-"), "2 keys seen, 1 would change\n".to_owned()));
    assert_eq!(site.redis_says(&["TTL", "t:lock:a"]).await, ["-1"]);
    let given = scan(&["--ttl", "5m"]).await;
    assert_eq!(given, (lines("300", "-"), "2 keys seen, 1 changed\n".to_owned()));
    assert_ne!(site.redis_says(&["TTL", "t:lock:a"]).await, ["-1"]);
    let removed = scan(&["--ttl", "-1"]).await;
    assert_eq!(removed, (lines("-1", "-1"), "2 keys seen, 2 changed\n".to_owned()));
    let again = scan(&["--ttl", "none"]).await;
    assert_eq!(again, (lines("-", "-"), "2 keys seen, 0 changed\n".to_owned()));
    assert_eq!(site.redis_says(&["TTL", "other"]).await, ["-1"]);
}

#[tokio::test]
async fn names_that_are_no_text_are_escaped() {
    let site = Site::start().await;
    let set = r"return redis.call('SET', '\255\0 \n', 1)";
    site.redis_says(&["EVAL", set, "0"]).await;
    assert_eq!(site.margay(&["keys", "scan", "--print"]).await.ok(), "\\xff\\x00 \\n string -1 - 1\n");
    let line = site.margay(&["keys", "scan", "--json"]).await.json();
    assert_eq!((&line["name"], &line["escaped"]), (&json!("\\xff\\x00 \\n"), &json!(true)));
}

#[tokio::test]
async fn a_walk_can_be_stopped_between_two_steps() {
    let site = Site::start().await;
    let fill = "for n = 1, 5000 do redis.call('SET', 'key:' .. n, n) end";
    site.redis_says(&["EVAL", fill, "0"]).await;
    for signal in [Signal::INT, Signal::TERM] {
        let mut scan = command(&site.path("."), &["keys", "scan", "--print", "--delay", "3600"]);
        scan.env("MARGAY_REDIS", site.redis.url());
        let mut scan = Running::start(scan);
        scan.says("key:").await;
        scan.signal(signal);
        assert_eq!(scan.exit().await, 1, "{}", scan.log());
        scan.says("stopped: ").await;
    }
}

#[tokio::test]
async fn wrong_use_is_refused_before_anything_is_changed() {
    let site = Site::start().await;
    site.redis_says(&["SET", "t:lock:a", "1"]).await;
    let cases: &[(&[&str], &str)] = &[
        (&["--ttl", "300"], "--match <GLOB>"),
        (&["--ttl", "none"], "--match <GLOB>"),
        (&["--match", "*", "--ttl", "0"], "`0` is too short"),
        (&["--match", "*", "--ttl", "-2"], "`-2` is not"),
        (&["--match", "*", "--ttl", "soon"], "`soon` is not a duration"),
        (&["--delay", "never"], "`never` is not a duration"),
        (&["--match", "*", "--ttl", "1", "--file", "no/such/folder"], "cannot write `no/such/folder`"),
    ];
    for (flags, needle) in cases {
        let answer = site.margay(&[&["keys", "scan"], *flags].concat()).await;
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{flags:?} said {}", answer.stderr);
        assert!(answer.stderr.contains(needle), "{flags:?} said {}", answer.stderr);
    }
    assert_eq!(site.redis_says(&["TTL", "t:lock:a"]).await, ["-1"]);
}
