//! A text in EXIF, for formats that have no text of their own: `UserComment`, in UTF-16, where A1111 puts it.

/// The directory's entry that leads to the one of EXIF, and the one with the comment.
const EXIF_IFD: u16 = 0x8769;
const USER_COMMENT: u16 = 0x9286;
/// The types of their values.
const LONG: u16 = 4;
const UNDEFINED: u16 = 7;
const UNICODE: &[u8; 8] = b"UNICODE\0";
const ASCII: &[u8; 8] = b"ASCII\0\0\0";
/// The most entries of a directory that are looked at.
const MAX_ENTRIES: usize = 1000;

/// Writes a comment as an EXIF block, big-endian.
pub fn write(text: &str) -> Vec<u8> {
    let comment: Vec<u8> = UNICODE.iter().copied().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect();
    let mut out = b"MM\0*\0\0\0\x08".to_vec();
    let directory = |out: &mut Vec<u8>, tag: u16, kind: u16, count: u32, value: u32| {
        out.extend(1_u16.to_be_bytes());
        out.extend(tag.to_be_bytes());
        out.extend(kind.to_be_bytes());
        out.extend(count.to_be_bytes());
        out.extend(value.to_be_bytes());
        out.extend(0_u32.to_be_bytes());
    };
    // Each directory of one entry takes 18 bytes.
    directory(&mut out, EXIF_IFD, LONG, 1, 26);
    directory(&mut out, USER_COMMENT, UNDEFINED, comment.len() as u32, 44);
    out.extend(comment);
    out
}

/// Reads the comment of an EXIF block, if it has one.
pub fn read(block: &[u8]) -> Option<String> {
    let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    let tiff = Tiff {
        block,
        big: match block.get(..4)? {
            b"MM\0*" => true,
            b"II*\0" => false,
            _ => return None,
        },
    };
    let (_, exif) = tiff.find(tiff.long(4)?, EXIF_IFD)?;
    let (count, place) = tiff.find(exif, USER_COMMENT)?;
    let bytes = block.get(place as usize..)?.get(..count as usize)?;
    tiff.text(bytes)
}

struct Tiff<'b> {
    block: &'b [u8],
    big: bool,
}

impl Tiff<'_> {
    fn short(&self, at: usize) -> Option<u16> {
        let bytes: [u8; 2] = self.block.get(at..)?.get(..2)?.try_into().ok()?;
        Some(if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes: [u8; 4] = self.block.get(at..)?.get(..4)?.try_into().ok()?;
        Some(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// Finds an entry of a directory: its count and its value.
    fn find(&self, directory: u32, tag: u16) -> Option<(u32, u32)> {
        let at = directory as usize;
        let entries = usize::from(self.short(at)?).min(MAX_ENTRIES);
        let entry = (0..entries).map(|entry| at + 2 + 12 * entry).find(|entry| self.short(*entry) == Some(tag))?;
        Some((self.long(entry + 4)?, self.long(entry + 8)?))
    }

    /// Reads a comment by the eight letters before it.
    fn text(&self, bytes: &[u8]) -> Option<String> {
        if let Some(text) = bytes.strip_prefix(UNICODE) {
            let (big, text) = match text {
                [0xfe, 0xff, text @ ..] => (true, text),
                [0xff, 0xfe, text @ ..] => (false, text),
                text => (self.big, text),
            };
            let unit = |pair: &[u8]| {
                if big { u16::from_be_bytes([pair[0], pair[1]]) } else { u16::from_le_bytes([pair[0], pair[1]]) }
            };
            return Some(String::from_utf16_lossy(&text.chunks_exact(2).map(unit).collect::<Vec<_>>()));
        }
        let text = bytes.strip_prefix(ASCII).or_else(|| bytes.strip_prefix(&[0; 8]))?;
        Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_read_as_it_was_written() {
        for text in ["", "a cat\nSteps: 20", "夜 🦊"] {
            assert_eq!(read(&write(text)).as_deref(), Some(text));
            assert_eq!(read(&[b"Exif\0\0", &write(text)[..]].concat()).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_block_that_means_harm_is_nothing() {
        let whole = write("a cat by the sea");
        for length in 0..whole.len() {
            let _ = read(&whole[..length]);
            let mut broken = whole.clone();
            broken[length] = 0xff;
            let _ = read(&broken);
        }
        assert_eq!(read(b"MM\0*\xff\xff\xff\xff"), None);
        assert_eq!(read(b""), None);
    }
}
