//! Pictures to work on where there are no photos: suns over hills, in several sizes and formats.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use image::{Rgb, RgbImage};

use super::photos::Photo;

/// Width, height and format of each picture.
const PICTURES: [(u32, u32, &str); 12] = [
    (640, 480, "jpg"),
    (480, 640, "png"),
    (1024, 1024, "jpg"),
    (800, 600, "webp"),
    (1600, 900, "jpg"),
    (900, 1600, "jpg"),
    (1280, 720, "png"),
    (320, 240, "png"),
    (1920, 1080, "jpg"),
    (600, 600, "webp"),
    (2000, 500, "jpg"),
    (120, 120, "png"),
];

/// Paints them all into a new directory.
pub fn paint_all(directory: &Path) -> Result<Vec<Photo>> {
    fs::create_dir_all(directory)?;
    let mut photos = Vec::new();
    for (number, (width, height, format)) in PICTURES.into_iter().enumerate() {
        let name = format!("picture-{:02}.{format}", number + 1);
        let hue = number as f32 / PICTURES.len() as f32;
        paint(width, height, hue)
            .save(directory.join(&name))
            .with_context(|| format!("cannot write the picture `{name}`"))?;
        photos.push(Photo::look(directory, name)?);
    }
    Ok(photos)
}

/// A sky that grows lighter towards the horizon, a sun, and two ranges of hills.
fn paint(width: u32, height: u32, hue: f32) -> RgbImage {
    let (w, h) = (width as f32, height as f32);
    let sun = (w * (0.2 + 0.6 * hue), h * 0.35, w.min(h) * 0.14);
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (x as f32, y as f32);
        let far = h * (0.66 + 0.06 * (x / w * 9.0 + hue * 20.0).sin());
        let near = h * (0.80 + 0.08 * (x / w * 5.0 + hue * 40.0).sin());
        let from_sun = ((x - sun.0).powi(2) + (y - sun.1).powi(2)).sqrt();
        if y > near {
            colour(hue + 0.30, 0.25)
        } else if y > far {
            colour(hue + 0.25, 0.45)
        } else if from_sun < sun.2 {
            Rgb([255, 236, 180])
        } else {
            colour(hue, 0.5 + 0.45 * y / far)
        }
    })
}

/// A colour of this hue, from 0 to 1 and round again, and this brightness.
fn colour(hue: f32, brightness: f32) -> Rgb<u8> {
    let channel = |shift: f32| {
        let wave = 0.65 + 0.35 * ((hue + shift) * std::f32::consts::TAU).cos();
        (255.0 * brightness * wave) as u8
    };
    Rgb([channel(0.0), channel(0.33), channel(0.67)])
}
