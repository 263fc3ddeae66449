//! Disks that are full: new work is refused in so many words, nothing is lost, and everything goes on when there is room.
//!
//! A database is held to so many pages (SQLite's `max_page_count`), most of them taken by a ballast that can be thrown
//! out while the shop runs. The same on a real file system, for which one has to be root:
//! `cargo test -p backstitch --test chaos_faults -- --ignored tmpfs`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use futures::StreamExt as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Row as _};

use crate::books::{self, Books};
use crate::common::{Process, Shop, until};
use crate::customers::{Customer, all_are_answered, all_have_ended};
use crate::stage;
use crate::table::{self, Row};

/// Pages that a database may grow by before it is full.
const ROOM: i64 = 40;
/// A participant writes less for a checkout.
const LITTLE_ROOM: i64 = 12;
/// And so many can be had by throwing the ballast out.
const BALLAST: i64 = 4_000;

async fn database(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(20));
    options.connect().await.unwrap()
}

/// Takes pages in a database that nobody else has open; how many it has then.
async fn take_ballast(path: &Path) -> i64 {
    let mut conn = database(path).await;
    sqlx::raw_sql("CREATE TABLE ballast (bytes BLOB)").execute(&mut conn).await.unwrap();
    let insert = sqlx::query("INSERT INTO ballast VALUES (zeroblob(?1))").bind(BALLAST * 4096);
    insert.execute(&mut conn).await.unwrap();
    sqlx::query("PRAGMA page_count").fetch_one(&mut conn).await.unwrap().get(0)
}

/// Gives the pages back, while others use the database.
async fn throw_out_ballast(path: &Path) {
    sqlx::raw_sql("DELETE FROM ballast").execute(&mut database(path).await).await.unwrap();
}

/// How often customers were told so.
fn told(customers: &[Customer], status: u16) -> u64 {
    customers.iter().filter_map(|customer| customer.put_off.get(&status)).sum()
}

/// Everybody who has no checkout yet asks once.
async fn all_ask_once(shop: &Shop, customers: &mut [Customer]) {
    let asking = futures::stream::iter(customers.iter_mut().filter(|c| c.checkout.is_none()));
    asking.for_each_concurrent(8, async |customer| drop(customer.ask(shop).await)).await;
}

#[tokio::test]
async fn a_full_store_refuses_new_work_loses_nothing_and_goes_on_when_there_is_room() {
    let (mut shop, at) = stage::participants().await;
    let uris: BTreeMap<_, _> = at.into_iter().map(|(name, at)| (name, format!("http://{at}"))).collect();
    shop.start_orchestrator(&uris).await;
    stage::stock(&shop).await;
    shop.take().stop().await;
    let file = shop.data().join("orchestrator.db");
    let limit = (take_ballast(&file).await + ROOM).to_string();
    let args = [&stage::QUICK[..], &["--max-pages", &limit]].concat();
    shop.start_orchestrator_with(&uris, &args).await;

    // They keep coming until enough of them were turned away.
    let mut customers: Vec<Customer> = Vec::new();
    until("the store is full", async || {
        let first = customers.len();
        customers.extend((first..first + 8).map(Customer::new));
        all_ask_once(&shop, &mut customers[first..]).await;
        (told(&customers, 507) >= 20).then_some(())
    })
    .await;
    let accepted = customers.iter().filter(|c| c.checkout.is_some()).count();
    assert!(accepted > 0 && accepted < customers.len(), "{accepted} of {}", customers.len());
    // Said in so many words; what was accepted is still told of.
    let refused = customers.iter().find(|c| c.checkout.is_none()).unwrap();
    let answer = shop.send(refused.request(&shop)).await;
    answer.is_problem(507, "storage-full", "");
    let ready = shop.get("/readyz").await;
    assert!(ready.status == 503 && ready.text("/detail").contains("store is full"), "{ready:?}");
    for customer in &customers {
        if let Some(id) = &customer.checkout {
            shop.get(&format!("/api/v1/checkouts/{id}")).await.ok();
        }
    }
    // Nor does a kill in the middle of it lose anything, and whoever comes back is as full.
    shop.kill();
    shop.start_orchestrator_with(&uris, &args).await;
    let refusals = told(&customers, 507);
    until("it is full again", async || {
        all_ask_once(&shop, &mut customers).await;
        (told(&customers, 507) > refusals || customers.iter().all(|c| c.checkout.is_some())).then_some(())
    })
    .await;

    throw_out_ballast(&file).await;
    all_are_answered(&shop, &mut customers, 8).await;
    let resumed = all_have_ended(&shop, &customers).await;
    until("it is ready again", async || (shop.get("/readyz").await.status == 200).then_some(())).await;
    let refusals = told(&customers, 507);
    let books = Books::of(&shop, &customers).await;
    let (ends, found) = books::close(shop, &customers, books).await;
    table::row(&Row {
        what: "the saga store's disk",
        work: format!("{} checkouts: {ends}; {resumed} resumed", customers.len()),
        injected: format!(
            "full with {accepted} accepted, {refusals} answers 507, killed while full, then room again"
        ),
        violations: &found,
    });
}

