//! Bad input: an error that says what to do, exit code 1 or 2, and nothing half-done.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use test_support::{RedisServer, guest};

use crate::harness::{Answer, PROBE, Site, command};

fn refuses(answer: &Answer, arguments: &[&str], code: i32, needle: &str) {
    assert_eq!(answer.code, code, "{arguments:?} said {}", answer.stderr);
    assert!(answer.stderr.contains(needle), "{arguments:?} said {}", answer.stderr);
    assert_eq!(answer.stdout, "", "{arguments:?}");
}

/// Expects each command to end with this code and to say this, and that nothing is written to Redis.
async fn all_refused(site: &Site, cases: &[(&[&str], i32, &str)]) {
    for (arguments, code, needle) in cases {
        refuses(&site.margay(arguments).await, arguments, *code, needle);
        let keys = site.redis_says(&["KEYS", "*"]).await;
        assert!(keys.is_empty(), "{arguments:?} left {keys:?}");
    }
}

#[tokio::test]
async fn what_is_no_task_module_is_not_deployed() {
    let site = Site::start().await;
    site.write("text.wasm", "once upon a time");
    site.write("core.wasm", b"\0asm\x01\0\0\0");
    let sockets = r#"(component (import "wasi:sockets/tcp@0.2.3" (instance)))"#;
    site.write("sockets.wasm", wat::parse_str(sockets).expect("valid WAT"));
    let http = r#"(component (import "wasi:http/outgoing-handler@0.2.3" (instance)))"#;
    site.write("http.wasm", wat::parse_str(http).expect("valid WAT"));
    site.write("useless.wasm", wat::parse_str("(component)").expect("valid WAT"));
    let component = std::fs::read(guest(PROBE)).expect("a component");
    site.write("half.wasm", &component[..component.len() / 2]);
    let big = File::create(site.path("big.wasm")).expect("a file");
    big.set_len(65 << 20).expect("a sparse file");
    let probe = site.write("probe.wasm", component);
    let probe = probe.to_str().expect("a path that is text");

    all_refused(
        &site,
        &[
            (&["deploy", "text.wasm"], 1, "`text.wasm` is not a WebAssembly component"),
            (&["deploy", "core.wasm"], 1, "is a core WebAssembly module, not a component"),
            (&["deploy", "sockets.wasm"], 1, "imports `wasi:sockets/tcp@0.2.3`"),
            (&["deploy", "http.wasm"], 1, "imports `wasi:http/outgoing-handler@0.2.3`"),
            (&["deploy", "useless.wasm"], 1, "does not export `margay:task/tasks`"),
            (&["deploy", "half.wasm"], 1, "cannot be compiled"),
            (&["deploy", "big.wasm"], 1, "the limit is"),
            (&["deploy", "missing.wasm"], 2, "cannot read `missing.wasm`"),
            (&["deploy", "signals"], 1, "`signals`"),
            (&["deploy", probe, "--name", "my module"], 2, "`my module` is not a module name"),
            (&["deploy", probe, "--name", ""], 2, "is not a module name"),
            (&["run", "text.wasm", "f"], 1, "is not a WebAssembly component"),
            (&["run", probe, "nothing"], 1, "has no function `nothing`"),
            (&["run", probe, "echo", "{}"], 2, "must be a JSON array"),
            (&["run", probe, "echo", "--kwargs", "[]"], 2, "must be a JSON object"),
            (&["run", probe, "echo", "--hard-timeout", "long"], 2, "`long` is not a duration"),
            (&["run", probe, "echo", "--dir", "signals"], 2, "is no directory grant"),
            (&["run", probe, "echo", "--dir", "nowhere:/n"], 1, "cannot open the directory `nowhere`"),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_cannot_be_a_task_is_not_enqueued() {
    let site = Site::start().await;
    let good = r#"{"func":"m:f"}"#;
    site.write("bad.jsonl", format!("{good}\n{good}\n{{\"func\":\"m:f\",\"args\":1}}\n"));
    site.write("broken.jsonl", format!("{good}\n{{\"func\":\n"));
    site.write("unknown.jsonl", format!("{good}\n{{\"func\":\"m:f\",\"arg\":[]}}\n"));
    site.write("queue.jsonl", format!("{good}\n{{\"func\":\"m:f\",\"queue\":\"a:b\"}}\n"));
    site.write("gap.jsonl", format!("{good}\n\n{good}\n"));

    all_refused(
        &site,
        &[
            (&["enqueue"], 2, "required"),
            (&["enqueue", "mail"], 2, "`mail` is not a function name; write it as `module:function`"),
            (&["enqueue", "m:f", "hello"], 2, "ARGS is not JSON"),
            (&["enqueue", "m:f", "[1"], 2, "ARGS is not JSON"),
            (&["enqueue", "m:f", r#"{"a": 1}"#], 2, "ARGS must be a JSON array"),
            (&["enqueue", "m:f", "--kwargs", "[1]"], 2, "--kwargs must be a JSON object"),
            (&["enqueue", "m:f", "--queue", "a:b"], 2, "`a:b` contains `:`"),
            (&["enqueue", "m:f", "--queue", "a/b"], 2, "`a/b` contains `/`"),
            (&["enqueue", "m:f", "--queue", ""], 2, "the queue name is empty"),
            (&["enqueue", "m:f", "--in", "soon"], 2, "`soon` is not a duration"),
            (&["enqueue", "m:f", "--at", "tomorrow"], 2, "`tomorrow` is not a time"),
            (&["enqueue", "m:f", "--in", "1s", "--at", "2030-01-01T00:00:00Z"], 2, "cannot be used with"),
            (&["enqueue", "m:f", "--retry", "often"], 2, "`often` is not a retry method"),
            (&["enqueue", "m:f", "--retry", "fixed:1s"], 2, "is not a retry method"),
            (&["enqueue", "m:f", "--hard-timeout", "forever"], 2, "`forever` is not a duration"),
            (&["enqueue", "--bulk", "missing.jsonl"], 2, "cannot read `missing.jsonl`"),
            (&["enqueue", "--bulk", "bad.jsonl"], 2, "line 3"),
            (&["enqueue", "--bulk", "broken.jsonl"], 2, "line 2"),
            (&["enqueue", "--bulk", "unknown.jsonl"], 2, "line 2: unknown field `arg`"),
            (&["enqueue", "--bulk", "queue.jsonl"], 2, "line 2"),
            (&["enqueue", "--bulk", "gap.jsonl"], 2, "line 2: is empty"),
            (&["tasks", "list", "mail", "--state", "lost"], 2, "`lost` is not a state"),
            (&["tasks", "list", "a:b"], 2, "`a:b` contains `:`"),
            (&["tasks", "show", "nobody"], 1, "no task `nobody` is here"),
            (&["tasks", "retry", "nobody"], 1, "no task `nobody` is here"),
            (&["tasks", "delete", "nobody"], 1, "no task `nobody` is here"),
            (&["modules", "show", "nobody"], 1, "no module `nobody` is deployed"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_function_that_a_known_module_does_not_have_is_not_enqueued() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    let before = site.redis_says(&["KEYS", "*"]).await.len();
    let good = r#"{"func":"probe:noop"}"#;
    site.write("tasks.jsonl", format!("{good}\n{{\"func\":\"probe:nothing\"}}\n"));
    let cases: [(&[&str], &str); 2] = [
        (&["enqueue", "probe:nothing"], "module `probe` has no function `nothing`; it has `noop`"),
        (&["enqueue", "--bulk", "tasks.jsonl"], "line 2: module `probe` has no function `nothing`"),
    ];
    for (arguments, needle) in cases {
        refuses(&site.margay(arguments).await, arguments, 1, needle);
    }
    assert_eq!(site.redis_says(&["KEYS", "*"]).await.len(), before);
}

#[tokio::test]
async fn settings_and_projects_that_make_no_sense_are_refused() {
    let site = Site::start().await;
    site.write("typo.toml", "concurency = 4");
    site.write("slow.toml", "poll = \"slowly\"");
    site.write("hook.toml", "[errors]\nwebhook = \"example.org\"");
    site.write("header.toml", "[errors]\nwebhook = \"http://a/\"\nwebhook_headers = { \"a b\" = \"c\" }");
    site.write("dsn.toml", "[errors]\nsentry_dsn = \"https://example.org/1\"");
    site.write("grant.toml", "[modules.m]\ndirectories = [{ path = \"nowhere\", guest = \"/n\" }]");

    all_refused(
        &site,
        &[
            (&["worker", "--config", "typo.toml"], 2, "unknown field `concurency`"),
            (&["queues", "list", "--config", "typo.toml"], 2, "unknown field `concurency`"),
            (&["worker", "--config", "slow.toml"], 2, "`slowly` is not a duration"),
            (&["worker", "--config", "missing.toml"], 2, "cannot read `missing.toml`"),
            (&["worker", "--config", "hook.toml"], 2, "`errors.webhook`: it is not an address of HTTP"),
            (
                &["worker", "--config", "header.toml"],
                2,
                "`errors.webhook_headers`: `a b` is not a header's name",
            ),
            (
                &["worker", "--config", "dsn.toml"],
                2,
                "`errors.sentry_dsn`: it is not a DSN: username is empty",
            ),
            (&["worker", "--config", "grant.toml"], 1, "cannot open the directory `nowhere`"),
            (&["worker", "-c", "0"], 2, "`concurrency` must be between 1"),
            (&["worker", "-q", "a/b"], 2, "`a/b` contains `/`"),
            (&["worker", "--batch", "words"], 2, "write it as `words=50`"),
            (&["worker", "--log", "margay=loud"], 2, "is not a log filter"),
            (&["build", "signals"], 2, "`signals` is no task project: it has no Cargo.toml"),
            (&["build", "nowhere"], 2, "it has no Cargo.toml"),
            (&["new", "My Tasks"], 2, "`My Tasks` is not a project's name"),
            (&["new", "../up"], 2, "is not a project's name"),
            (&["new", "signals"], 2, "`signals` is there already"),
            (&["completions", "cobol"], 2, "invalid value 'cobol'"),
        ],
    )
    .await;
    let left = std::fs::read_dir(site.path("signals")).expect("the folder").count();
    assert_eq!(left, 0, "the existing folder is left alone");
}

#[tokio::test]
async fn a_redis_that_will_not_do_is_named_with_its_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let locked = RedisServer::start_with(&["--requirepass", "secret"]);
    let old = format!("redis://{}", old_redis());
    let cases = [
        ("redis://127.0.0.1:1", "does not answer at `redis://127.0.0.1:1`"),
        ("redis+unix:///nowhere/redis.sock", "does not answer at `redis+unix:///nowhere/redis.sock`"),
        (&locked.url(), "refuses the password"),
        (&old, "has version 6.0.16, which is too old; 6.2 or newer is needed"),
        ("http://example.org", "`http://example.org` is not a Redis address"),
    ];
    for (url, needle) in cases {
        for words in [&["enqueue", "m:f"][..], &["queues", "list"], &["worker"]] {
            let arguments = [words, &["--redis", url]].concat();
            refuses(&Answer::of(command(folder.path(), &arguments)).await, &arguments, 1, needle);
        }
    }
    let arguments = ["queues", "list", "--redis", "redis://:wrong@127.0.0.1:1"];
    let answer = Answer::of(command(folder.path(), &arguments)).await;
    refuses(&answer, &arguments, 1, "start it, or name another with --redis or MARGAY_REDIS");
    assert!(!answer.stderr.contains("wrong"), "the password is not for everybody: {}", answer.stderr);
}

/// A server that says that it is Redis 6.0.16, and does nothing else.
fn old_redis() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(|| answer_as_old_redis(connection));
        }
    });
    address
}

/// Answers each command, an array of texts, until the client has gone.
fn answer_as_old_redis(mut connection: TcpStream) -> Option<()> {
    let mut input = BufReader::new(connection.try_clone().ok()?);
    let number = |input: &mut BufReader<TcpStream>| -> Option<usize> {
        let mut line = String::new();
        input.read_line(&mut line).ok()?;
        line.get(1..)?.trim().parse().ok()
    };
    loop {
        let mut words = Vec::new();
        for _ in 0..number(&mut input)? {
            let mut word = vec![0; number(&mut input)? + 2];
            input.read_exact(&mut word).ok()?;
            words.push(String::from_utf8(word).ok()?.trim().to_uppercase());
        }
        let info = "# Server\r\nredis_version:6.0.16\r\n";
        let answer = match words[0].as_str() {
            "INFO" => format!("${}\r\n{info}\r\n", info.len()),
            _ => "+OK\r\n".to_owned(),
        };
        connection.write_all(answer.as_bytes()).ok()?;
    }
}
