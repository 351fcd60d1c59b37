use std::collections::BTreeSet;

use queue::{Event, NewTask, Promoted, State, Upcoming};

use crate::Bench;
use crate::bench::a_task;

#[tokio::test]
async fn what_is_due_is_queued_and_the_rest_says_when() {
    let mut bench = Bench::new().await;
    let start = bench.now;
    bench.schedule("mail", "a", start + 1.0).await;
    bench.schedule("mail", "b", start + 2.0).await;
    bench.now += 1.0;
    let promoted = bench.client.promote(&["mail", "none"], bench.now).await.expect("promoted");
    let expected =
        [Promoted { tasks: 1, next_due: Some(start + 2.0) }, Promoted { tasks: 0, next_due: None }];
    assert_eq!(promoted, expected);
    assert_eq!(bench.ids(State::Queued, "mail").await, ["a"]);
    bench.finish().await;
}

#[tokio::test]
async fn more_than_one_batch_needs_more_than_one_call() {
    let mut bench = Bench::new().await;
    for n in 0..501 {
        bench.schedule("mail", &format!("{n:04}"), bench.now + 1.0).await;
    }
    bench.now += 2.0;
    let first = bench.client.promote(&["mail"], bench.now).await.expect("promoted").remove(0);
    assert_eq!(first, Promoted { tasks: 500, next_due: Some(bench.now - 1.0) });
    let second = bench.client.promote(&["mail"], bench.now).await.expect("promoted").remove(0);
    assert_eq!(second, Promoted { tasks: 1, next_due: None });
    bench.finish().await;
}

#[tokio::test]
async fn everyone_who_listens_hears_of_new_work() {
    let mut bench = Bench::new().await;
    let keys = bench.client.keys();
    let mut activity = bench.client.listen(vec![keys.activity(), keys.due()]).await.expect("listening");
    bench.schedule("mail", "a", bench.now + 1.0).await;
    assert_eq!(activity.next().await, Event::Due("mail".to_owned(), bench.now + 1.0));
    bench.now += 1.0;
    bench.client.promote(&["mail"], bench.now).await.expect("promoted");
    assert_eq!(activity.next().await, Event::Queued("mail".to_owned()));
    bench.finish().await;
}

#[tokio::test]
async fn a_listener_hears_when_its_connection_comes_back() {
    let mut bench = Bench::new().await;
    let mut activity = bench.client.listen(vec![bench.client.keys().activity()]).await.expect("listening");
    bench.server.restart();
    assert_eq!(activity.next().await, Event::Reconnected);
}

#[tokio::test]
async fn only_what_is_due_soon_is_upcoming() {
    let bench = Bench::new().await;
    for (queue, after) in [("mail", 1.0), ("mail", 9.0), ("pages", 2.0), ("later", 5.0)] {
        bench.schedule(queue, &format!("{queue}{after}"), bench.now + after).await;
    }
    bench.heartbeat(&[]).await;
    let mut upcoming = bench.client.upcoming(0, 100, bench.now + 4.0).await.expect("looked");
    upcoming.queues.sort_by(|one, other| one.1.total_cmp(&other.1));
    let queues = vec![("mail".to_owned(), bench.now + 1.0), ("pages".to_owned(), bench.now + 2.0)];
    assert_eq!(upcoming, Upcoming { next: 0, queues, workers: 1 });
    bench.finish().await;
}

#[tokio::test]
async fn a_walk_over_many_queues_sees_each_and_looks_at_a_part_in_one_call() {
    let bench = Bench::new().await;
    let due = Some(bench.now + 1.0);
    let new = |n| NewTask { due, ..NewTask::new(format!("many.{n}"), a_task(&format!("{n}"))) };
    bench.client.enqueue((0..2000).map(new), bench.now).await.expect("enqueued");
    let (mut seen, mut cursor) = (BTreeSet::new(), 0);
    loop {
        let upcoming = bench.client.upcoming(cursor, 100, bench.now + 2.0).await.expect("looked");
        assert!(upcoming.queues.len() < 200, "a page has its bound");
        seen.extend(upcoming.queues.into_iter().map(|(queue, _)| queue));
        cursor = upcoming.next;
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen.len(), 2000);
    bench.finish().await;
}
