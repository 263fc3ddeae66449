//! What the store in memory does when a fault is injected: what a caller of any store must cope with.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use async_trait::async_trait;
use backstitch_store::{
    Append, Store, StoreError, Verdict,
    testing::{Edit as _, Fault, MemoryStore, Subject, Trial},
};
use uuid::Uuid;

struct Shared(Arc<MemoryStore>);

#[async_trait]
impl Subject for Shared {
    async fn open(&mut self) -> Arc<dyn Store> {
        Arc::clone(&self.0) as Arc<dyn Store>
    }

    async fn poison(&self, saga: Uuid) {
        self.0.poison(saga);
    }
}

async fn trial() -> (Arc<MemoryStore>, Trial, Append) {
    let store = Arc::new(MemoryStore::default());
    let mut t = Trial::new(Box::new(Shared(Arc::clone(&store)))).await;
    let saga = t.id();
    let append = t.start(saga).key("k").event("e");
    (store, t, append)
}

#[tokio::test]
async fn after_unavailable_full_or_fatal_nothing_is_written() {
    for fault in [Fault::Unavailable, Fault::Full, Fault::Fatal] {
        let (store, t, append) = trial().await;
        store.fail_next(fault);
        let error = store.commit(std::slice::from_ref(&append)).await.unwrap_err();
        assert!(matches!(
            (fault, error),
            (Fault::Unavailable, StoreError::Unavailable(_))
                | (Fault::Full, StoreError::Full(_))
                | (Fault::Fatal, StoreError::Fatal(_))
        ));
        assert_eq!((t.length(append.saga).await, t.numbers().await, store.commits()), (0, vec![], 0));
        t.accept(&[append]).await;
    }
}

#[tokio::test]
async fn after_unknown_the_same_batch_is_committed_once() {
    for (fault, written) in [(Fault::UnknownLost, 0), (Fault::UnknownWritten, 1)] {
        let (store, t, append) = trial().await;
        store.fail_next(fault);
        let error = store.commit(std::slice::from_ref(&append)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unknown(_)));
        assert_eq!(t.length(append.saga).await, written);
        t.accept(std::slice::from_ref(&append)).await;
        assert_eq!((t.length(append.saga).await, t.numbers().await), (1, vec![1]));
    }
}

#[tokio::test]
async fn faults_are_met_in_the_order_in_which_they_were_ordered() {
    let (store, _t, append) = trial().await;
    store.fail_next(Fault::Full);
    store.fail_next(Fault::Unavailable);
    let batch = [append];
    assert!(matches!(store.commit(&batch).await, Err(StoreError::Full(_))));
    assert!(matches!(store.commit(&batch).await, Err(StoreError::Unavailable(_))));
    assert_eq!(store.commit(&batch).await, Ok(vec![Verdict::Committed]));
    assert_eq!(store.commits(), 1);
}

#[tokio::test]
async fn a_held_store_commits_when_it_is_released() {
    let (store, t, append) = trial().await;
    store.hold();
    let batch = [append];
    let mut commit = std::pin::pin!(store.commit(&batch));
    assert!(futures_poll(commit.as_mut()).await.is_none());
    assert_eq!(t.length(batch[0].saga).await, 0);
    store.release();
    assert_eq!(commit.await, Ok(vec![Verdict::Committed]));
}

/// Polls once.
async fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    let mut future = Some(future);
    std::future::poll_fn(|cx| match future.take().map(|future| future.poll(cx)) {
        Some(std::task::Poll::Ready(output)) => std::task::Poll::Ready(Some(output)),
        _ => std::task::Poll::Ready(None),
    })
    .await
}
