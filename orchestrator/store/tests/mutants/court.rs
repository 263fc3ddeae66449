//! Runs a law over a suspect and tells whether it was broken.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    pin::Pin,
    sync::Once,
};

use backstitch_store::testing::{Subject, Trial, laws};

/// A law by its name.
pub(crate) struct Law {
    pub(crate) name: &'static str,
    run: for<'a> fn(&'a mut Trial) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
}

/// Every law, in the order of their list.
pub(crate) fn laws() -> Vec<Law> {
    let mut all = Vec::new();
    macro_rules! law {
        ($area:ident $law:ident) => {
            all.push(Law {
                name: concat!(stringify!($area), "::", stringify!($law)),
                run: |trial| Box::pin(laws::$area::$law(trial)),
            });
        };
    }
    backstitch_store::for_each_law!(law);
    all
}

thread_local! {
    /// Whether this thread tries somebody, so that a panic is an answer and nothing to print.
    static TRYING: Cell<bool> = const { Cell::new(false) };
}

/// How the law was broken by a suspect, in the words of its panic; none if it was kept.
pub(crate) fn broken_by<S: Subject + 'static>(law: &Law, suspect: impl FnOnce() -> S) -> Option<String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = take_hook();
        set_hook(Box::new(move |panic| {
            if !TRYING.get() {
                loud(panic);
            }
        }));
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    TRYING.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut trial = Trial::new(Box::new(suspect())).await;
            (law.run)(&mut trial).await;
        });
    }));
    TRYING.set(false);
    let panic = outcome.err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
}
