//! What became of the photos, for people: a table, the throughput, the failures.

use std::collections::HashSet;
use std::path::Path;

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use super::photos::Photo;
use super::work::Finished;
use crate::size;

/// A table longer than this tells nobody anything.
const MAX_ROWS: usize = 60;
/// A line under the header, and no other.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
/// A first start later than this needs an explanation.
const LONG_START_SECONDS: f64 = 0.2;

/// Prints how it went.
pub fn print(photos: &[Photo], finished: &[Finished], thumbnails: &Path) {
    println!("{}", table(photos, finished));
    if finished.len() > MAX_ROWS {
        println!("... and {} more", finished.len() - MAX_ROWS);
    }
    println!("{}", throughput(photos, finished));
    let outputs: HashSet<&str> =
        finished.iter().filter_map(|one| Some(one.made.as_ref().ok()?.output.as_str())).collect();
    println!("{} thumbnails are in {}", outputs.len(), thumbnails.display());
    for (photo, one) in photos.iter().zip(finished) {
        if let Err(message) = &one.made {
            println!("failed: `{}`: {message}", photo.name);
        }
    }
}

fn table(photos: &[Photo], finished: &[Finished]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(["file", "before", "", "after", "", "queued ms", "run ms"]);
    for (photo, one) in photos.iter().zip(finished).take(MAX_ROWS) {
        let before = photo.pixels.map(shape).unwrap_or_default();
        let (after, after_size) = match &one.made {
            Ok(made) => (shape((made.width, made.height)), size::of_bytes(made.bytes_after)),
            Err(_) => ("failed".to_owned(), String::new()),
        };
        let queued = milliseconds(one.started - one.enqueued);
        let run = milliseconds(one.ended - one.started);
        table.add_row([
            photo.name.clone(),
            before,
            size::of_bytes(photo.size_bytes),
            after,
            after_size,
            queued,
            run,
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// From the first start to the last end. Before the first start, the worker compiles the new module.
fn throughput(photos: &[Photo], finished: &[Finished]) -> String {
    let enqueued = finished.iter().map(|one| one.enqueued).fold(f64::INFINITY, f64::min);
    let first = finished.iter().map(|one| one.started).fold(f64::INFINITY, f64::min);
    let last = finished.iter().map(|one| one.ended).fold(0.0, f64::max);
    let seconds = (last - first).max(0.001);
    let waited = first - enqueued;
    let note = if waited < LONG_START_SECONDS {
        String::new()
    } else {
        format!(" (after {waited:.1} s in which the worker compiled the new module, once)")
    };
    let megabytes = photos.iter().map(|photo| photo.size_bytes).sum::<u64>() as f64 / 1e6;
    format!(
        "{} tasks in {seconds:.2} s: {:.1} tasks/s, {:.1} MB/s{note}",
        finished.len(),
        finished.len() as f64 / seconds,
        megabytes / seconds
    )
}

fn shape((width, height): (u32, u32)) -> String {
    format!("{width}x{height}")
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.1}", seconds.max(0.0) * 1e3)
}
