//! Only a task module becomes one; everything else is refused with a reason.

use margay_sandbox::{Refusal, Sandbox, Settings};
use task::{Hook, Options, Schedule};

use crate::support::{CLOCKWORK, PROBE, probe};

fn refusal(text: &str) -> Refusal {
    let bytes = wat::parse_str(text).expect("valid WAT");
    match PROBE.sandbox.compile(&bytes) {
        Ok(_) => panic!("it was taken: {text}"),
        Err(refusal) => refusal,
    }
}

#[tokio::test]
async fn a_module_describes_its_functions() {
    let functions = PROBE.sandbox.describe(&PROBE.module).await.expect("a description");
    let find = |name| functions.iter().find(|function| function.name == name).expect("a function");
    assert_eq!(find("spin").options, Options { hard_timeout: Some(1.5), ..Options::default() });
    assert_eq!(find("fail").options, Options { retry: true, ..Options::default() });
    assert!(find("batch").batch && !find("noop").batch);
    assert_eq!(find("noop").input.as_ref().map(|schema| schema.get()), Some(r#"{"type":"object"}"#));
    assert_eq!(find("noop").doc, "Does what `noop` says.");
}

#[tokio::test]
async fn a_module_describes_its_schedules_and_hooks() {
    let functions = PROBE.sandbox.describe(&CLOCKWORK).await.expect("a description");
    let find = |name| functions.iter().find(|function| function.name == name).expect("a function");
    let every_second = Schedule::Periodic { period: 1.0, start: None, end: None };
    assert_eq!(find("tick").options.schedule, Some(every_second));
    assert_eq!(find("tick_custom").options.schedule, Some(Schedule::Custom("next_time".to_owned())));
    let hooks = ["work", "before", "after", "gone"].map(|name| find(name).hook);
    assert_eq!(hooks, [None, Some(Hook::Before), Some(Hook::After), Some(Hook::OnPermanentError)]);
}

#[test]
fn junk_is_no_component() {
    for junk in [&b""[..], b"\0as", b"#!/bin/sh", &[0; 100]] {
        assert!(matches!(PROBE.sandbox.compile(junk), Err(Refusal::NotAComponent)), "{junk:?}");
    }
}

#[test]
fn a_component_cut_short_does_not_compile() {
    let mut bytes = probe();
    bytes.truncate(bytes.len() / 2);
    assert!(matches!(PROBE.sandbox.compile(&bytes), Err(Refusal::Compile(_))));
}

#[test]
fn a_core_module_is_told_what_it_is() {
    let refusal = refusal("(module)");
    assert!(matches!(refusal, Refusal::CoreModule));
    assert_eq!(
        refusal.to_string(),
        "is a core WebAssembly module, not a component; build it for `wasm32-wasip2`"
    );
}

#[test]
fn a_component_without_tasks_is_refused() {
    assert!(matches!(refusal("(component)"), Refusal::NoTasks));
}

#[test]
fn sockets_and_http_are_refused_by_name() {
    let refusal = refusal(
        r#"(component
            (import "wasi:cli/environment@0.2.3" (instance))
            (import "wasi:sockets/network@0.2.3" (instance))
            (import "wasi:http/outgoing-handler@0.2.3" (instance)))"#,
    );
    let Refusal::ForbiddenImport { names } = &refusal else { panic!("{refusal}") };
    assert_eq!(names[..], ["wasi:sockets/network@0.2.3", "wasi:http/outgoing-handler@0.2.3"]);
    assert!(refusal.to_string().contains("`wasi:sockets/network@0.2.3`, `wasi:http"), "{refusal}");
}

#[test]
fn what_only_looks_like_wasi_is_refused() {
    for name in ["wasi:iot/pins@0.2.0", "wasi:cli/environment@0.3.0", "wasi:cli/environment", "secrets"] {
        let refusal = refusal(&format!(r#"(component (import "{name}" (instance)))"#));
        assert!(matches!(refusal, Refusal::ForbiddenImport { .. }), "{name}: {refusal}");
    }
}

#[test]
fn a_module_for_another_version_of_the_contract_is_refused() {
    let text = r#"(component (import "margay:task/context@0.2.0" (instance)))"#;
    assert!(matches!(refusal(text), Refusal::WrongVersion { found } if found == "margay:task/context@0.2.0"));
    let text = r#"(component (instance $i) (export "margay:task/tasks@1.0.0" (instance $i)))"#;
    assert!(matches!(refusal(text), Refusal::WrongVersion { .. }));
}

#[test]
fn a_module_with_other_types_than_the_contract_is_refused() {
    let text = r#"(component (instance $i) (export "margay:task/tasks@0.1.0" (instance $i)))"#;
    assert!(matches!(refusal(text), Refusal::Unlinkable(_)));
}

#[test]
fn a_component_with_too_many_memories_is_refused() {
    let memories = "(core instance (instantiate $m))".repeat(10);
    let text = format!("(component (core module $m (memory 1)) {memories})");
    assert!(matches!(refusal(&text), Refusal::Compile(message) if message.contains("memories")));
}

#[test]
fn a_component_beyond_its_limit_is_not_even_read() {
    let settings = Settings { slots: 1, max_component_bytes: 10, ..Settings::default() };
    let sandbox = Sandbox::new(settings).expect("a sandbox");
    let Err(refusal) = sandbox.compile(&[0; 11]) else { panic!("it was taken") };
    assert!(matches!(refusal, Refusal::TooBig { size_bytes: 11, limit_bytes: 10 }), "{refusal}");
}
