use queue::{ActiveTasks, Cleared, Client, Counted, OldLock, Until};
use redis::Value;
use test_support::RedisServer;

use crate::Bench;

async fn run(client: &Client, command: &str) -> Value {
    let mut ask = redis::Cmd::new();
    ask.arg(command.split(' ').collect::<Vec<_>>());
    client.command("prepare a test", &ask).await.expect("Redis answers")
}

async fn exist(client: &Client, key: &str) -> bool {
    run(client, &format!("EXISTS {key}")).await == Value::Int(1)
}

fn lock(value: &str) -> OldLock {
    OldLock { key: b"t:lock:a".to_vec(), value: value.as_bytes().to_vec() }
}

#[test]
fn an_old_lock_says_how_long_it_holds() {
    assert_eq!(lock("1616000000.25").until(), Until::Time(1_616_000_000.25));
    assert_eq!(lock("1616000000").until(), Until::Time(1_616_000_000.0));
    assert_eq!(lock("2147483649.0").until(), Until::Forever);
    assert_eq!(lock("inf").until(), Until::Forever);
    for unknown in ["", "nan", "8d7dc0a2", "12 monkeys"] {
        assert_eq!(lock(unknown).until(), Until::Unknown, "`{unknown}`");
    }
}

#[tokio::test]
async fn only_old_locks_whose_time_is_up_are_deleted() {
    let bench = Bench::new().await;
    let client = &bench.client;
    let (past, now, future) = (bench.now - 0.25, bench.now, bench.now + 42.0);
    run(client, &format!("SET t:lock:past {past}")).await;
    run(client, &format!("SET t:queue_periodic_tasks_lock {past}")).await;
    run(client, &format!("SET t:lock:now {now}")).await;
    run(client, &format!("SET t:lock:future {future}")).await;
    run(client, "SET t:lock:forever 2147483649.0").await;
    run(client, "SET t:lock:odd text").await;
    run(client, "HSET t:lock:hash no lock").await;
    run(client, "SET t:lockv2:new 1.0").await;

    let locks = client.old_locks(now, false).await.expect("locks");
    assert_eq!((locks.expired, locks.held, locks.last_end), (2, 2, Some(future)));
    let undecided: Vec<_> = locks.undecided.iter().map(OldLock::until).collect();
    assert_eq!((undecided.len(), locks.undecided_total), (2, 2));
    assert!(undecided.contains(&Until::Forever) && undecided.contains(&Until::Unknown));

    let cleared = client.clear_old_locks(now, false).await.expect("cleared");
    assert_eq!(cleared, Cleared { deleted: 2, taken: 4 });
    let locks = client.old_locks(future + 1.0, true).await.expect("locks");
    assert_eq!((locks.expired, locks.held, locks.undecided_total), (4, 0, 0), "force decides");
    let cleared = client.clear_old_locks(future + 1.0, true).await.expect("cleared");
    assert_eq!(cleared, Cleared { deleted: 4, taken: 0 });
    assert!(exist(client, "t:lock:hash").await && exist(client, "t:lockv2:new").await);
    assert_eq!(client.clear_old_locks(future, true).await.expect("cleared"), Cleared::default());
    bench.finish().await;
}

#[tokio::test]
async fn a_lock_that_was_renewed_since_it_was_read_stays() {
    let bench = Bench::new().await;
    run(&bench.client, "SET t:lock:a 99").await;
    let read = [lock("1"), OldLock { key: b"t:lock:gone".to_vec(), value: b"1".to_vec() }];
    let cleared = bench.client.delete_old_locks(&read).await.expect("asked");
    assert_eq!(cleared, Cleared { deleted: 0, taken: 1 });
    assert!(exist(&bench.client, "t:lock:a").await);
    let cleared = bench.client.delete_old_locks(&[lock("99")]).await.expect("asked");
    assert_eq!(cleared, Cleared { deleted: 1, taken: 0 });
    bench.finish().await;
}

#[tokio::test]
async fn a_prefix_with_a_glob_in_it_means_only_itself() {
    let server = RedisServer::start();
    let client = server.client("t*[a]").await;
    for prefix in ["t*[a]", "txa"] {
        run(&client, &format!("SET {prefix}:lock:a 1")).await;
        run(&client, &format!("RPUSH {prefix}:task:a:executions 1")).await;
        run(&client, &format!("ZADD {prefix}:active:mail 9 a")).await;
    }
    assert_eq!(client.clear_old_locks(9.0, false).await.expect("cleared").deleted, 1);
    assert_eq!(client.count_executions().await.expect("counted").tasks, 1);
    assert_eq!(client.active_since(1.0).await.expect("counted").count, 1);
    assert!(exist(&client, "txa:lock:a").await && !exist(&client, "txa:task:a:executions_count").await);
}

#[tokio::test]
async fn only_tasks_with_a_late_heartbeat_count_as_active_named_or_not() {
    let server = RedisServer::start();
    let client = server.client("t").await;
    assert_eq!(client.active_since(0.0).await.expect("counted"), ActiveTasks::default());
    run(&client, "ZADD t:active:mail 40 a 50.5 b 60 c").await;
    run(&client, "ZADD t:active:orphans 70.25 d").await;
    run(&client, "SADD t:active mail").await;
    let active = client.active_since(50.5).await.expect("counted");
    assert_eq!(active, ActiveTasks { count: 2, last_heartbeat: Some(70.25) });
    assert_eq!(client.active_since(70.25).await.expect("counted"), ActiveTasks::default());
}

#[tokio::test]
async fn a_worker_is_present_until_it_leaves() {
    let bench = Bench::new().await;
    assert!(bench.client.present_workers().await.expect("workers").is_empty());
    bench.heartbeat(&[]).await;
    let present = bench.client.present_workers().await.expect("workers");
    assert_eq!((present.len(), &present[0].0), (1, &bench.worker));
    assert_eq!(present[0].1.as_ref().map(|about| about.host.as_str()), Some("host"));
    bench.client.leave(&bench.worker).await.expect("left");
    assert!(bench.client.present_workers().await.expect("workers").is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn counts_of_executions_are_raised_and_never_lowered() {
    let server = RedisServer::start();
    let client = server.client("t").await;
    for id in ["absent", "smaller", "trimmed"] {
        run(&client, &format!("RPUSH t:task:{id}:executions 1 2 3")).await;
    }
    run(&client, "SET t:task:smaller:executions_count 2").await;
    run(&client, "SET t:task:trimmed:executions_count 9").await;
    let counted = client.count_executions().await.expect("counted");
    assert_eq!(counted, Counted { tasks: 3, raised: 2 });
    for (id, count) in [("absent", "3"), ("smaller", "3"), ("trimmed", "9")] {
        let found = run(&client, &format!("GET t:task:{id}:executions_count")).await;
        assert_eq!(found, Value::BulkString(count.into()), "{id}");
    }
    assert_eq!(client.count_executions().await.expect("counted"), Counted { tasks: 3, raised: 0 });
}
