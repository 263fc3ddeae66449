//! What the notification participant promises, over its real server, a real file and a directory of mails.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../order/tests/harness/mod.rs"]
mod harness;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use backstitch_proto::contract::{Op, Verdict};
use backstitch_proto::notification::notifications_client::NotificationsClient;
use backstitch_proto::notification::{ListNotificationsRequest, Notification, NotifyRequest};
use backstitch_services::{On, each_database};
use participant_kit::{ManualClock, OpenError};
use participant_notification::{Options, Transport};
use tempfile::TempDir;
use tonic::transport::Channel;
use tonic::{Code, Status};
use uuid::Uuid;

use harness::{Call, Served, call};

each_database!(
    a_notification_is_done_before_it_is_sent_and_then_it_is_sent,
    any_call_may_be_repeated_and_one_mail_goes_out,
    the_same_key_with_another_body_is_broken,
    a_notification_id_is_given_once,
    a_closed_notification_is_never_sent,
    an_address_with_more_in_it_than_an_address_is_broken,
    a_parameter_cannot_add_a_header_or_a_line,
    a_letter_that_cannot_be_written_is_broken_and_stores_nothing,
    the_list_is_newest_first_and_as_long_as_asked,
);

const NOW_MS: i64 = 1_790_000_000_000;

struct House {
    served: Served,
    client: NotificationsClient<Channel>,
    clock: ManualClock,
    directory: TempDir,
}

fn options(url: &str, directory: &TempDir, clock: &ManualClock) -> Options {
    Options {
        database_url: url.to_owned(),
        clock: Arc::new(clock.clone()),
        mail_from: "The shop <shop@example.com>".into(),
        mail_to: Transport::Directory(directory.path().join("mail")),
    }
}

impl House {
    async fn open(on: On) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = harness::database(on, directory.path(), &participant_notification::SCHEMA).await;
        let clock = ManualClock::new(NOW_MS);
        let participant = participant_notification::open(options(&url, &directory, &clock)).await.unwrap();
        let served = Served::start(participant).await;
        Self { client: NotificationsClient::new(served.channel.clone()), served, clock, directory }
    }

    async fn notify(&self, call: &Call, request: &NotifyRequest) -> Result<String, Status> {
        let answer = self.client.clone().notify(call.with(request.clone())).await?;
        Ok(answer.into_inner().notification_id)
    }

    async fn list(&self, to: &str, page_size: i32) -> Result<Vec<Notification>, Status> {
        let request = ListNotificationsRequest { to: to.into(), page_size };
        Ok(self.client.clone().list(request).await?.into_inner().notifications)
    }

    /// Sends what is due.
    async fn tick(&self, now_ms: i64) -> usize {
        let mut done = 0;
        for background in &self.served.background {
            let progress = background.tick(now_ms).await;
            assert_eq!(progress.problem, None);
            done += progress.done;
        }
        done
    }

    fn mails(&self) -> Vec<PathBuf> {
        let directory = std::fs::read_dir(self.directory.path().join("mail")).unwrap();
        directory.map(|entry| entry.unwrap().path()).collect()
    }
}

fn notify(saga: Uuid) -> Call {
    call(saga, "notify", Op::Do)
}

fn request(saga: Uuid) -> NotifyRequest {
    let parameters = [
        ("name", "Ada Lovelace"),
        ("order_number", "BS-000123"),
        ("total", "139.12 GBP"),
        ("tracking_number", "BS-5JW3-C7KA-E68Q-JVST"),
    ];
    NotifyRequest {
        notification_id: backstitch_proto::ids::derived(saga, "confirmation").to_string(),
        template: "order_confirmed".into(),
        to: "ada@example.com".into(),
        parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    }
}

#[track_caller]
fn broken(call: &Call, result: Result<impl std::fmt::Debug, Status>) -> String {
    match call.verdict(&result.unwrap_err(), "notification") {
        Verdict::Broken(why) => why,
        other => panic!("not broken: {other:?}"),
    }
}

