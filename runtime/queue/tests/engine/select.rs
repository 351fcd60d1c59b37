use queue::{Place, Selection, State, Walk};
use task::{Filter, FunctionName, Task};

use crate::Bench;
use crate::bench::{a_task, tasks};

#[tokio::test]
async fn a_function_or_its_whole_module_can_be_meant() {
    let bench = Bench::new().await;
    let call = |id: &str, func| Task { func: FunctionName::parse(func).expect("a name"), ..a_task(id) };
    let calls = vec![call("a", "mail:send"), call("b", "mail:drop"), call("c", "mailing:send")];
    bench.fail("work", calls, "smtp").await;
    bench.enqueue("work", "d").await;
    bench.set_payload("d", "not json").await;
    let called = async |state, name: &str| {
        let function = Some(name.to_owned());
        all(&bench, Selection { function, ..Selection::of(state) }).await
    };
    assert_eq!(called(State::Error, "mail:send").await, ["a"]);
    assert_eq!(called(State::Error, "mail").await, ["a", "b"]);
    assert!(called(State::Error, "send").await.is_empty());
    assert!(called(State::Queued, "mail").await.is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn the_kind_is_that_of_the_last_failure() {
    let bench = Bench::new().await;
    bench.fail("mail", vec![a_task("a")], "smtp").await;
    bench.client.retry(&bench.find("a").await, bench.now).await.expect("retried");
    bench.fail_queued("mail", 1, "dns").await;
    bench.fail("mail", vec![a_task("b")], "smtp").await;
    let failed_by = async |kind: &str| {
        let kind = Some(kind.to_owned());
        all(&bench, Selection { kind, ..Selection::of(State::Error) }).await
    };
    assert_eq!(failed_by("smtp").await, ["b"]);
    assert_eq!(failed_by("dns").await, ["a"]);
    bench.finish().await;
}

#[tokio::test]
async fn age_queues_and_limit_narrow_a_selection() {
    let mut bench = Bench::new().await;
    bench.fail("mail", vec![a_task("a"), a_task("b")], "smtp").await;
    bench.fail("mail.acme", vec![a_task("c")], "smtp").await;
    bench.now += 1.0;
    bench.fail("mail", vec![a_task("d")], "smtp").await;
    let failed = || Selection::of(State::Error);
    assert_eq!(all(&bench, failed()).await, ["a", "b", "d", "c"]);
    let before = Some(bench.now - 1.0);
    assert_eq!(all(&bench, Selection { before, ..failed() }).await, ["a", "b", "c"]);
    let queues = Filter { only: vec!["mail".to_owned()], exclude: vec!["mail.acme".to_owned()] };
    assert_eq!(all(&bench, Selection { queues, ..failed() }).await, ["a", "b", "d"]);
    assert_eq!(all(&bench, Selection { limit: 2, ..failed() }).await, ["a", "b"]);
    let kind = Some("smtp".to_owned());
    assert_eq!(all(&bench, Selection { kind, limit: 3, ..failed() }).await, ["a", "b", "d"]);
    bench.finish().await;
}

#[tokio::test]
async fn a_walk_knows_how_much_is_ahead() {
    let bench = Bench::new().await;
    bench.fail("mail", tasks(500), "smtp").await;
    let mut walk = bench.client.select(Selection::of(State::Error)).await.expect("a walk");
    assert_eq!((walk.seen(), walk.ahead().await.expect("a number")), (0, 500));
    while step(&mut walk).await.is_some() {}
    assert_eq!((walk.seen(), walk.ahead().await.expect("a number")), (500, 0));
    let few = Selection { limit: 7, ..Selection::of(State::Error) };
    let walk = bench.client.select(few).await.expect("a walk");
    assert_eq!(walk.ahead().await.expect("a number"), 7);
    bench.finish().await;
}

#[tokio::test]
async fn a_walk_skips_nothing_while_it_and_others_delete() {
    let bench = Bench::new().await;
    // All failed at the same time, so that only their ids tell where to go on.
    bench.fail("mail", tasks(1000), "smtp").await;
    let mut walk = bench.client.select(Selection::of(State::Error)).await.expect("a walk");
    let (mut seen, mut removed) = (Vec::new(), Vec::new());
    let mut others = bench.ids_of(State::Error, "mail", 1000).await.into_iter().step_by(7);
    while let Some(places) = step(&mut walk).await {
        assert!(places.len() <= queue::MAX_BATCH);
        seen.extend(ids(&places));
        let (even, _): (Vec<_>, Vec<_>) =
            places.into_iter().partition(|place| place.id.ends_with(['0', '2', '4', '6', '8']));
        bench.client.delete_all(&even).await.expect("deleted");
        for id in others.by_ref().take(40) {
            if let Some(found) = bench.client.find(&id, 0).await.expect("an answer").first() {
                bench.client.delete(found).await.expect("deleted");
            }
            removed.push(id);
        }
    }
    let mut once = seen.clone();
    once.dedup();
    assert_eq!(once, seen, "nothing is seen twice");
    for id in tasks(1000).into_iter().map(|task| task.id) {
        assert!(seen.contains(&id) || removed.contains(&id), "{id} was missed");
    }
    bench.finish().await;
}

#[tokio::test]
async fn an_id_that_is_no_text_does_not_end_a_walk() {
    let bench = Bench::new().await;
    bench.fail("mail", tasks(500), "smtp").await;
    let mut odd = redis::cmd("ZADD");
    odd.arg(bench.client.keys().queue(State::Error, "mail")).arg(1).arg(b"\xff".as_slice());
    bench.client.command("add an odd id", &odd).await.expect("added");
    assert_eq!(all(&bench, Selection::of(State::Error)).await.len(), 500);
}

#[tokio::test]
async fn what_fails_again_does_not_keep_a_walk_going() {
    let mut bench = Bench::new().await;
    bench.fail("mail", tasks(700), "smtp").await;
    let mut walk = bench.client.select(Selection::of(State::Error)).await.expect("a walk");
    let mut retried = 0;
    while let Some(places) = step(&mut walk).await {
        bench.now += 1.0;
        let number = bench.client.retry_all(&places, bench.now).await.expect("retried") as usize;
        bench.fail_queued("mail", number, "smtp").await;
        retried += number;
    }
    assert_eq!(retried, 700);
    bench.finish().await;
}

#[tokio::test]
async fn many_small_queues_are_walked_in_few_pages() {
    let bench = Bench::new().await;
    for n in 0..250 {
        bench.enqueue(&format!("q{n:03}"), &format!("a{n:03}")).await;
        bench.enqueue(&format!("q{n:03}"), &format!("b{n:03}")).await;
    }
    let mut walk = bench.client.select(Selection::of(State::Queued)).await.expect("a walk");
    let mut pages = Vec::new();
    while let Some(places) = step(&mut walk).await {
        pages.push(places.len());
    }
    assert_eq!(pages, [200, 200, 100]);
    let first = Selection { limit: 3, ..Selection::of(State::Queued) };
    assert_eq!(all(&bench, first).await, ["a000", "b000", "a001"]);
    bench.finish().await;
}

async fn step(walk: &mut Walk) -> Option<Vec<Place>> {
    walk.next().await.expect("a page")
}

async fn all(bench: &Bench, selection: Selection) -> Vec<String> {
    let mut walk = bench.client.select(selection).await.expect("a walk");
    let mut found = Vec::new();
    while let Some(places) = step(&mut walk).await {
        found.extend(ids(&places));
    }
    found
}

fn ids(places: &[Place]) -> Vec<String> {
    places.iter().map(|place| place.id.clone()).collect()
}
