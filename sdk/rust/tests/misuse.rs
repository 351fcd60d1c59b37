//! Wrong uses of `#[task]` fail to compile with a message that names the fix; right ones compile.

#[test]
fn misuse_is_a_compile_error_that_names_the_fix() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_fail/*.rs");
    cases.pass("tests/pass/*.rs");
}
