//! Reads the small text files that a user names. What is too long, or never ends, is refused: the length that the file
//! system tells is not asked, as a device or a pipe has none.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The file's text, or in a few words why it cannot be had.
#[expect(
    clippy::disallowed_methods,
    reason = "a small file of whoever runs the command, not of the node"
)]
pub(crate) fn read(path: &Path, max: u64) -> Result<String, String> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(max + 1).read_to_string(&mut text))
        .map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => "it is not text".to_owned(),
            io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
            _ => error.to_string(),
        })?;
    if text.len() as u64 > max {
        return Err(format!("it is too long, expected at most {max} bytes"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::read;
    use rstest::rstest;
    use std::path::Path;

    #[rstest]
    #[case::a_device_that_never_ends("/dev/zero", "it is too long, expected at most 9 bytes")]
    #[case::a_folder("/dev", "it is a folder")]
    fn what_is_no_small_file_is_refused(#[case] path: &str, #[case] expected: &str) {
        assert_eq!(read(Path::new(path), 9).unwrap_err(), expected);
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "123456789").unwrap();
        assert_eq!(read(&path, 9).unwrap(), "123456789");
        assert!(read(&path, 8).is_err());
        std::fs::write(&path, b"\xff").unwrap();
        assert_eq!(read(&path, 8).unwrap_err(), "it is not text");
    }
}
