//! Takes up open rows.

use async_trait::async_trait;

use crate::action::{OutsideAction, OutsideUndo};
use crate::kit::Kit;
use crate::server::{Background, Progress};

/// Takes up *doing* and *closing* rows whose task is gone: after a crash, a panic or a silent provider.
pub struct Resolver {
    _kit: Kit,
}

impl Resolver {
    /// A resolver that knows no RPC yet.
    pub fn new(kit: Kit) -> Self {
        Self { _kit: kit }
    }

    /// How to build the action of `kind` again from what it encoded itself as.
    #[must_use]
    pub fn action<O: OutsideAction>(
        self,
        _kind: &'static str,
        _decode: impl Fn(&[u8]) -> Result<O, String> + Send + Sync + 'static,
    ) -> Self {
        self
    }

    /// How to build the undo of `kind` again from what it encoded itself as.
    #[must_use]
    pub fn undo<U: OutsideUndo>(
        self,
        _kind: &'static str,
        _decode: impl Fn(&[u8]) -> Result<U, String> + Send + Sync + 'static,
    ) -> Self {
        self
    }
}

#[async_trait]
impl Background for Resolver {
    fn name(&self) -> &'static str {
        "resolver"
    }

    async fn tick(&self, _now_ms: i64) -> Progress {
        Progress::idle()
    }
}
