//! Which operations share a commit.

use super::operation::Operation;
use crate::database::Dialect;

/// The most locks of one transaction, unless a single operation has more: a Postgres server has room for some thousands
/// between all that work on it.
const MAX_LOCKS: usize = 1024;

/// Whom an operation shares its commit with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// Whoever is queued.
    Anybody,
    /// The same, and it waits a moment for somebody to come.
    Awaited,
    /// Nobody: it looks at barrier rows that others of its batch may have moved, which are written after all have run.
    Nobody,
}

/// How many of them, from the first on, one transaction takes: those that may share it, and on Postgres whose locks it
/// can hold; at least one.
pub(super) fn together(operations: &[Box<dyn Operation>], dialect: Dialect) -> usize {
    let alone = operations.iter().position(|operation| operation.company() == Company::Nobody);
    let sociable = &operations[..alone.unwrap_or(operations.len())];
    let mut locks = 0;
    let fits = sociable.iter().take_while(|operation| {
        locks += operation.locks().len();
        dialect == Dialect::Sqlite || locks <= MAX_LOCKS
    });
    fits.count().max(1).min(operations.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::LockKey;
    use crate::transactor::operation::{Body, Typed};

    fn operations(companies: &[Company]) -> Vec<Box<dyn Operation>> {
        let of = |company: &Company| {
            let body: Body<()> = Box::new(|_| Box::pin(std::future::ready(Ok(()))));
            let locks = (0..400).map(|n| LockKey::new("sku", &n.to_string())).collect();
            Typed::boxed(locks, None, body, None, *company).0 as Box<dyn Operation>
        };
        companies.iter().map(of).collect()
    }

    #[test]
    fn who_wants_no_company_has_none_and_a_transaction_holds_only_so_many_locks() {
        use Company::{Anybody, Awaited, Nobody};
        for (companies, sqlite, postgres) in [
            (&[Anybody, Awaited, Nobody, Anybody][..], 2, 2),
            (&[Nobody, Anybody], 1, 1),
            (&[Nobody, Nobody], 1, 1),
            (&[Anybody, Anybody, Anybody, Anybody], 4, 2),
        ] {
            let operations = operations(companies);
            assert_eq!(together(&operations, Dialect::Sqlite), sqlite, "{companies:?}");
            assert_eq!(together(&operations, Dialect::Postgres), postgres, "{companies:?}");
        }
    }
}
