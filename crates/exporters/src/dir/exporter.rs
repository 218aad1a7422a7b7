//! What the engine sees of the folder exporter; how a file gets there is in `write`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use periscope_core::{Archive, ExportContext, ExportError, Exporter, Format, Receipt};
use tokio::task::spawn_blocking;

use super::{check, write};

/// Puts archives into `DIR/<run-id>/`: `<node>.tar.gz`, `<node>.zip`, or the folder `<node>`.
///
/// An archive has its name only when it is whole and on the disk. One of the same run and node is replaced.
#[derive(Debug, Clone)]
pub struct DirExporter {
    folder: PathBuf,
    formats: Vec<Format>,
}

impl DirExporter {
    /// An exporter into `folder`, which it makes when it is missing, in each of the formats.
    pub fn new(folder: impl Into<PathBuf>, formats: Vec<Format>) -> Self {
        Self {
            folder: folder.into(),
            formats,
        }
    }
}

#[async_trait]
impl Exporter for DirExporter {
    fn name(&self) -> &'static str {
        "dir"
    }

    async fn check(&self) -> Result<(), ExportError> {
        let folder = self.folder.clone();
        blocking(&self.folder, move || check::check(&folder)).await
    }

    async fn export(&self, cx: &ExportContext, archive: Arc<dyn Archive>) -> Result<Vec<Receipt>, ExportError> {
        let folder = self.folder.join(archive.run_id().as_str());
        let mut receipts = Vec::new();
        for &format in &self.formats {
            let written = {
                let (archive, cancel, folder) = (Arc::clone(&archive), cx.cancel.clone(), folder.clone());
                blocking(&self.folder, move || match format {
                    Format::Unpacked => write::unpacked(archive.as_ref(), &folder),
                    Format::TarGz | Format::Zip => write::packed(archive.as_ref(), format, &folder, &cancel),
                })
                .await?
            };
            receipts.push(Receipt {
                location: written.path.display().to_string(),
                format,
                bytes: written.bytes,
            });
        }
        Ok(receipts)
    }
}

async fn blocking<T: Send + 'static>(
    folder: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ExportError> {
    let outcome = spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| Err(io::Error::other(panic)));
    outcome.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ExportError::new(format!("cannot write to {}: its disk is full", folder.display()))
        }
        _ => ExportError::new(format!("cannot write to {}", folder.display())).because(error),
    })
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]
mod tests {
    use std::fs;
    use std::io;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use periscope_core::{ExportContext, ExportError, Exporter as _, Format, Receipt};
    use periscope_testkit::SampleArchive;
    use rstest::rstest;
    use tokio_util::sync::CancellationToken;

    use super::DirExporter;

    async fn export(folder: &Path, formats: &[Format], archive: SampleArchive) -> Result<Vec<Receipt>, ExportError> {
        let cx = ExportContext {
            cancel: CancellationToken::new(),
        };
        DirExporter::new(folder, formats.to_vec())
            .export(&cx, Arc::new(archive))
            .await
    }

    /// Every file and folder below, with its mode, sorted.
    fn below(folder: &Path) -> Vec<(PathBuf, u32)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            if metadata.is_dir() {
                found.extend(below(&path));
            }
            found.push((path, metadata.permissions().mode() & 0o777));
        }
        found.sort();
        found
    }

    #[tokio::test]
    async fn each_format_has_its_file_which_only_its_owner_may_read() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("new/run-1");
        let receipts = export(&folder.path().join("new"), &Format::ALL, SampleArchive::new(1, 100_000))
            .await
            .unwrap();

        let ours = below(folder.path())
            .into_iter()
            .filter(|(path, _)| !path.starts_with(run.join("node-1/logs")));
        assert_eq!(
            ours.collect::<Vec<_>>(),
            [
                (folder.path().join("new"), 0o700),
                (run.clone(), 0o700),
                (run.join("node-1"), 0o700),
                (run.join("node-1.tar.gz"), 0o600),
                (run.join("node-1.zip"), 0o600),
            ]
        );
        assert!(fs::read(run.join("node-1.zip")).unwrap() == SampleArchive::new(1, 100_000).packed());
        let location = |name: &str| run.join(name).display().to_string();
        assert_eq!(
            receipts,
            [
                Receipt {
                    location: location("node-1.tar.gz"),
                    format: Format::TarGz,
                    bytes: 100_000
                },
                Receipt {
                    location: location("node-1.zip"),
                    format: Format::Zip,
                    bytes: 100_000
                },
                Receipt {
                    location: location("node-1"),
                    format: Format::Unpacked,
                    bytes: 1
                },
            ]
        );
    }

    #[rstest]
    #[case::tar_gz(Format::TarGz)]
    #[case::zip(Format::Zip)]
    #[case::unpacked(Format::Unpacked)]
    #[tokio::test]
    async fn an_archive_replaces_the_earlier_one_only_when_it_is_whole(#[case] format: Format) {
        let folder = tempfile::tempdir().unwrap();
        export(folder.path(), &[format], SampleArchive::new(1, 70_000))
            .await
            .unwrap();
        let before = below(folder.path());

        let mut broken = SampleArchive::new(2, 200_000);
        broken.fails_after = Some((100_000, io::ErrorKind::UnexpectedEof));
        export(folder.path(), &[format], broken).await.unwrap_err();
        assert_eq!(
            below(folder.path()),
            before,
            "nothing half is left, and the earlier one is there"
        );

        let receipts = export(folder.path(), &[format], SampleArchive::new(22, 80_000))
            .await
            .unwrap();
        assert_eq!(below(folder.path()), before);
        assert_eq!(receipts[0].bytes, if format == Format::Unpacked { 2 } else { 80_000 });
    }

    #[rstest]
    #[case::a_full_disk(io::ErrorKind::StorageFull, ": its disk is full")]
    #[case::a_used_up_quota(io::ErrorKind::QuotaExceeded, ": its disk is full")]
    #[case::another(io::ErrorKind::UnexpectedEof, "")]
    #[tokio::test]
    async fn an_error_is_one_line_that_names_the_folder(#[case] kind: io::ErrorKind, #[case] cause: &str) {
        let folder = tempfile::tempdir().unwrap();
        let mut broken = SampleArchive::new(2, 200_000);
        broken.fails_after = Some((0, kind));
        let error = export(folder.path(), &[Format::Zip], broken).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot write to {}{cause}", folder.path().display())
        );
    }

    #[tokio::test]
    async fn without_time_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let cx = ExportContext {
            cancel: CancellationToken::new(),
        };
        cx.cancel.cancel();
        let exporter = DirExporter::new(folder.path().join("new"), vec![Format::TarGz]);
        exporter
            .export(&cx, Arc::new(SampleArchive::new(1, 100_000)))
            .await
            .unwrap_err();
        assert_eq!(below(&folder.path().join("new/run-1")), []);
    }

    #[tokio::test]
    async fn a_check_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("used")).unwrap();
        for name in ["used", "new/and/below"] {
            DirExporter::new(folder.path().join(name), vec![])
                .check()
                .await
                .unwrap();
        }
        assert_eq!(below(folder.path()).len(), 1);
        assert!(folder.path().join("used").is_dir());
    }

    #[rstest]
    #[case::a_file("file")]
    #[case::below_a_file("file/below")]
    #[tokio::test]
    async fn a_check_finds_that_there_can_be_no_folder(#[case] name: &str) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let wanted = folder.path().join(name);
        let error = DirExporter::new(&wanted, vec![]).check().await.unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write to {}", wanted.display()));
        assert_eq!(below(folder.path()).len(), 1);
    }
}
