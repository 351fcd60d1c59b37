//! What the commands print.

use serde_json::{Value, json};
use test_support::guest;

use crate::harness::{PROBE, Site, call};

#[tokio::test]
async fn every_command_explains_itself() {
    let site = Site::start().await;
    let commands = [
        "",
        "dev",
        "worker",
        "new",
        "build",
        "run",
        "deploy",
        "modules",
        "modules list",
        "modules show",
        "enqueue",
        "tasks",
        "tasks list",
        "tasks show",
        "tasks cancel",
        "tasks reschedule",
        "tasks retry",
        "tasks delete",
        "tasks purge",
        "queues",
        "queues list",
        "keys",
        "keys scan",
        "migrate",
        "migrate tasktiger-locks",
        "migrate executions-count",
        "completions",
    ];
    for command in commands {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let help = site.margay(&arguments).await.ok();
        assert!(help.contains("Usage: margay"), "`{command}` says {help:?}");
    }
}

#[tokio::test]
async fn completions_are_printed_for_a_shell() {
    let site = Site::start().await;
    let completions = site.margay(&["completions", "bash"]).await.ok();
    assert!(completions.contains("margay__"), "{completions}");
}

#[tokio::test]
async fn deployed_modules_are_shown_as_json() {
    let site = Site::start().await;
    let component = guest(PROBE);
    let component = component.to_str().expect("a path that is text");
    let deployed = site.margay(&["deploy", component, "--json"]).await.json();
    assert_eq!((&deployed["version"], &deployed["new"]), (&json!(1), &json!(true)));
    let again = site.margay(&["deploy", component, "--json"]).await.json();
    assert_eq!((&again["version"], &again["new"]), (&json!(1), &json!(false)));

    let modules = site.margay(&["modules", "list", "--json"]).await.json();
    assert_eq!(modules[0]["module"], "probe");
    assert_eq!(modules[0]["current"]["digest"], deployed["digest"]);
    let shown = site.margay(&["modules", "show", "probe", "--json"]).await.json();
    let functions = shown["current"]["functions"].as_array().expect("a list");
    assert!(functions.iter().any(|function| function["name"] == "echo"), "{shown}");
    assert_eq!(shown["versions"].as_array().map(Vec::len), Some(1));
    let table = site.margay(&["modules", "list"]).await.ok();
    assert!(table.contains("probe") && table.contains("echo"), "{table}");
}

#[tokio::test]
async fn tasks_and_queues_are_shown_as_json() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let lines = r#"{"func":"probe:fail","args":[{"kind":"smtp","retry":"never"}],"queue":"mail"}
{"func":"probe:noop","queue":"mail.later","in":"1h"}
"#;
    site.write("tasks.jsonl", lines);
    let ids = site.margay(&["enqueue", "--bulk", "tasks.jsonl", "--json"]).await.json();
    let id = |n: usize| ids[n].as_str().expect("an id").to_owned();
    let mut worker = site.worker(&[]).await;
    worker.says_of(&id(0), "failed").await;
    worker.stop().await;

    let queues = site.margay(&["queues", "list", "--json"]).await.json();
    assert_eq!((&queues["mail"]["error"], &queues["mail.later"]["scheduled"]), (&json!(1), &json!(1)));
    let listed = site.margay(&["tasks", "list", "mail", "--state", "error", "--json"]).await.json();
    assert_eq!((&listed[0]["state"], &listed[0]["total"]), (&json!("error"), &json!(1)));
    assert_eq!(listed[0]["tasks"][0]["task"]["func"], "probe:fail");
    let shown = site.margay(&["tasks", "show", &id(0), "--json"]).await.json();
    assert_eq!(shown["places"][0]["queue"], "mail");
    assert_eq!(shown["places"][0]["executions"][0]["exception_name"], "smtp");
    for word in ["smtp", "as asked", "probe:fail"] {
        let text = site.margay(&["tasks", "show", &id(0)]).await.ok();
        assert!(text.contains(word), "{text}");
    }

    let retried = site.margay(&["tasks", "retry", &id(0), "--json"]).await.json();
    assert_eq!(retried[0]["done"], true);
    for n in 0..2 {
        site.margay(&["tasks", "delete", &id(n)]).await.ok();
    }
    site.is_empty().await;
}

#[tokio::test]
async fn many_tasks_are_enqueued_from_lines_and_waited_for_in_order() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let worker = site.worker(&[]).await;
    let line = |n: u32| json!({ "func": "probe:echo", "args": [n] }).to_string() + "\n";
    site.write("tasks.jsonl", (0..500).map(line).collect::<String>());
    let answer = site.margay(&["enqueue", "--bulk", "tasks.jsonl", "--wait"]).await.ok();
    let expected: String = (0..500).map(|n| format!("{n}\n")).collect();
    assert_eq!(answer, expected);
    worker.stop().await;
    site.is_empty().await;
}

#[tokio::test]
async fn a_guest_that_spins_in_margay_run_ends_at_its_hard_timeout_with_a_traceback() {
    let site = Site::start().await;
    let component = guest(PROBE);
    let component = component.to_str().expect("a path that is text");
    let answer = site.margay(&["run", component, "spin", "--hard-timeout", "300ms"]).await;
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""));
    for text in
        ["timed-out", "Traceback (most recent call last):", "in <probe::Probe as ", "hard timeout of 0.3 s"]
    {
        assert!(answer.stderr.contains(text), "{}", answer.stderr);
    }
}

#[tokio::test]
async fn margay_run_prints_the_result_and_nothing_else() {
    let site = Site::start().await;
    let component = guest(PROBE);
    let component = component.to_str().expect("a path that is text");
    let run = async |arguments: &[&str]| site.margay(&[&["run", component], arguments].concat()).await;
    assert_eq!(run(&["echo", r#"[{"a": 1}]"#]).await.ok(), "{\"a\":1}\n");
    assert_eq!(run(&["probe:kwargs", "--kwargs", r#"{"a": 1}"#]).await.ok(), "{\"a\": 1}\n");
    let failed = run(&["fail", r#"[{"kind": "smtp"}]"#, "--json"]).await;
    assert_eq!(failed.code, 1);
    let failed: Value = serde_json::from_str(&failed.stdout).expect("JSON");
    assert_eq!((&failed["outcome"], &failed["error"]), (&json!("failed"), &json!("smtp")));
}

#[tokio::test]
async fn the_prefix_keeps_keyspaces_apart() {
    let site = Site::start().await;
    let id = site.margay(&["enqueue", "mail:send", "--prefix", "other"]).await.ok();
    assert!(site.margay(&["tasks", "show", id.trim()]).await.code == 1);
    site.margay(&["tasks", "show", id.trim(), "--prefix", "other"]).await.ok();
    let mine = site.enqueue(call("mail:send", json!([]))).await;
    site.margay(&["tasks", "delete", &mine]).await.ok();
    site.is_empty().await;
}
