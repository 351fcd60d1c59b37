//! `margay keys`.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use queue::{Client, Expiry, KeyStats, KeyWalk};
use serde_json::{Value, json};

use super::connect;
use crate::args::{Common, Keys, Scan};
use crate::{print, signals, usage};

pub async fn run(common: &Common, verb: Keys) -> Result<ExitCode> {
    let Keys::Scan(flags) = verb;
    let stop = signals::stop(None)?;
    let client = connect(common).await?;
    let mut report = Report::begin(common, &flags)?;
    let ended = scan(&client, &flags, &mut report, stop).await;
    report.end(&flags, matches!(ended, Ok(Ended::Stopped)));
    Ok(match ended? {
        Ended::Complete => ExitCode::SUCCESS,
        Ended::Stopped => ExitCode::FAILURE,
    })
}

enum Ended {
    Complete,
    Stopped,
}

/// Walks over all keys. A request to stop waits for the end of the step.
async fn scan(
    client: &Client,
    flags: &Scan,
    report: &mut Report,
    stop: impl Future<Output = ()>,
) -> Result<Ended> {
    let mut stop = pin!(stop);
    let walk = KeyWalk { pattern: flags.pattern.clone(), expiry: flags.ttl, dry_run: flags.dry_run };
    let mut cursor = 0;
    loop {
        let (next, keys) = client.walk(&walk, cursor).await?;
        report.step(&keys, flags.ttl)?;
        cursor = next;
        if cursor == 0 {
            return Ok(Ended::Complete);
        }
        tokio::select! {
            biased;
            () = &mut stop => return Ok(Ended::Stopped),
            () = tokio::time::sleep(flags.delay) => {}
        }
    }
}

/// What is told of the keys, and where.
struct Report {
    seen: u64,
    changed: u64,
    file: Option<BufWriter<File>>,
    print: bool,
    json: bool,
    progress: ProgressBar,
}

impl Report {
    fn begin(common: &Common, flags: &Scan) -> Result<Report> {
        let print = flags.print || common.json;
        Ok(Report {
            seen: 0,
            changed: 0,
            file: flags.file.as_deref().map(create).transpose()?,
            print,
            json: common.json,
            progress: if print { ProgressBar::hidden() } else { spinner() },
        })
    }

    /// Tells of the keys of one step: to the file first, since a reader of the output may have gone.
    fn step(&mut self, keys: &[KeyStats], expiry: Option<Expiry>) -> Result<()> {
        self.seen += keys.len() as u64;
        self.changed += keys.iter().filter(|key| key.changed).count() as u64;
        self.progress.set_position(self.seen);
        if let Some(file) = &mut self.file {
            for key in keys {
                writeln!(file, "{}", line(key, expiry)).context("cannot write the file")?;
            }
            file.flush().context("cannot write the file")?;
        }
        for key in keys.iter().filter(|_| self.print) {
            match self.json {
                true => print::json_line(&as_json(key, expiry))?,
                false => print::line(line(key, expiry)),
            }
        }
        Ok(())
    }

    fn end(&self, flags: &Scan, stopped: bool) {
        self.progress.finish_and_clear();
        let stopped = if stopped { "stopped: " } else { "" };
        let changed = if flags.dry_run { "would change" } else { "changed" };
        eprintln!("{stopped}{} keys seen, {} {changed}", self.seen, self.changed);
    }
}

fn create(path: &Path) -> Result<BufWriter<File>> {
    let file = File::create(path);
    file.map(BufWriter::new).map_err(|error| usage(format!("cannot write `{}`: {error}", path.display())))
}

fn spinner() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {pos} keys seen");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

/// The order is that of TaskTiger's scripts/redis_scan.py.
fn line(key: &KeyStats, expiry: Option<Expiry>) -> String {
    let KeyStats { name, kind, ttl, size, .. } = key;
    let new_ttl = new_ttl(key, expiry).map_or_else(|| "-".to_owned(), |ttl| ttl.to_string());
    format!("{} {kind} {} {new_ttl} {}", print::name(name), or_minus_one(*ttl), or_minus_one(*size))
}

fn as_json(key: &KeyStats, expiry: Option<Expiry>) -> Value {
    let text = std::str::from_utf8(&key.name);
    let mut shown = json!({
        "name": text.map_or_else(|_| print::name(&key.name), str::to_owned),
        "type": key.kind,
        "ttl": or_minus_one(key.ttl),
        "new_ttl": new_ttl(key, expiry),
        "size": or_minus_one(key.size),
    });
    if text.is_err() {
        shown["escaped"] = true.into();
    }
    shown
}

/// In how many seconds a key expires from now on, -1 for never; nothing where that stays as it was.
fn new_ttl(key: &KeyStats, expiry: Option<Expiry>) -> Option<i64> {
    expiry.filter(|_| key.changed).map(|expiry| match expiry {
        Expiry::Never => -1,
        Expiry::After(time) => time.as_secs_f64().round() as i64,
    })
}

fn or_minus_one(number: Option<u64>) -> i64 {
    number.and_then(|number| i64::try_from(number).ok()).unwrap_or(-1)
}
