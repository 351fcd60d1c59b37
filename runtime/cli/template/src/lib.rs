//! The tasks of the module `{{name}}`.

use margay_sdk::{Failure, Result, log, task};

/// Greets somebody.
#[task(hard_timeout = "10s", retry = fixed("5s", 3))]
pub fn hello(name: String, #[default("en")] language: String) -> Result<String> {
    log::info!("greeting {name}");
    let greeting = match language.as_str() {
        "en" => "Hello",
        "es" => "Hola",
        "de" => "Hallo",
        other => return Err(Failure::new("unknown-language", format!("no greeting in `{other}`")).permanent()),
    };
    Ok(format!("{greeting}, {name}!"))
}

margay_sdk::export!(hello);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greets_in_the_language_that_was_asked_for() {
        assert_eq!(hello("Ana".to_owned(), "es".to_owned()).expect("a greeting"), "Hola, Ana!");
    }
}
