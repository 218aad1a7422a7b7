//! What the caller says about a stream, and what can go wrong with it.

/// How the bytes of a stream are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// Lines of text; also the choice where nothing is known.
    Text,
    /// Container logs of CRI runtimes: `<time> stdout|stderr P|F <payload>`.
    CriLog,
    /// Container logs of Docker's json-file driver: `{"log":"…","stream":"…","time":"…"}`.
    DockerLog,
    /// JSON documents, treated as text: they are not parsed, and stay valid.
    Json,
    /// YAML documents, treated as text.
    Yaml,
    /// No text: only tokens and keys whose form leaves no doubt are replaced, and lengths stay the same.
    Binary,
}

/// Why a stream cannot be redacted. What was given out before must be withheld.
#[derive(Debug, thiserror::Error)]
pub enum RedactError {
    /// Bytes came after the end of the stream.
    #[error("the stream was finished before")]
    Finished,
    /// The stream begins with the byte order mark of UTF-16, which the rules do not read.
    #[error("it is text in UTF-16, whose secrets cannot be told from the rest")]
    Utf16,
    /// A replacement lies outside of what is held: a fault in the redactor.
    #[error("a replacement lies outside of the text")]
    Inconsistent,
}
