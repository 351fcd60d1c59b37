//! A run reaches what it was granted, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;

use margay_sandbox::{Access, GrantedDirectory, Grants, Run};
use task::Outcome;
use tempfile::TempDir;

use crate::support::{PROBE, call, only, plain};

/// A directory to grant, inside another that is not granted.
struct Place {
    outside: TempDir,
    grants: Grants,
}

impl Place {
    fn granted(access: Access) -> Place {
        let outside = tempfile::tempdir().expect("a directory");
        fs::write(outside.path().join("secret"), "hidden").expect("a file");
        let inside = outside.path().join("inside");
        fs::create_dir(&inside).expect("a directory");
        fs::write(inside.join("hello"), "world").expect("a file");
        let directory = GrantedDirectory::open(&inside, "/data", access).expect("a grant");
        Place { outside, grants: Grants { directories: vec![directory] } }
    }

    async fn run(&self, function: &str, args: &str) -> Result<String, String> {
        let run = Run { grants: &self.grants, ..plain(function, vec![call(args)]) };
        match only(PROBE.sandbox.run(&PROBE.module, run).await) {
            Outcome::Finished(result) => Ok(result),
            Outcome::Failed(failure) => Err(failure.message),
            other => panic!("`{function}` {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_empty_grant_reaches_nothing() {
    for function in ["read", "list", "write"] {
        for path in ["/", "/etc/passwd", ".", "..", "/data/hello"] {
            let outcome = only(PROBE.run(function, &format!(r#"["{path}", "x"]"#)).await);
            assert!(matches!(outcome, Outcome::Failed(_)), "`{function}` {path}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn there_is_no_environment() {
    assert_eq!(PROBE.result("env", "[]").await, r#"{"args":[],"stdin":0,"vars":[]}"#);
}

#[tokio::test]
async fn a_granted_directory_can_be_read() {
    let place = Place::granted(Access::ReadOnly);
    assert_eq!(place.run("read", r#"["/data/hello"]"#).await, Ok(r#""world""#.to_owned()));
    assert_eq!(place.run("list", r#"["/data"]"#).await, Ok(r#"["hello"]"#.to_owned()));
}

#[tokio::test]
async fn a_read_only_grant_cannot_be_written() {
    let place = Place::granted(Access::ReadOnly);
    for path in ["/data/new", "/data/hello"] {
        place.run("write", &format!(r#"["{path}", "x"]"#)).await.expect_err("written");
    }
    assert_eq!(fs::read_to_string(place.outside.path().join("inside/hello")).expect("a file"), "world");
}

#[tokio::test]
async fn a_writable_grant_can_be_written() {
    let place = Place::granted(Access::ReadWrite);
    place.run("write", r#"["/data/new", "fresh"]"#).await.expect("written");
    assert_eq!(fs::read_to_string(place.outside.path().join("inside/new")).expect("a file"), "fresh");
}

#[tokio::test]
async fn nothing_above_a_granted_directory_is_reached() {
    let place = Place::granted(Access::ReadWrite);
    for path in ["/data/../secret", "/data/../inside/../secret", "/secret", "secret"] {
        place.run("read", &format!(r#"["{path}"]"#)).await.expect_err(path);
        place.run("write", &format!(r#"["{path}", "x"]"#)).await.expect_err(path);
    }
    assert_eq!(fs::read_to_string(place.outside.path().join("secret")).expect("a file"), "hidden");
}

#[tokio::test]
async fn a_symlink_out_of_a_granted_directory_is_not_followed() {
    let place = Place::granted(Access::ReadWrite);
    let inside = place.outside.path().join("inside");
    symlink("../secret", inside.join("relative")).expect("a link");
    symlink(place.outside.path().join("secret"), inside.join("absolute")).expect("a link");
    symlink("..", inside.join("up")).expect("a link");
    for path in ["/data/relative", "/data/absolute", "/data/up/secret"] {
        place.run("read", &format!(r#"["{path}"]"#)).await.expect_err(path);
    }
}

#[tokio::test]
async fn a_grant_stays_with_its_directory_when_the_path_changes() {
    let place = Place::granted(Access::ReadOnly);
    let path = place.outside.path();
    fs::rename(path.join("inside"), path.join("elsewhere")).expect("renamed");
    fs::create_dir(path.join("inside")).expect("a directory");
    fs::write(path.join("inside/hello"), "somebody else").expect("a file");
    assert_eq!(place.run("read", r#"["/data/hello"]"#).await, Ok(r#""world""#.to_owned()));
}
