//! A shop in which everything happens at once, reconciled without a pause: no false alarm.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backstitch_reconciler::{At, Move, Options, Report, Shop as Whom, reconcile as run};
use futures::StreamExt as _;

use crate::common::{Asked, Shop, order_of, reconcile};

/// What checkouts are made of: those that complete, that are refused at every point, and that have to be asked again.
const TOKENS: [&str; 8] = [
    "tok_ok",
    "tok_declined",
    "tok_capture_fails",
    "tok_3ds_ok",
    "tok_ok",
    "tok_slow_capture",
    "tok_3ds_fail",
    "tok_timeout_executed",
];

const CUSTOMERS: usize = 160;
const AT_ONCE: usize = 16;

fn whom(asked: &Asked) -> Whom {
    let at = |uri: &str| At {
        address: uri.to_owned(),
        channel: tonic::transport::Channel::from_shared(uri.to_owned()).unwrap().connect_lazy(),
    };
    Whom::new(at(&asked.payment), at(&asked.order), at(&asked.orchestrator))
}

async fn look(whom: &Whom, grace: Duration) -> Report {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let options = Options { grace, ..Options::default() };
    run(whom, &options, i64::try_from(now).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_shop_gives_no_false_alarm() {
    let shop = Shop::stocked().await;
    shop.put_product("A", 500, 1_000).await;
    let asked = Asked::of(&shop);
    let whom = whom(&asked);
    let customers = futures::stream::iter(0..CUSTOMERS).map(|n| {
        let shop = &shop;
        async move {
            let name = format!("customer-{n}");
            shop.fill(&name, &[("A", 1)]).await;
            shop.check_out(&name, &order_of(&name, TOKENS[n % TOKENS.len()])).await
        }
    });
    let mut customers = Box::pin(customers.buffer_unordered(AT_ONCE).collect::<Vec<_>>());
    let (mut looks, mut again, mut moving) = (0, 0, 0);
    let ended = loop {
        let looked = async {
            // With the usual grace, nothing is at risk at all. Without any, what a saga is doing right now is told to that
            // saga, and nothing is told to a person or taken back.
            (look(&whom, Options::default().grace).await, look(&whom, Duration::ZERO).await)
        };
        tokio::select! {
            biased;
            (usual, strict) = looked => {
                assert!(usual.findings.iter().all(|told| told.finding.step == Move::Wait), "{usual}");
                assert!(!usual.is_anything_at_risk(), "{usual}");
                let alarm = |step: &Move| matches!(step, Move::Repair { .. } | Move::Person(_));
                assert!(!strict.findings.iter().any(|told| alarm(&told.finding.step)), "{strict}");
                looks += 2;
                again += usual.counts.looked_at_again + strict.counts.looked_at_again;
                moving += usual.counts.moving + strict.counts.moving;
            }
            ended = &mut customers => break ended,
        }
    };
    drop(customers);
    let seen = format!(
        "{looks} looks at {CUSTOMERS} checkouts: {again} looked at again, {moving} never stood still"
    );
    assert!(looks > 10 && again > 100, "{seen}: it was to be reconciled while it was open");
    let completed = ended.iter().filter(|answer| answer.text("/status") == "completed").count();
    assert!(completed > CUSTOMERS / 3, "{completed} completed");
    assert_eq!(reconcile(shop.directory(), &asked, &[]), Vec::<serde_json::Value>::new());
    shop.close().await;
}
