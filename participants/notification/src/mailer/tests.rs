use std::collections::BTreeMap;
use std::sync::Mutex;

use backstitch_proto::address::EmailAddress;
use backstitch_proto::notification::Notification;
use participant_kit::ManualClock;
use tempfile::TempDir;
use tokio::sync::Notify;
use uuid::Uuid;

use super::*;
use crate::template::Letter;

const NOW_MS: i64 = 1_790_000_000_000;

/// A post that does what it is told and remembers what it was given.
#[derive(Default)]
struct Stand {
    given: Mutex<Vec<(Uuid, Vec<u8>)>>,
    /// What becomes of the mail to an address. `None`: it is delivered.
    fate: Mutex<BTreeMap<String, NotSent>>,
    /// Delivers, but answers only when it is told to.
    holds: Mutex<bool>,
    delivered: Notify,
    answer: Notify,
}

impl Stand {
    fn refuses(&self, to: &str, why: NotSent) {
        self.fate.lock().unwrap().insert(to.to_owned(), why);
    }

    fn given(&self) -> Vec<(Uuid, Vec<u8>)> {
        self.given.lock().unwrap().clone()
    }

    fn times(&self, id: Uuid) -> usize {
        self.given().iter().filter(|(given, _)| *given == id).count()
    }
}

#[async_trait]
impl Post for Stand {
    async fn send(&self, mail: &Mail) -> Result<(), NotSent> {
        let fate = {
            let to = mail.message.envelope().to()[0].to_string();
            self.given.lock().unwrap().push((mail.id, mail.message.formatted()));
            self.fate.lock().unwrap().get(&to).cloned()
        };
        let holds = *self.holds.lock().unwrap();
        if holds {
            self.delivered.notify_one();
            self.answer.notified().await;
        }
        fate.map_or(Ok(()), Err)
    }
}

struct House {
    mailer: Mailer,
    stand: Arc<Stand>,
    kit: Kit,
    _directory: TempDir,
}

async fn house() -> House {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("n.db").display());
    let clock = Arc::new(ManualClock::new(NOW_MS));
    let kit = Kit::open(&crate::SCHEMA, &url, clock).await.unwrap();
    let stand = Arc::new(Stand::default());
    let mailer = mailer(&kit, &stand);
    House { mailer, stand, kit, _directory: directory }
}

fn mailer(kit: &Kit, post: &Arc<Stand>) -> Mailer {
    let from = "The shop <shop@example.com>".parse().unwrap();
    Mailer { kit: kit.clone(), from, post: post.clone() }
}

impl House {
    async fn queue(&self, to: &str) -> Uuid {
        let id = Uuid::now_v7();
        let to = EmailAddress::parse(to).unwrap();
        let queue = self.kit.run(Vec::new(), move |tx| {
            let to = to.clone();
            Box::pin(async move {
                let letter = Letter { subject: "Hello".into(), body: "Dear Ada,\n".into() };
                let queued = store::Queued { id, template: "order_confirmed", to: &to, letter: &letter };
                Ok(store::queue(tx.conn(), &queued, Uuid::nil(), NOW_MS).await?)
            })
        });
        assert!(queue.await.unwrap());
        id
    }

    async fn find(&self, id: Uuid) -> Notification {
        let mut conn = self.kit.reads().acquire().await.unwrap();
        let all = store::list(&mut conn, "", 1000).await.unwrap();
        all.into_iter().find(|n| n.notification_id == id.to_string()).unwrap()
    }

    async fn status(&self, id: Uuid) -> String {
        self.find(id).await.status
    }

    /// A tick whose process dies after the mail was handed over and before that was written down.
    async fn tick_and_die(&self, now_ms: i64) {
        *self.stand.holds.lock().unwrap() = true;
        tokio::select! {
            progress = self.mailer.tick(now_ms) => panic!("nothing was handed over: {progress:?}"),
            () = self.stand.delivered.notified() => {}
        }
        *self.stand.holds.lock().unwrap() = false;
    }
}

#[tokio::test]
async fn a_mail_is_sent_once_when_nothing_goes_wrong() {
    let house = house().await;
    let ids = [house.queue("ada@example.com").await, house.queue("bob@example.com").await];
    assert_eq!(house.mailer.tick(NOW_MS).await, Progress::done(2, false));
    for later in [0, CLAIM_MS, CLAIM_MS * 1000] {
        assert_eq!(house.mailer.tick(NOW_MS + later).await, Progress::idle());
    }
    for id in ids {
        let sent = house.find(id).await;
        assert_eq!((sent.status.as_str(), sent.attempts, house.stand.times(id)), ("sent", 1, 1));
    }
}

#[tokio::test]
async fn a_mail_whose_sender_died_before_marking_it_is_sent_again_as_the_very_same_mail() {
    let house = house().await;
    let id = house.queue("ada@example.com").await;
    house.tick_and_die(NOW_MS).await;
    // Until the claim runs out somebody may still be at it.
    assert_eq!(house.mailer.tick(NOW_MS + CLAIM_MS - 1).await, Progress::idle());
    assert_eq!(house.mailer.tick(NOW_MS + CLAIM_MS).await, Progress::done(1, false));
    let given = house.stand.given();
    let [first, second] = &given[..] else { panic!("not sent twice: {}", given.len()) };
    assert_eq!(first, second);
    let text = String::from_utf8(second.1.clone()).unwrap();
    let message_id = format!("Message-ID: <{id}@notification.backstitch>");
    assert!(text.lines().any(|line| line == message_id), "{text}");
    assert_eq!(house.status(id).await, "sent");
}

