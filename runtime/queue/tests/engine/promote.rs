use queue::{Event, Promoted, State};

use crate::Bench;

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
