//! Deploying and resolving, on a real Redis.

use margay_modules::{Error, Store, Unknown, digest};
use task::{FunctionName, FunctionSpec, Options, RetryMethod, Schedule};
use test_support::RedisServer;

struct Bench {
    store: Store,
    client: queue::Client,
    _server: RedisServer,
}

async fn bench() -> Bench {
    let server = RedisServer::start();
    let client = server.client("t").await;
    Bench { store: Store::new(client.clone()), client, _server: server }
}

fn a_function(name: &str) -> FunctionSpec {
    let options = Options { queue: Some("email".to_owned()), ..Options::default() };
    FunctionSpec {
        name: name.to_owned(),
        doc: String::new(),
        input: None,
        output: None,
        batch: false,
        hook: None,
        options,
    }
}

fn name(text: &str) -> FunctionName {
    FunctionName::parse(text).expect("a name")
}

#[tokio::test]
async fn each_deploy_is_the_next_version_and_the_name_means_the_latest() {
    let bench = bench().await;
    for (version, bytes) in [(1, b"one"), (2, b"two")] {
        let deployed = bench.store.deploy("mail", bytes, &[a_function("send")], 7.5).await.expect("deployed");
        assert_eq!((deployed.version, deployed.new), (version, true));
    }
    let catalog = bench.store.catalog().await.expect("a catalogue");
    let resolved = catalog.resolve(&name("mail:send")).expect("known");
    assert_eq!((resolved.version.version, resolved.version.digest.clone()), (2, digest(b"two")));
    assert_eq!((resolved.version.size, resolved.version.deployed), (3, 7.5));
    assert_eq!(resolved.function.options.queue.as_deref(), Some("email"));
    let versions = bench.store.versions("mail").await.expect("versions");
    assert_eq!(versions.iter().map(|version| version.version).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn functions_that_a_description_names_get_their_full_names() {
    let bench = bench().await;
    let asks = |retry: &str, schedule: &str| {
        let args = serde_json::value::to_raw_value(&[0u8; 0]).expect("an array is JSON");
        let options = Options {
            retry_method: Some(RetryMethod::Custom { function: retry.to_owned(), args }),
            schedule: Some(Schedule::Custom(schedule.to_owned())),
            ..Options::default()
        };
        FunctionSpec { options, ..a_function("send") }
    };
    bench.store.deploy("old.mail", b"one", &[asks("backoff", "v2.next")], 1.0).await.expect("deployed");
    bench.store.deploy("mail", b"two", &[asks("old.mail:backoff", "next")], 1.0).await.expect("deployed");
    let catalog = bench.store.catalog().await.expect("a catalogue");
    let names = |module: &str| {
        let options = &catalog.resolve(&name(&format!("{module}:send"))).expect("known").function.options;
        match (&options.retry_method, &options.schedule) {
            (Some(RetryMethod::Custom { function, .. }), Some(Schedule::Custom(next))) => {
                (function.clone(), next.clone())
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(names("old.mail"), ("old.mail:backoff".to_owned(), "old.mail:v2.next".to_owned()));
    assert_eq!(names("mail"), ("old.mail:backoff".to_owned(), "mail:next".to_owned()));
}

#[tokio::test]
async fn deploying_what_is_current_changes_nothing() {
    let bench = bench().await;
    bench.store.deploy("mail", b"one", &[a_function("send")], 1.0).await.expect("deployed");
    let again = bench.store.deploy("mail", b"one", &[a_function("send")], 2.0).await.expect("deployed");
    assert_eq!((again.version, again.new), (1, false));
}

#[tokio::test]
async fn a_deploy_is_told_on_its_channel() {
    let bench = bench().await;
    let mut activity = bench.client.listen(vec![bench.store.channel()]).await.expect("listening");
    bench.store.deploy("mail", b"one", &[], 1.0).await.expect("deployed");
    assert_eq!(activity.next().await, queue::Event::Other("deploys".to_owned(), "mail".to_owned()));
}

#[tokio::test]
async fn unknown_modules_and_unknown_functions_are_told_apart() {
    let bench = bench().await;
    bench.store.deploy("tests.tasks", b"one", &[a_function("send")], 1.0).await.expect("deployed");
    let catalog = bench.store.catalog().await.expect("a catalogue");
    assert!(catalog.resolve(&name("tests.tasks:send")).is_ok());
    assert_eq!(catalog.resolve(&name("tests.tasks:other")).expect_err("unknown"), Unknown::Function);
    assert_eq!(catalog.resolve(&name("tests:send")).expect_err("unknown"), Unknown::Module);
}

#[tokio::test]
async fn a_blob_is_checked_against_its_digest() {
    let bench = bench().await;
    let deployed = bench.store.deploy("mail", b"one", &[], 1.0).await.expect("deployed");
    assert_eq!(bench.store.fetch("mail", &deployed.digest).await.expect("fetched"), b"one");
    let mut change = redis::cmd("SET");
    change.arg(bench.client.keys().named(&format!("blob:{}", deployed.digest))).arg("evil");
    bench.client.command("change a blob", &change).await.expect("changed");
    let error = bench.store.fetch("mail", &deployed.digest).await.expect_err("refused");
    assert!(matches!(error, Error::ChangedBlob { .. }), "{error}");
    let error = bench.store.fetch("mail", &digest(b"none")).await.expect_err("refused");
    assert!(matches!(error, Error::NoBlob { .. }), "{error}");
    bench.store.deploy("mail", b"one", &[], 2.0).await.expect("deployed again");
    assert_eq!(bench.store.fetch("mail", &deployed.digest).await.expect("mended"), b"one");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_leaves_the_other_modules_alone() {
    let bench = bench().await;
    bench.store.deploy("mail", b"one", &[a_function("send")], 1.0).await.expect("deployed");
    let mut spoil = redis::cmd("HSET");
    spoil.arg(bench.client.keys().named("modules")).arg("broken").arg("not json");
    bench.client.command("spoil a record", &spoil).await.expect("spoilt");
    let catalog = bench.store.catalog().await.expect("a catalogue");
    assert!(catalog.module("mail").is_some() && catalog.module("broken").is_none());
    bench.store.deploy("broken", b"two", &[], 2.0).await.expect("deployed over it");
    assert!(bench.store.catalog().await.expect("a catalogue").module("broken").is_some());
}

#[tokio::test]
async fn a_module_name_that_would_break_function_names_is_refused() {
    let bench = bench().await;
    for name in ["", "a:b", "a/b", "a b"] {
        let error = bench.store.deploy(name, b"one", &[], 1.0).await.expect_err("refused");
        assert!(matches!(error, Error::Name(_)), "{error}");
    }
}
