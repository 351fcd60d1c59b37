//! What a module may reach is what the worker's configuration grants to it.

use image::{ImageFormat, RgbImage};
use queue::Ended;
use serde_json::json;

use crate::harness::{PROBE, Site, call};

const GRANTED: &str = r#"
    [modules.thumbnails]
    directories = [
        { path = "photos", guest = "/photos" },
        { path = "thumbnails", guest = "/thumbnails", write = true },
    ]
"#;

/// A site with one photo.
async fn studio() -> Site {
    let site = Site::start().await;
    for folder in ["photos", "thumbnails"] {
        std::fs::create_dir(site.path(folder)).expect("an empty folder");
    }
    let photo = RgbImage::from_fn(640, 480, |x, y| image::Rgb([x as u8, y as u8, 90]));
    photo.save_with_format(site.path("photos/cat.png"), ImageFormat::Png).expect("a photo");
    site.deploy("examples/thumbnails").await;
    site
}

/// Has one file resized by a worker of its own.
async fn resize(site: &Site, file: &str) -> Ended {
    let worker = site.worker(&[]).await;
    let id = site.enqueue(call("thumbnails:resize", json!([file, 64]))).await;
    let ended = site.ended(&id).await;
    worker.stop().await;
    site.is_consistent().await;
    ended
}

#[tokio::test]
async fn a_granted_directory_takes_the_pictures() {
    let site = studio().await;
    site.configure(GRANTED);
    let ended = resize(&site, "cat.png").await;
    assert_eq!(ended.outcome, "finished", "{ended:?}");
    let copy = image::open(site.path("thumbnails/cat.png.jpg")).expect("a picture");
    assert_eq!((copy.width(), copy.height()), (64, 48));
}

#[tokio::test]
async fn without_a_grant_there_are_no_files() {
    let site = studio().await;
    let ended = resize(&site, "cat.png").await;
    assert_eq!(ended.error.as_deref(), Some("no-such-file"), "{ended:?}");
    assert_eq!(ended.attempts, 1, "another run would not find them either");
}

#[tokio::test]
async fn nobody_leaves_a_granted_directory() {
    let site = studio().await;
    site.configure(GRANTED);
    site.write("secret.png", std::fs::read(site.path("photos/cat.png")).expect("a photo"));
    let ended = resize(&site, "../secret.png").await;
    assert_eq!(ended.error.as_deref(), Some("invalid-arguments"), "{ended:?}");
    let copies = std::fs::read_dir(site.path("thumbnails")).expect("the folder").count();
    assert_eq!(copies, 0);
}

#[tokio::test]
async fn the_sandbox_itself_leads_nowhere_else() {
    let site = Site::start().await;
    site.deploy(PROBE).await;
    site.write("signals/mine", "mine");
    std::os::unix::fs::symlink(site.path("margay.toml"), site.path("signals/link")).expect("a link");
    let worker = site.worker(&[]).await;
    let read = async |path: &str| {
        let id = site.enqueue(call("probe:read", json!([path]))).await;
        site.ended(&id).await
    };
    assert_eq!(read("/signals/mine").await.result.expect("a result").get(), r#""mine""#);
    let outside = site.path("margay.toml");
    let outside = outside.to_str().expect("a path that is text");
    for path in ["/signals/../margay.toml", "/signals/link", "/etc/passwd", outside] {
        assert_eq!(read(path).await.error.as_deref(), Some("io"), "{path}");
    }
    worker.stop().await;
    site.is_consistent().await;
}
