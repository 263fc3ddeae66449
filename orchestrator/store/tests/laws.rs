//! Every law on every store.

#![allow(clippy::unwrap_used)]

mod common;

mod memory {
    use backstitch_store::testing::{Trial, laws};

    macro_rules! law {
        ($area:ident $law:ident) => {
            #[tokio::test]
            async fn $law() {
                laws::$area::$law(&mut Trial::new(Box::<super::common::Memory>::default()).await).await;
            }
        };
    }
    backstitch_store::for_each_law!(law);
}

mod sqlite {
    use backstitch_store::testing::{Trial, laws};

    macro_rules! law {
        ($area:ident $law:ident) => {
            #[tokio::test]
            async fn $law() {
                laws::$area::$law(&mut Trial::new(Box::new(super::common::Sqlite::new())).await).await;
            }
        };
    }
    backstitch_store::for_each_law!(law);
}

mod postgres {
    use backstitch_store::testing::{Trial, laws};

    macro_rules! law {
        ($area:ident $law:ident) => {
            #[tokio::test]
            async fn $law() {
                laws::$area::$law(&mut Trial::new(Box::new(super::common::Postgres::new())).await).await;
            }
        };
    }
    backstitch_store::for_each_law!(law);
}