#[tokio::test]
async fn attempts_grow_apart_and_end() {
    let house = house().await;
    let id = house.queue("ada@example.com").await;
    house.stand.refuses("ada@example.com", NotSent::ForNow("the server is away".into()));
    let mut due_ms = NOW_MS;
    let mut waits = Vec::new();
    for (attempt, wait) in SPACING_MS.iter().enumerate() {
        assert_eq!(house.mailer.tick(due_ms - 1).await, Progress::idle());
        let progress = house.mailer.tick(due_ms).await;
        assert!(progress.problem.is_some_and(|why| why.contains("the server is away")));
        assert_eq!((house.stand.times(id), house.status(id).await.as_str()), (attempt + 1, "queued"));
        waits.push(*wait);
        due_ms += wait;
    }
    assert!(waits.is_sorted_by(|a, b| a < b), "{waits:?}");
    house.mailer.tick(due_ms).await;
    let failed = house.find(id).await;
    assert_eq!((failed.status.as_str(), i64::from(failed.attempts)), ("failed", MAX_ATTEMPTS));
    assert_eq!(house.mailer.tick(i64::MAX).await, Progress::idle());
}

#[tokio::test]
async fn a_mail_that_kills_its_sender_every_time_is_given_up() {
    let house = house().await;
    let id = house.queue("ada@example.com").await;
    let mut now_ms = NOW_MS;
    for _ in 0..MAX_ATTEMPTS {
        house.tick_and_die(now_ms).await;
        now_ms += CLAIM_MS;
    }
    assert_eq!(house.status(id).await, "queued");
    assert_eq!(house.mailer.tick(now_ms).await, Progress::idle());
    assert_eq!(house.status(id).await, "failed");
}

#[tokio::test]
async fn an_address_that_does_not_exist_fails_at_once_and_holds_up_nobody() {
    let house = house().await;
    house.stand.refuses("nobody@example.com", NotSent::ForGood("no such mailbox".into()));
    let (bad, good) = (house.queue("nobody@example.com").await, house.queue("ada@example.com").await);
    let progress = house.mailer.tick(NOW_MS).await;
    assert_eq!((progress.done, progress.problem.is_some()), (1, true));
    assert_eq!((house.status(bad).await.as_str(), house.status(good).await.as_str()), ("failed", "sent"));
    assert_eq!(house.mailer.tick(i64::MAX).await, Progress::idle());
}

impl House {
    /// A sender freezes past its claim; another tries the same mail meanwhile; then the first one wakes and writes down
    /// what became of its attempt. The mail's status between the two, and at the end.
    async fn freeze(&self, id: Uuid, frozen: Option<NotSent>, other: Option<NotSent>) -> [String; 2] {
        let fate = |fate: Option<NotSent>| {
            let mut fates = self.stand.fate.lock().unwrap();
            fates.clear();
            fates.extend(fate.map(|why| ("ada@example.com".to_owned(), why)));
        };
        fate(frozen);
        *self.stand.holds.lock().unwrap() = true;
        let first = self.mailer.tick(NOW_MS);
        let meanwhile = async {
            self.stand.delivered.notified().await;
            *self.stand.holds.lock().unwrap() = false;
            fate(other);
            mailer(&self.kit, &self.stand).tick(NOW_MS + CLAIM_MS).await;
            let between = self.status(id).await;
            self.stand.answer.notify_one();
            between
        };
        let (_, between) = tokio::join!(first, meanwhile);
        [between, self.status(id).await]
    }
}

#[tokio::test]
async fn a_sender_that_wakes_past_its_claim_can_only_add_that_the_mail_was_sent() {
    let gone = || Some(NotSent::ForGood("no such mailbox".into()));
    let away = || Some(NotSent::ForNow("the server is away".into()));
    for (frozen, other, expected) in [
        (gone(), None, ["sent", "sent"]),
        (away(), gone(), ["failed", "failed"]),
        (gone(), away(), ["queued", "queued"]),
        (None, away(), ["queued", "sent"]),
        (None, gone(), ["failed", "sent"]),
    ] {
        let house = house().await;
        let id = house.queue("ada@example.com").await;
        let said = format!("{frozen:?}, {other:?}");
        assert_eq!(house.freeze(id, frozen, other).await, expected, "{said}");
        assert_eq!(house.find(id).await.attempts, 2);
    }
}

#[tokio::test]
async fn two_senders_at_once_send_each_mail_once_and_leave_none() {
    let house = house().await;
    let mut ids = Vec::new();
    for _ in 0..BATCH * 2 + 5 {
        ids.push(house.queue("ada@example.com").await);
    }
    let other = mailer(&house.kit, &house.stand);
    loop {
        let (a, b) = tokio::join!(house.mailer.tick(NOW_MS), other.tick(NOW_MS));
        assert_eq!((&a.problem, &b.problem), (&None, &None));
        if a.done + b.done == 0 {
            break;
        }
    }
    for id in ids {
        assert_eq!(house.stand.times(id), 1);
    }
}

#[test]
fn there_is_a_wait_between_any_two_attempts() {
    assert_eq!(usize::try_from(MAX_ATTEMPTS).unwrap(), SPACING_MS.len() + 1);
}
