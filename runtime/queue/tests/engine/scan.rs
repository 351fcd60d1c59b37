use std::collections::BTreeMap;
use std::time::Duration;

use queue::{Client, Expiry, KeyStats, KeyWalk};
use redis::Value;
use test_support::RedisServer;

async fn run(client: &Client, words: &[&[u8]]) -> Value {
    let mut command = redis::Cmd::new();
    command.arg(words);
    client.command("prepare a test", &command).await.expect("Redis answers")
}

/// Everything a walk tells, by name; a key may come twice.
async fn walk(client: &Client, walk: &KeyWalk) -> BTreeMap<Vec<u8>, KeyStats> {
    let (mut seen, mut cursor) = (BTreeMap::new(), 0);
    loop {
        let (next, keys) = client.walk(walk, cursor).await.expect("a step");
        seen.extend(keys.into_iter().map(|key| (key.name.clone(), key)));
        cursor = next;
        if cursor == 0 {
            return seen;
        }
    }
}

fn expire(pattern: &str, expiry: Expiry) -> KeyWalk {
    KeyWalk { pattern: Some(pattern.to_owned()), expiry: Some(expiry), dry_run: false }
}

/// Time passes while a test runs.
fn hundreds(ttl: Option<u64>) -> Option<u64> {
    ttl.map(|ttl| ttl.div_ceil(100))
}

#[tokio::test]
async fn a_walk_tells_type_ttl_and_size_of_every_key_whatever_its_name() {
    let server = RedisServer::start();
    let client = server.client("t").await;
    let commands: [&[&[u8]]; 7] = [
        &[b"SET", b"text", b"four", b"EX", b"1000"],
        &[b"ZADD", b"zset", b"1", b"a", b"2", b"b"],
        &[b"SADD", b"set", b"a", b"b", b"c"],
        &[b"RPUSH", b"list", b"a"],
        &[b"HSET", b"hash", b"a", b"1", b"b", b"2"],
        &[b"XADD", b"stream", b"*", b"a", b"1"],
        &[b"SET", b"\xff\x00\n", b""],
    ];
    for command in commands {
        run(&client, command).await;
    }
    let seen = walk(&client, &KeyWalk::default()).await;
    let seen: Vec<_> = seen
        .values()
        .map(|key| (key.name.as_slice(), key.kind.as_str(), hundreds(key.ttl), key.size))
        .collect();
    let expected = [
        (b"hash".as_slice(), "hash", None, Some(2)),
        (b"list", "list", None, Some(1)),
        (b"set", "set", None, Some(3)),
        (b"stream", "stream", None, Some(1)),
        (b"text", "string", Some(10), Some(4)),
        (b"zset", "zset", None, Some(2)),
        (b"\xff\x00\n", "string", None, Some(0)),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_walk_misses_none_of_many_keys() {
    let server = RedisServer::start();
    let client = server.client("t").await;
    let fill = "for n = 1, 5000 do redis.call('SET', 'key:' .. n, n) end";
    run(&client, &[b"EVAL", fill.as_bytes(), b"0"]).await;
    let all = expire("key:*", Expiry::After(Duration::from_secs(60)));
    let seen = walk(&client, &all).await;
    assert_eq!((seen.len(), seen.values().all(|key| key.changed)), (5000, true));
    assert!(walk(&client, &KeyWalk::default()).await.values().all(|key| key.ttl.is_some()));
}

#[tokio::test]
async fn an_expiry_is_given_only_to_keys_that_have_none_and_match() {
    let server = RedisServer::start();
    let client = server.client("t").await;
    for command in ["SET t:lock:a 1", "SET t:lock:b 1 EX 1000", "SET t:lockv2:c 1"] {
        run(&client, &command.split(' ').map(str::as_bytes).collect::<Vec<_>>()).await;
    }
    let changed = async |what: &KeyWalk| {
        let seen = walk(&client, what).await.into_values();
        seen.map(|key| (key.name, key.changed)).collect::<Vec<_>>()
    };
    let ttls = async || {
        let seen = walk(&client, &KeyWalk::default()).await.into_values();
        seen.map(|key| hundreds(key.ttl)).collect::<Vec<_>>()
    };
    let later = expire("t:lock:*", Expiry::After(Duration::from_secs(300)));
    let only_a = [(b"t:lock:a".to_vec(), true), (b"t:lock:b".to_vec(), false)];
    assert_eq!(changed(&KeyWalk { dry_run: true, ..later.clone() }).await, only_a);
    assert_eq!(ttls().await, [None, Some(10), None], "a dry run changes nothing");
    assert_eq!(changed(&later).await, only_a);
    assert_eq!(ttls().await, [Some(3), Some(10), None]);
    let never = expire("t:lock:a", Expiry::Never);
    assert_eq!(changed(&never).await, [(b"t:lock:a".to_vec(), true)]);
    assert_eq!(changed(&never).await, [(b"t:lock:a".to_vec(), false)]);
    assert_eq!(ttls().await, [None, Some(10), None]);
}
