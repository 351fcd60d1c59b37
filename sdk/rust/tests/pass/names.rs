//! Names that our own code also uses do not get in its way.
#![deny(warnings)]

use margay_sdk::task;

fn argument_0() -> u32 {
    7
}

#[task]
fn call(arguments: u32, #[default(argument_0())] call: u32, mut value: u32) -> u32 {
    value += 1;
    arguments + call + value
}

#[task]
fn run(#[cfg(all())] r#type: u32) -> u32 {
    r#type
}

#[task]
fn arguments() -> std::io::Result<u64> {
    Ok(1)
}

#[task]
#[cfg(any())]
fn not_here() {}

margay_sdk::export!(call, self::run, crate::arguments);

fn main() {
    assert_eq!(call(1, 2, 3), 7);
    assert_eq!(run(1), 1);
    assert_eq!(arguments().expect("it cannot fail"), 1);
}
