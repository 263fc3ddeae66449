//! A directory of .eml files, for a machine without a mail server: one file per notification, under its id.
//!
//! A mail that is sent again replaces its file, as a mailbox that knows Message-IDs would show it once. Survives a
//! killed process; is not flushed to the disk, because it stands in for a server and is not the log.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Mail, NotSent, Post};

pub(crate) struct Directory(PathBuf);

impl Directory {
    /// Creates the directory if it is not there.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(path)?;
        Ok(Self(path.to_owned()))
    }
}

#[async_trait]
impl Post for Directory {
    async fn send(&self, mail: &Mail) -> Result<(), NotSent> {
        // Written beside and renamed, so that nobody reads half a mail.
        let unfinished = self.0.join(format!("{}.part", mail.id));
        let finished = self.0.join(format!("{}.eml", mail.id));
        let write = async {
            tokio::fs::write(&unfinished, mail.message.formatted()).await?;
            tokio::fs::rename(&unfinished, &finished).await
        };
        write.await.map_err(|e| NotSent::ForNow(format!("{}: {e}", finished.display())))
    }
}
