//! From a photo's bytes to a small copy's bytes. Touches no files.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, ImageResult, Limits};
use margay_sdk::{Failure, Result};

/// A photo that unpacks to more than this is refused: a small file can claim to be a huge picture.
const MEMORY_LIMIT_BYTES: u64 = 96 << 20;

const JPEG_QUALITY: u8 = 85;

pub struct Thumbnail {
    pub bytes: Vec<u8>,
    pub extension: &'static str,
    pub width: u32,
    pub height: u32,
}

/// Makes a copy whose longer side has at most `size` pixels.
///
/// # Errors
/// `not-an-image` if the bytes are no picture that can be read, `image-too-large` if it is too big to unpack.
pub fn make(photo: &[u8], size: u32) -> Result<Thumbnail> {
    let small = shrink(photo, size).map_err(|error| {
        let kind = if matches!(error, ImageError::Limits(_)) { "image-too-large" } else { "not-an-image" };
        Failure::from(error).with_kind(kind).permanent()
    })?;
    let (width, height) = (small.width(), small.height());
    let (bytes, extension) = encode(small)?;
    Ok(Thumbnail { bytes, extension, width, height })
}

fn shrink(photo: &[u8], size: u32) -> ImageResult<DynamicImage> {
    let mut decoder = ImageReader::new(Cursor::new(photo)).with_guessed_format()?.into_decoder()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY_LIMIT_BYTES);
    limits.reserve(decoder.total_bytes())?;
    decoder.set_limits(limits)?;
    let orientation = decoder.orientation()?;
    let picture = DynamicImage::from_decoder(decoder)?;
    let mut small =
        if picture.width().max(picture.height()) > size { picture.thumbnail(size, size) } else { picture };
    // Cameras store pictures lying on their side, with a note which way is up. Turning needs a second
    // picture in memory, so it is the small one that is turned.
    small.apply_orientation(orientation);
    Ok(small)
}

/// JPEG knows no transparency, so a picture that has some becomes a PNG.
fn encode(picture: DynamicImage) -> ImageResult<(Vec<u8>, &'static str)> {
    let mut bytes = Vec::new();
    let shines_through =
        picture.color().has_alpha() && picture.to_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX);
    if shines_through {
        picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
        return Ok((bytes, "png"));
    }
    JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).encode_image(&picture.to_rgb8())?;
    Ok((bytes, "jpg"))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use image::{Rgba, RgbaImage};

    /// A picture of one colour, as opaque as `alpha` says.
    pub fn png(width: u32, height: u32, alpha: u8) -> Vec<u8> {
        let picture = RgbaImage::from_pixel(width, height, Rgba([200, 120, 40, alpha]));
        let mut bytes = Vec::new();
        picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).expect("memory to write to");
        bytes
    }

    fn shape(photo: &[u8], size: u32) -> (&'static str, u32, u32) {
        let small = make(photo, size).expect("it is a picture");
        let read_back = image::load_from_memory(&small.bytes).expect("the copy is one, too");
        assert_eq!((read_back.width(), read_back.height()), (small.width, small.height));
        (small.extension, small.width, small.height)
    }

    #[test]
    fn the_longer_side_is_cut_to_size() {
        assert_eq!(shape(&png(400, 100, 255), 100), ("jpg", 100, 25));
        assert_eq!(shape(&png(100, 400, 255), 100), ("jpg", 25, 100));
        assert_eq!(shape(&png(4000, 2, 255), 10), ("jpg", 10, 1));
    }

    #[test]
    fn a_small_picture_keeps_its_size() {
        assert_eq!(shape(&png(30, 20, 255), 100), ("jpg", 30, 20));
    }

    #[test]
    fn transparency_is_kept() {
        assert_eq!(shape(&png(200, 200, 100), 50), ("png", 50, 50));
    }

    #[test]
    fn jpeg_and_webp_are_read() {
        let picture = image::load_from_memory(&png(64, 64, 255)).expect("a picture");
        for format in [ImageFormat::Jpeg, ImageFormat::WebP] {
            let mut bytes = Vec::new();
            picture.to_rgb8().write_to(&mut Cursor::new(&mut bytes), format).expect("memory to write to");
            assert_eq!(shape(&bytes, 32), ("jpg", 32, 32));
        }
    }

    #[test]
    fn a_picture_that_unpacks_to_too_much_is_refused() {
        let mut header = png(1, 1, 255);
        // The picture's head, changed to say 32768 by 32768 pixels, with a checksum to match.
        header[16..24].copy_from_slice(&[0, 0, 0x80, 0, 0, 0, 0x80, 0]);
        let checksum = 0xc47c_a37f_u32;
        header[29..33].copy_from_slice(&checksum.to_be_bytes());
        let failure = make(&header, 32).map(|small| small.extension).expect_err("it is far too large");
        assert_eq!(failure.kind(), "image-too-large", "{failure}");
    }

    #[test]
    fn anything_else_is_not_an_image() {
        let photo = png(64, 64, 255);
        let truncated = &photo[..photo.len() / 2];
        for bytes in [&b""[..], b"GIF89a", b"once upon a time", truncated] {
            let failure = make(bytes, 32).map(|small| small.extension).expect_err("it is no picture");
            assert_eq!(failure.kind(), "not-an-image");
            assert!(failure.is_permanent());
        }
    }
}
