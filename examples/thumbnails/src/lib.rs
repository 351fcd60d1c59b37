//! Makes small copies of photos: from the granted directory `/photos` into the granted directory
//! `/thumbnails`, and nowhere else.

mod thumbnail;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use margay_sdk::{Context, Failure, Result, log, task};
use serde::Serialize;

use thumbnail::Thumbnail;

/// Where the two granted directories are inside the sandbox.
const PHOTOS: &str = "/photos";
const THUMBNAILS: &str = "/thumbnails";

/// The longest side a copy may have, in pixels.
const LARGEST: u32 = 4096;

/// What was made.
#[derive(Serialize, Debug, PartialEq)]
pub struct Resized {
    file: String,
    /// The copy's name in `/thumbnails`.
    output: String,
    bytes_before: usize,
    bytes_after: usize,
    width: u32,
    height: u32,
}

/// Writes a copy of a photo whose longer side has at most `size` pixels: as JPEG, or as PNG where
/// something shines through.
///
/// Reads PNG, JPEG and WebP. A photo that is small enough keeps its size.
#[task(queue = "thumbnails", hard_timeout = "30s", retry = exponential("1s", 2.0, 5))]
pub fn resize(file: String, #[default(256)] size: u32) -> Result<Resized> {
    resize_between(Path::new(PHOTOS), Path::new(THUMBNAILS), file, size)
}

margay_sdk::export!(resize);

fn resize_between(photos: &Path, thumbnails: &Path, file: String, size: u32) -> Result<Resized> {
    check_name(&file)?;
    if size == 0 || size > LARGEST {
        let message = format!("argument `size`: expected 1 to {LARGEST} pixels, got {size}");
        return Err(invalid(message));
    }
    let photo = read(&photos.join(&file))?;
    let Thumbnail { bytes, extension, width, height } = thumbnail::make(&photo, size)?;
    let output = output_name(&file, extension);
    write(&thumbnails.join(&output), &bytes)?;
    log::info!(file = file.as_str(), width = width, height = height; "made {output}");
    Ok(Resized { file, output, bytes_before: photo.len(), bytes_after: bytes.len(), width, height })
}

/// A plain file name has no directory in it. The sandbox would refuse to leave the directory; saying so
/// before is kinder.
fn check_name(file: &str) -> Result<()> {
    let is_plain = !file.contains(['/', '\\', '\0']) && Path::new(file).file_name() == Some(file.as_ref());
    if is_plain {
        return Ok(());
    }
    Err(invalid(format!("argument `file`: expected a file's name without a directory, got `{file}`")))
}

/// `cat.jpg` stays `cat.jpg`, `cat.webp` becomes `cat.webp.jpg`: photos that differ in their ending only must
/// not overwrite each other's copies.
fn output_name(file: &str, extension: &str) -> String {
    match Path::new(file).extension() {
        Some(known) if known == extension => file.to_owned(),
        _ => format!("{file}.{extension}"),
    }
}

fn invalid(message: String) -> Failure {
    Failure::new("invalid-arguments", message).permanent()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            Failure::new("no-such-file", format!("there is no file `{}`", path.display())).permanent()
        }
        ErrorKind::PermissionDenied => {
            Failure::new("not-permitted", format!("`{}` leads out of the directory", path.display()))
                .permanent()
        }
        _ => Failure::from(error),
    })
}

/// Writes beside the target and renames, so that nobody ever sees half a picture. Another task may be
/// making the same copy: the task's id keeps the two apart.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = path.with_extension(format!("{}.part", Context::current().task().id));
    fs::write(&unfinished, bytes)?;
    fs::rename(&unfinished, path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_file_names_are_taken() {
        for plain in ["cat.jpg", "cat.of.mine.png", "cat"] {
            check_name(plain).expect("a plain name");
        }
        for wrong in ["", ".", "..", "a/b.jpg", "/etc/passwd", "../cat.jpg", "a\\b.jpg", "cat.jpg/"] {
            let failure = check_name(wrong).expect_err(wrong);
            assert_eq!(failure.kind(), "invalid-arguments");
            assert!(failure.is_permanent());
        }
    }

    #[test]
    fn photos_that_differ_in_their_ending_have_copies_that_differ() {
        let names = ["cat.jpg", "cat.jpeg", "cat.webp", "cat.of.mine"].map(|file| output_name(file, "jpg"));
        assert_eq!(names, ["cat.jpg", "cat.jpeg.jpg", "cat.webp.jpg", "cat.of.mine.jpg"]);
    }

    #[test]
    fn a_size_out_of_range_is_refused() {
        for size in [0, 4097] {
            let failure = resize("cat.jpg".to_owned(), size).expect_err("no such size");
            assert_eq!(failure.kind(), "invalid-arguments");
        }
    }

    #[test]
    fn a_missing_file_is_not_tried_again() {
        let failure = resize("no-such-cat.jpg".to_owned(), 64).expect_err("it is missing");
        assert_eq!(failure.kind(), "no-such-file");
        assert!(failure.is_permanent());
    }

    #[test]
    fn a_photo_goes_from_one_directory_to_the_other() {
        let directory = std::env::temp_dir().join(format!("thumbnails-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory for the test");
        let photo = thumbnail::tests::png(200, 100, 255);
        fs::write(directory.join("cat.png"), &photo).expect("a photo");

        let resized =
            resize_between(&directory, &directory, "cat.png".to_owned(), 64).expect("it is a photo");
        let copy = fs::read(directory.join("cat.png.jpg")).expect("a copy");
        let left = fs::read_dir(&directory).expect("the directory").count();
        fs::remove_dir_all(&directory).expect("the test's own directory");

        assert_eq!((resized.output.as_str(), resized.width, resized.height), ("cat.png.jpg", 64, 32));
        assert_eq!((resized.bytes_before, resized.bytes_after), (photo.len(), copy.len()));
        assert_eq!(left, 2, "nothing half-finished is left");
    }
}
