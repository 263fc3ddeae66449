//! `backstitch ping`, which is every container's health check, against roles that run.

use std::path::Path;

use crate::common::{Said, Shop, program, run};

fn ping(url: &str) -> Said {
    run(program(Path::new(env!("CARGO_MANIFEST_DIR"))).args(["ping", url, "--timeout", "2s"]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_serves_is_told_from_one_that_does_not() {
    let (mut shop, mut bank) = (Shop::open().await, Shop::closed());
    let beside = bank.start_beside(&[("payment", &["--listen", "127.0.0.1:0"])]);
    let payment = format!("grpc://{}", beside.await["payment"]);
    let http = shop.url("");
    for url in [&http, &format!("{http}/healthz"), &payment] {
        let said = ping(url);
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), "", ""), "{url}");
    }
    let absent = ping(&format!("{http}/nothing"));
    assert!(absent.code == Some(1) && absent.err.contains("/nothing answered 404"), "{absent:?}");
    let wrong = ping(&http.replace("http://", "grpc://"));
    assert!(wrong.code == Some(1) && wrong.err.contains("does not tell its health"), "{wrong:?}");
    shop.stop().await;
    drop(bank);
    for url in [&http, &payment] {
        let gone = ping(url);
        assert!(gone.code == Some(1) && gone.err.contains("connecting to 127.0.0.1:"), "{gone:?}");
    }
}