async fn a_notification_is_done_before_it_is_sent_and_then_it_is_sent(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    let id = house.notify(&notify(saga), &request(saga)).await.unwrap();
    let [queued] = &house.list("", 0).await.unwrap()[..] else { panic!("not one") };
    assert_eq!((queued.status.as_str(), queued.attempts, house.mails().len()), ("queued", 0, 0));

    assert_eq!(house.tick(NOW_MS).await, 1);
    let [sent] = &house.list("ada@example.com", 0).await.unwrap()[..] else { panic!("not one") };
    assert_eq!(
        (sent.status.as_str(), sent.subject.as_str(), sent.created_at_unix_ms),
        ("sent", "Your order BS-000123", NOW_MS)
    );
    let [file] = &house.mails()[..] else { panic!("not one mail") };
    assert_eq!(file.file_name().unwrap().to_str().unwrap(), format!("{id}.eml"));
    let mail = std::fs::read_to_string(file).unwrap();
    for line in [
        format!("Message-ID: <{id}@notification.backstitch>").as_str(),
        "From: \"The shop\" <shop@example.com>",
        "To: ada@example.com",
        "Subject: Your order BS-000123",
        "Dear Ada Lovelace,",
        "You can follow your parcel by its number BS-5JW3-C7KA-E68Q-JVST.",
    ] {
        assert!(mail.lines().any(|l| l == line), "{line:?} is not in\n{mail}");
    }
}

async fn any_call_may_be_repeated_and_one_mail_goes_out(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    let id = house.notify(&notify(saga), &request(saga)).await.unwrap();
    assert_eq!(house.notify(&notify(saga), &request(saga)).await.unwrap(), id);
    assert_eq!(house.tick(NOW_MS).await, 1);
    assert_eq!(house.notify(&notify(saga), &request(saga)).await.unwrap(), id);
    let close = call(saga, "notify", Op::Close);
    assert_eq!(house.notify(&close, &request(saga)).await.unwrap(), id);
    assert_eq!(house.tick(i64::MAX).await, 0);
    assert_eq!((house.mails().len(), house.list("", 0).await.unwrap().len()), (1, 1));
}

async fn the_same_key_with_another_body_is_broken(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    house.notify(&notify(saga), &request(saga)).await.unwrap();
    let other = NotifyRequest { to: "eve@example.com".into(), ..request(saga) };
    broken(&notify(saga), house.notify(&notify(saga), &other).await);
    let mut other = request(saga);
    other.parameters.insert("total".into(), "0.00 GBP".into());
    broken(&notify(saga), house.notify(&notify(saga), &other).await);
    assert_eq!(house.list("", 0).await.unwrap()[0].to, "ada@example.com");
}

async fn a_notification_id_is_given_once(on: On) {
    let house = House::open(on).await;
    let (mine, yours) = (Uuid::now_v7(), Uuid::now_v7());
    house.notify(&notify(mine), &request(mine)).await.unwrap();
    let stolen = NotifyRequest { notification_id: request(mine).notification_id, ..request(yours) };
    broken(&notify(yours), house.notify(&notify(yours), &stolen).await);
}

async fn a_closed_notification_is_never_sent(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    let close = call(saga, "notify", Op::Close);
    let closed = house.notify(&close, &request(saga)).await.unwrap_err();
    assert!(matches!(close.verdict(&closed, "notification"), Verdict::Refused(_)), "{closed:?}");
    let late = house.notify(&notify(saga), &request(saga)).await.unwrap_err();
    assert!(matches!(notify(saga).verdict(&late, "notification"), Verdict::Superseded(_)), "{late:?}");
    assert_eq!(house.tick(i64::MAX).await, 0);
}

