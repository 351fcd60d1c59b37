//! What is true of every keyspace at rest, whatever happened before.

use std::collections::{HashMap, HashSet};

use queue::{Client, State};

/// Fails the test if the keyspace contradicts itself:
///
/// - a task is in one state of one queue, or it is a unique one;
/// - every task in a state has a payload, and every payload belongs to a task in a state;
/// - a queue stands in a state's set exactly where it has tasks in that state;
/// - executions belong to a task;
/// - what a worker claims is active.
pub async fn check_invariants(client: &Client) {
    let keyspace = Keyspace::read(client).await;
    let problems = keyspace.problems();
    assert!(problems.is_empty(), "the keyspace contradicts itself:\n  {}", problems.join("\n  "));
}

#[derive(Default)]
struct Keyspace {
    named: HashSet<(State, String)>,
    places: HashMap<String, Vec<(State, String)>>,
    payloads: HashMap<String, String>,
    executions: HashSet<String>,
    claims: Vec<(String, String)>,
}

impl Keyspace {
    async fn read(client: &Client) -> Keyspace {
        let mut keyspace = Keyspace::default();
        let prefix = format!("{}:", client.keys().prefix());
        for key in strings(client, &["KEYS", &format!("{prefix}*")]).await {
            let rest = &key[prefix.len()..];
            if let Some(state) = State::ALL.into_iter().find(|state| rest == state.as_str()) {
                let names = strings(client, &["SMEMBERS", &key]).await;
                keyspace.named.extend(names.into_iter().map(|queue| (state, queue)));
            } else if let Some((state, queue)) = state_of(rest) {
                for id in strings(client, &["ZRANGE", &key, "0", "-1"]).await {
                    keyspace.places.entry(id).or_default().push((state, queue.to_owned()));
                }
            } else if let Some(task) = rest.strip_prefix("task:") {
                match task.split_once(':') {
                    None => {
                        let payload = strings(client, &["GET", &key]).await.concat();
                        keyspace.payloads.insert(task.to_owned(), payload);
                    }
                    Some((id, "executions" | "executions_count")) => {
                        keyspace.executions.insert(id.to_owned());
                    }
                    Some(_) => {}
                }
            } else if rest.starts_with("worker:") && rest.ends_with(":claims") {
                for claim in strings(client, &["ZRANGE", &key, "0", "-1"]).await {
                    let (queue, id) = claim.rsplit_once(':').expect("a claim is queue:id");
                    keyspace.claims.push((queue.to_owned(), id.to_owned()));
                }
            }
        }
        keyspace
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut filled = HashSet::new();
        for (id, places) in &self.places {
            let unique = self.payloads.get(id).is_some_and(|payload| payload.contains("\"unique"));
            if places.len() > 1 && !unique {
                problems.push(format!("`{id}` is in several places: {places:?}"));
            }
            if !self.payloads.contains_key(id) {
                problems.push(format!("`{id}` is in {places:?} without a payload"));
            }
            filled.extend(places.iter().cloned());
        }
        for id in self.payloads.keys().filter(|id| !self.places.contains_key(*id)) {
            problems.push(format!("the payload of `{id}` belongs to no task"));
        }
        for id in self.executions.iter().filter(|id| !self.payloads.contains_key(*id)) {
            problems.push(format!("the executions of `{id}` belong to no task"));
        }
        for (state, queue) in self.named.symmetric_difference(&filled) {
            let side = if filled.contains(&(*state, queue.clone())) {
                "has tasks but no name"
            } else {
                "is named but empty"
            };
            problems.push(format!("the queue `{queue}` {side} in {state}"));
        }
        for (queue, id) in &self.claims {
            let places = self.places.get(id).map(Vec::as_slice).unwrap_or_default();
            if !places.contains(&(State::Active, queue.clone())) {
                problems.push(format!("`{id}` is claimed from `{queue}` but not active there"));
            }
        }
        problems.sort();
        problems
    }
}

fn state_of(key: &str) -> Option<(State, &str)> {
    let (state, queue) = key.split_once(':')?;
    Some((state.parse().ok()?, queue))
}

async fn strings(client: &Client, command: &[&str]) -> Vec<String> {
    let mut ask = redis::cmd(command[0]);
    ask.arg(&command[1..]);
    let answer = client.command("read the keyspace", &ask).await.expect("the keyspace can be read");
    match answer {
        redis::Value::Array(_) | redis::Value::Set(_) => {
            redis::from_redis_value(answer).expect("a list of texts")
        }
        redis::Value::Nil => Vec::new(),
        one => vec![redis::from_redis_value(one).expect("a text")],
    }
}
