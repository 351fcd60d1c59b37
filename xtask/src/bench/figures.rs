//! Figures with their names, units and goals.

use comfy_table::{Table, presets};
use serde::Serialize;

/// Everything that was measured, in order.
#[derive(Default, Serialize)]
pub struct Figures {
    figures: Vec<Figure>,
}

#[derive(Serialize)]
struct Figure {
    name: String,
    unit: &'static str,
    median: f64,
    rounds: Vec<f64>,
    goal: &'static str,
}

impl Figures {
    /// Notes one figure, from all of its rounds.
    pub fn note(
        &mut self,
        name: impl Into<String>,
        unit: &'static str,
        goal: &'static str,
        rounds: Vec<f64>,
    ) {
        let name = name.into();
        let median = percentile(&rounds, 0.5);
        eprintln!("{name}: {median:.2} {unit}");
        self.figures.push(Figure { name, unit, median, rounds, goal });
    }

    /// Notes how one rate stands to another, in percent, round by round.
    pub fn note_share(&mut self, name: impl Into<String>, goal: &'static str, these: &[f64], of: &[f64]) {
        let shares = these.iter().zip(of).map(|(this, of)| 100.0 * this / of);
        self.note(name, "%", goal, shares.collect());
    }

    /// Prints them as a table.
    pub fn print(&self) {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_header(["MEASURED", "MEDIAN", "LEAST", "MOST", "UNIT", "GOAL"]);
        for figure in &self.figures {
            let (least, most) = (percentile(&figure.rounds, 0.0), percentile(&figure.rounds, 1.0));
            let numbers = [figure.median, least, most].map(short);
            let [median, least, most] = numbers;
            table.add_row([figure.name.clone(), median, least, most, figure.unit.into(), figure.goal.into()]);
        }
        println!("{table}");
    }
}

/// The value below which this share of the values lies.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

fn short(number: f64) -> String {
    if number >= 1000.0 { format!("{number:.0}") } else { format!("{number:.2}") }
}
