//! What commands print: data to standard output, as a table for people or JSON for programs.

use std::io::Write;

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// Prints a line. A reader that went away ends the program quietly, as in `margay tasks list q | head`.
pub fn line(text: impl std::fmt::Display) {
    if writeln!(std::io::stdout(), "{text}").is_err() {
        std::process::exit(0);
    }
}

/// Prints a value as JSON.
pub fn json(value: &impl Serialize) -> Result<()> {
    line(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A value as one line of JSON.
pub fn json_line(value: &impl Serialize) -> Result<()> {
    line(serde_json::to_string(value)?);
    Ok(())
}

/// A table with these headings.
pub fn table<const N: usize>(headings: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings);
    table
}

/// A time for people, in UTC.
pub fn time(seconds: f64) -> String {
    let time = jiff::Timestamp::from_microsecond((seconds * 1e6) as i64);
    time.map_or_else(|_| seconds.to_string(), |time| time.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string())
}

/// How long ago a time was, for people: the two largest units.
pub fn ago(seconds: f64) -> String {
    let passed = std::time::Duration::from_secs_f64((queue::now() - seconds).clamp(0.0, 1e9));
    two_units(std::time::Duration::from_millis(passed.as_millis() as u64))
}

/// How long to wait, for people: whole seconds, never too few; the two largest units.
pub fn wait(seconds: f64) -> String {
    two_units(std::time::Duration::from_secs(seconds.ceil().clamp(1.0, 1e10) as u64))
}

fn two_units(time: std::time::Duration) -> String {
    humantime::format_duration(time).to_string().split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// A key's name as a line's part: what is no text, or would break the line, is escaped as in `\xff` and `\n`.
pub fn name(name: &[u8]) -> String {
    let mut shown = String::new();
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => shown.push_str("\\\\"),
                '\n' | '\r' | '\t' => shown.extend(c.escape_default()),
                c if c.is_ascii_control() => shown.push_str(&format!("\\x{:02x}", u32::from(c))),
                c if c.is_control() => shown.extend(c.escape_unicode()),
                c => shown.push(c),
            }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

/// The beginning of a digest: enough to tell versions apart.
pub fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// A size for people.
pub fn bytes(size: u64) -> String {
    match size {
        0..1_000 => format!("{size} B"),
        1_000..1_000_000 => format!("{:.1} kB", size as f64 / 1e3),
        _ => format!("{:.1} MB", size as f64 / 1e6),
    }
}