#[tokio::test]
async fn full_participants_refuse_or_delay_lose_nothing_and_go_on_when_there_is_room() {
    let mut shop = Shop::closed();
    let data = shop.data().display().to_string();
    let args = ["participants", "--listen", "127.0.0.1:0", "--data", &data];
    Process::start("first", &args, shop.data().parent().unwrap()).await.stop().await;
    let (mut uris, mut files) = (BTreeMap::new(), Vec::new());
    for name in ["inventory", "shipping", "payment", "order", "cart", "notification"] {
        let file = shop.data().join(format!("{name}.db"));
        let limit = (take_ballast(&file).await + LITTLE_ROOM).to_string();
        let at = shop.start_beside(&[(name, &["--listen", "127.0.0.1:0", "--max-pages", &limit])]).await;
        uris.extend(at.into_iter().map(|(name, at)| (name, format!("http://{at}"))));
        files.push(file);
    }
    shop.start_orchestrator_with(&uris, &stage::QUICK).await;
    stage::stock(&shop).await;

    let mut customers: Vec<Customer> = Vec::new();
    let put_off = |customers: &[Customer]| -> u64 { customers.iter().flat_map(|c| c.put_off.values()).sum() };
    until("the participants are full", async || {
        let first = customers.len();
        customers.extend((first..first + 8).map(Customer::new));
        all_ask_once(&shop, &mut customers[first..]).await;
        (put_off(&customers) >= 20).then_some(())
    })
    .await;
    let accepted = customers.iter().filter(|c| c.checkout.is_some()).count();
    assert!(accepted > 0 && accepted < customers.len(), "{accepted} of {}", customers.len());
    // Whoever is refused is told who has no room.
    let mut refused = customers.iter().filter(|c| c.checkout.is_none()).cycle();
    let told = until("somebody is refused", async || {
        let answer = refused.next().unwrap().fill(&shop).await.unwrap();
        (answer.status == 503).then_some(answer)
    })
    .await;
    assert!(
        told.text("/detail").contains("cart") && told.text("/detail").contains("disk is full"),
        "{told:?}"
    );

    for file in &files {
        throw_out_ballast(file).await;
    }
    let refusals = put_off(&customers);
    all_are_answered(&shop, &mut customers, 8).await;
    let resumed = all_have_ended(&shop, &customers).await;
    let books = Books::of(&shop, &customers).await;
    let (ends, found) = books::close(shop, &customers, books).await;
    table::row(&Row {
        what: "every participant's disk",
        work: format!("{} checkouts: {ends}; {resumed} resumed", customers.len()),
        injected: format!("full with {accepted} accepted, {refusals} refusals, then room again"),
        violations: &found,
    });
}

/// A small file system in memory, mounted at a directory until it is dropped.
struct Tmpfs<'a>(&'a Path);

impl<'a> Tmpfs<'a> {
    fn mount(at: &'a Path, megabytes: u64) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let size = format!("size={megabytes}m");
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).status().unwrap();
        assert!(done.success(), "a tmpfs cannot be mounted at {}; one has to be root", at.display());
        Self(at)
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

/// Fills a file system up, but for so many bytes.
fn fill_up(file: &Path, all_but: u64) {
    let mut ballast = std::fs::File::create(file).unwrap();
    let piece = vec![0; 1 << 16];
    while std::io::Write::write(&mut ballast, &piece).is_ok() {}
    let taken = ballast.metadata().unwrap().len();
    ballast.set_len(taken.saturating_sub(all_but)).unwrap();
}

#[tokio::test]
#[ignore = "mounts a file system, for which one has to be root"]
async fn a_full_tmpfs_under_everything_loses_nothing_and_everything_goes_on_when_there_is_room() {
    let mut shop = Shop::closed();
    let data = shop.data();
    let tmpfs = Tmpfs::mount(&data, 64);
    shop.start().await;
    stage::stock(&shop).await;
    let ballast = data.join("ballast");
    let mut customers: Vec<Customer> = Vec::new();
    let put_off = |customers: &[Customer]| -> u64 { customers.iter().flat_map(|c| c.put_off.values()).sum() };
    for killed in [false, true] {
        fill_up(&ballast, 1 << 20);
        let before = put_off(&customers);
        until("the disk is full", async || {
            let first = customers.len();
            customers.extend((first..first + 8).map(Customer::new));
            all_ask_once(&shop, &mut customers[first..]).await;
            (put_off(&customers) >= before + 20).then_some(())
        })
        .await;
        assert_eq!(shop.get("/healthz").await.status, 200);
        if killed {
            shop.kill();
        }
        std::fs::remove_file(&ballast).unwrap();
        if killed {
            shop.start().await;
        }
        all_are_answered(&shop, &mut customers, 8).await;
    }
    let refusals = put_off(&customers);
    let resumed = all_have_ended(&shop, &customers).await;
    let books = Books::of(&shop, &customers).await;
    let (ends, found) = books::close(shop, &customers, books).await;
    drop(tmpfs);
    table::row(&Row {
        what: "a small tmpfs under everything",
        work: format!("{} checkouts: {ends}; {resumed} resumed", customers.len()),
        injected: format!("full twice, {refusals} refusals, killed once, then room again"),
        violations: &found,
    });
}
