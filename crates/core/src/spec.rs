//! What an artifact is, said before its first byte, and where in the archive it stands.

use jiff::Timestamp;

use crate::{ArtifactPath, Content, Encoding, Limit};

/// The part of the archive in which an artifact stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `nodes/<node>/<action>/`: what is true of this node.
    Node,
    /// `cluster-resources/`: what is true of the cluster, where viewers of support bundles look for it.
    Cluster,
    /// The top folder.
    Top,
}

impl Place {
    /// The path in the archive of an artifact called `name`.
    pub fn path(self, node: &str, action: &str, name: &str) -> ArtifactPath {
        match self {
            Self::Node => ArtifactPath::from_names(["nodes", node, action, name]),
            Self::Cluster => ArtifactPath::from_names(["cluster-resources", name]),
            Self::Top => ArtifactPath::from_names([name]),
        }
    }
}

/// What an artifact is, said before its first byte.
#[derive(Debug, Clone)]
pub struct ArtifactSpec {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) source: Option<String>,
    pub(crate) modified: Option<Timestamp>,
    /// What the bytes are.
    pub content: Content,
    /// How the bytes are wrapped.
    pub encoding: Encoding,
    /// The most that is kept of it. Set by the sink, unless the action asks for less.
    pub limit: Limit,
    /// Bytes at the start of the (unwrapped) source that are shown to the redactor only: what is kept begins with the
    /// first line that starts after them. Where a reader starts in the middle of a file, they keep a secret that began
    /// before that point from passing as something else.
    pub context: u64,
    /// Bytes of the source that were left out before its first byte here: the artifact ends `truncated`.
    pub omitted: u64,
}

impl ArtifactSpec {
    /// An artifact at `name` below the action's folder. Parts of the name that cannot stand in a path are replaced.
    pub fn new(name: impl Into<String>, content: Content) -> Self {
        Self {
            name: name.into(),
            place: Place::Node,
            source: None,
            modified: None,
            content,
            encoding: Encoding::Identity,
            limit: Limit {
                bytes: u64::MAX,
                by_user: false,
            },
            context: 0,
            omitted: 0,
        }
    }

    /// Puts it into another part of the archive.
    #[must_use]
    pub fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Says where on the node or in the cluster it comes from.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says when the source was last written.
    #[must_use]
    pub fn modified(mut self, modified: Option<Timestamp>) -> Self {
        self.modified = modified;
        self
    }

    /// When the source was last written, where that is known.
    pub fn modified_at(&self) -> Option<Timestamp> {
        self.modified
    }

    /// Says how the bytes are wrapped.
    #[must_use]
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Says that the source is read from its middle: `omitted` bytes are left out, and then come `context` bytes for
    /// the redactor's eyes only.
    #[must_use]
    pub fn tail(mut self, omitted: u64, context: u64) -> Self {
        self.omitted = omitted;
        self.context = context;
        self
    }

    /// Keeps at most so many bytes of it, if that is less than what is allowed anyway.
    #[must_use]
    pub fn at_most(mut self, bytes: u64) -> Self {
        self.limit.bytes = bytes;
        self
    }
}
