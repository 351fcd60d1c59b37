//! The keyspace as a map from key to content: as Redis has it, as the model has it, and how they differ.

use std::collections::{BTreeMap, BTreeSet};

use queue::State;

use crate::Bench;
use crate::walk::model::{Model, Scores};

/// Each key with what it holds, and whether it expires.
pub type Keyspace = BTreeMap<String, (Content, bool)>;

#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Text(String),
    Set(BTreeSet<String>),
    Scores(Scores),
    /// A list, or a text that is nobody's business here.
    Length(usize),
}

/// Everything in one round trip: key, type, milliseconds until it expires, content.
const READ: &str = "
    local all = {}
    for _, key in ipairs(redis.call('KEYS', '*')) do
        local kind, content = redis.call('TYPE', key).ok, {}
        if kind == 'string' then
            content = { redis.call('GET', key) }
        elseif kind == 'set' then
            content = redis.call('SMEMBERS', key)
        elseif kind == 'zset' then
            content = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
        elseif kind == 'list' then
            content = redis.call('LRANGE', key, 0, -1)
        end
        all[#all + 1] = { key, kind, redis.call('PTTL', key), content }
    end
    return all";

pub async fn read(bench: &Bench) -> Keyspace {
    let mut ask = redis::cmd("EVAL");
    ask.arg(READ).arg(0);
    let answer = bench.client.command("read the keyspace", &ask).await.expect("the keyspace can be read");
    let all: Vec<(String, String, i64, Vec<String>)> =
        redis::from_redis_value(answer).expect("keys with their content");
    let content = |key: &str, kind: &str, mut parts: Vec<String>| match kind {
        "set" => Content::Set(parts.into_iter().collect()),
        "zset" => {
            Content::Scores(parts.chunks_exact(2).map(|pair| (pair[0].clone(), number(&pair[1]))).collect())
        }
        "string" if !is_opaque(key) => Content::Text(parts.remove(0)),
        _ => Content::Length(parts.len()),
    };
    all.into_iter()
        .map(|(key, kind, ttl, parts)| {
            let content = content(&key, &kind, parts);
            (key, (content, ttl >= 0))
        })
        .collect()
}

fn number(text: &str) -> f64 {
    text.parse().expect("a score is a number")
}

/// A worker's presence and the record of an end: that they are there is what counts.
fn is_opaque(key: &str) -> bool {
    key.starts_with("t:worker:") || key.ends_with(":result")
}

impl Model {
    /// The keyspace that Redis should have.
    pub fn keyspace(&self) -> Keyspace {
        let mut keys = Keyspace::new();
        let mut stays = |key: String, content| keys.insert(key, (content, false));
        for state in State::ALL {
            let filled = self.places.iter().filter(|((its, _), scores)| *its == state && !scores.is_empty());
            let names: BTreeSet<String> = filled.map(|((_, queue), _)| queue.clone()).collect();
            stays(format!("t:{state}"), Content::Set(names));
        }
        for ((state, queue), scores) in &self.places {
            stays(format!("t:{state}:{queue}"), Content::Scores(scores.clone()));
        }
        for (id, task) in &self.payloads {
            stays(format!("t:task:{id}"), Content::Text(task.to_json()));
        }
        for (id, (count, kept)) in &self.executions {
            stays(format!("t:task:{id}:executions_count"), Content::Text(count.to_string()));
            stays(format!("t:task:{id}:executions"), Content::Length(*kept as usize));
        }
        for (worker, claims) in &self.claims {
            stays(format!("t:worker:{worker}:claims"), Content::Scores(claims.clone()));
        }
        stays("t:workers".to_owned(), Content::Set(self.workers.clone()));
        stays("t:locked_queues".to_owned(), Content::Set(self.locked_queues.clone()));

        let mut expires = |key: String, content| keys.insert(key, (content, true));
        for id in &self.results {
            expires(format!("t:task:{id}:result"), Content::Length(1));
        }
        for worker in &self.present {
            expires(format!("t:worker:{worker}"), Content::Length(1));
        }
        for (lock, token) in &self.locks {
            expires(format!("t:lockv2:{lock}"), Content::Text(token.clone()));
        }
        for (lock, waiters) in &self.waiters {
            expires(format!("t:waiters:{lock}"), Content::Scores(waiters.clone()));
        }
        for (queue, seats) in &self.seats {
            expires(format!("t:qslock:{queue}"), Content::Scores(seats.clone()));
        }
        keys.retain(|_, (content, _)| !content.is_empty());
        keys
    }
}

impl Content {
    fn is_empty(&self) -> bool {
        match self {
            Content::Text(_) => false,
            Content::Set(members) => members.is_empty(),
            Content::Scores(scores) => scores.is_empty(),
            Content::Length(length) => *length == 0,
        }
    }
}

/// One paragraph for each key that is not the same; `None` where all are.
pub fn difference(model: &Keyspace, redis: &Keyspace) -> Option<String> {
    let keys: BTreeSet<&String> = model.keys().chain(redis.keys()).collect();
    let said = |side: Option<&(Content, bool)>| match side {
        None => "nothing".to_owned(),
        Some((content, expires)) => format!("{content:?}{}", if *expires { ", expires" } else { "" }),
    };
    let mut lines = Vec::new();
    for key in keys.into_iter().filter(|key| model.get(*key) != redis.get(*key)) {
        lines.push(format!(
            "{key}\n    model: {}\n    Redis: {}",
            said(model.get(key)),
            said(redis.get(key))
        ));
    }
    (!lines.is_empty()).then(|| lines.join("\n  "))
}
