//! The photos of a directory.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::process::Misuse;

/// The formats that the `thumbnails` example reads.
const EXTENSIONS: [&str; 4] = ["jpeg", "jpg", "png", "webp"];

/// A picture before it is made small.
pub struct Photo {
    pub name: String,
    pub size_bytes: u64,
    /// Width and height in pixels; `None` where its head cannot be read.
    pub pixels: Option<(u32, u32)>,
}

impl Photo {
    /// Looks at a file, without reading more than its head.
    pub fn look(directory: &Path, name: String) -> Result<Photo> {
        let path = directory.join(&name);
        let size_bytes = fs::metadata(&path)?.len();
        let pixels = image::image_dimensions(&path).ok();
        Ok(Photo { name, size_bytes, pixels })
    }
}

/// The photos right in this directory, by name.
pub fn in_directory(directory: &Path) -> Result<Vec<Photo>> {
    let shown = directory.display();
    let entries = fs::read_dir(directory)
        .map_err(|error| Misuse(format!("cannot read the directory `{shown}`: {error}")))?;
    let inside = directory.canonicalize()?;
    let mut photos = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if !path.is_file() || !has_photo_extension(&path) {
            continue;
        }
        if !path.canonicalize()?.starts_with(&inside) {
            eprintln!(
                "skipping `{}`: it is a link out of the directory, which no sandbox follows",
                path.display()
            );
            continue;
        }
        // Inside the sandbox, file names are UTF-8.
        match path.file_name().and_then(|name| name.to_str()) {
            Some(name) => photos.push(Photo::look(directory, name.to_owned())?),
            None => eprintln!("skipping `{}`: its name is not UTF-8", path.display()),
        }
    }
    if photos.is_empty() {
        let message = format!("there are no photos (png, jpg, jpeg, webp) in `{shown}`");
        return Err(Misuse(message).into());
    }
    photos.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(photos)
}

fn has_photo_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_photos_count_and_they_are_sorted() {
        let directory = tempfile::tempdir().expect("a folder");
        for name in ["b.PNG", "a.webp", "notes.txt", "c.jpeg", "png"] {
            fs::write(directory.path().join(name), "x").expect("a file");
        }
        fs::create_dir(directory.path().join("folder.png")).expect("a folder");
        let elsewhere = tempfile::NamedTempFile::new().expect("a file");
        std::os::unix::fs::symlink(elsewhere.path(), directory.path().join("out.png")).expect("a link");
        std::os::unix::fs::symlink("missing", directory.path().join("gone.png")).expect("a link");
        let photos = in_directory(directory.path()).expect("some are photos");
        let names: Vec<_> = photos.iter().map(|photo| photo.name.as_str()).collect();
        assert_eq!(names, ["a.webp", "b.PNG", "c.jpeg"]);
        assert_eq!((photos[0].size_bytes, photos[0].pixels), (1, None));
    }

    #[test]
    fn a_directory_without_photos_is_misuse() {
        let directory = tempfile::tempdir().expect("a folder");
        for wrong in [directory.path().to_owned(), directory.path().join("missing")] {
            let error = in_directory(&wrong).err().expect("there are no photos");
            assert!(error.is::<Misuse>(), "{error:#}");
        }
    }
}