async fn an_address_with_more_in_it_than_an_address_is_broken(on: On) {
    let house = House::open(on).await;
    for to in [
        "ada@example.com\r\nBcc: all@example.com",
        "ada@example.com, eve@example.com",
        "Ada <ada@example.com>",
        "ada@example.com\0",
        "",
    ] {
        let saga = Uuid::now_v7();
        let bad = NotifyRequest { to: to.into(), ..request(saga) };
        let why = broken(&notify(saga), house.notify(&notify(saga), &bad).await);
        assert!(why.contains(": to "), "{why}");
    }
    assert!(house.list("", 0).await.unwrap().is_empty());
}

async fn a_parameter_cannot_add_a_header_or_a_line(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    let mut evil = request(saga);
    let injected = "BS-1\r\nBcc: all@example.com\r\n\r\nYou have won";
    evil.parameters = evil.parameters.into_keys().map(|name| (name, injected.to_owned())).collect();
    house.notify(&notify(saga), &evil).await.unwrap();
    house.tick(NOW_MS).await;
    let mail = std::fs::read_to_string(&house.mails()[0]).unwrap();
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    let names: Vec<&str> =
        head.lines().filter(|l| !l.starts_with([' ', '\t'])).filter_map(|l| l.split(':').next()).collect();
    assert_eq!(
        names,
        ["Message-ID", "Date", "From", "To", "Subject", "Content-Type", "Content-Transfer-Encoding"]
    );
    assert!(!body.lines().any(|l| l.starts_with("You have won") || l.starts_with("Bcc:")), "{body}");
}

async fn a_letter_that_cannot_be_written_is_broken_and_stores_nothing(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    let unknown = NotifyRequest { template: "order_eaten".into(), ..request(saga) };
    broken(&notify(saga), house.notify(&notify(saga), &unknown).await);
    let unfilled = NotifyRequest { parameters: BTreeMap::new(), ..request(saga) };
    broken(&notify(saga), house.notify(&notify(saga), &unfilled).await);
    // Once the caller is mended the same key works.
    house.notify(&notify(saga), &request(saga)).await.unwrap();
}

async fn the_list_is_newest_first_and_as_long_as_asked(on: On) {
    let house = House::open(on).await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let saga = Uuid::now_v7();
        let to = if n % 2 == 0 { "ada@example.com" } else { "bob@example.com" };
        let request = NotifyRequest { to: to.into(), ..request(saga) };
        ids.insert(0, house.notify(&notify(saga), &request).await.unwrap());
        house.clock.advance(1);
    }
    let listed = |all: Vec<Notification>| all.into_iter().map(|n| n.notification_id).collect::<Vec<_>>();
    assert_eq!(listed(house.list("", 0).await.unwrap()), ids);
    assert_eq!(listed(house.list("", 2).await.unwrap()), ids[..2]);
    assert_eq!(listed(house.list("bob@example.com", 10).await.unwrap()), [ids[1].clone(), ids[3].clone()]);
    for page_size in [-1, 1001] {
        assert_eq!(house.list("", page_size).await.unwrap_err().code(), Code::InvalidArgument);
    }
    assert_eq!(house.list("a\nb", 0).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_wrong_mail_option_is_named_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(NOW_MS);
    let url = On::Sqlite.url(directory.path(), "notification");
    let options = |directory, clock| options(&url, directory, clock);
    let from = Options { mail_from: "nobody".into(), ..options(&directory, &clock) };
    let smtp = Options { mail_to: Transport::Smtp("mail.example.com".into()), ..options(&directory, &clock) };
    for (options, wrong) in [(from, "mail_from"), (smtp, "smtp")] {
        match participant_notification::open(options).await.err() {
            Some(OpenError::Config { option, .. }) => assert_eq!(option, wrong),
            other => panic!("{other:?}"),
        }
    }
    std::fs::write(directory.path().join("file"), "").unwrap();
    let path = directory.path().join("file").join("mail");
    let in_a_file = Options { mail_to: Transport::Directory(path.clone()), ..options(&directory, &clock) };
    let refused = participant_notification::open(in_a_file).await.err().unwrap();
    assert!(refused.to_string().contains(path.to_str().unwrap()), "{refused}");
}
