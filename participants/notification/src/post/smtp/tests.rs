use lettre::message::Mailbox;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::*;
use crate::template::Letter;

/// A mail server in miniature: takes mail for everybody except whom it is told to answer otherwise. Each mail it took
/// comes out of the channel as the lines that were sent.
async fn server(
    answers: &'static [(&'static str, &'static str)],
) -> (String, mpsc::UnboundedReceiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let (took, taken) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let took = took.clone();
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                write.write_all(b"220 localhost\r\n").await.unwrap();
                while let Ok(Some(line)) = lines.next_line().await {
                    let answer = match line.split([' ', ':']).next().unwrap() {
                        "EHLO" => "250 localhost",
                        "RCPT" => {
                            answers.iter().find(|(to, _)| line.contains(to)).map_or("250 ok", |(_, a)| a)
                        }
                        "DATA" => {
                            write.write_all(b"354 go on\r\n").await.unwrap();
                            let mut mail = Vec::new();
                            while let Ok(Some(line)) = lines.next_line().await {
                                if line == "." {
                                    break;
                                }
                                mail.push(line);
                            }
                            took.send(mail).unwrap();
                            "250 taken"
                        }
                        "QUIT" => "221 bye",
                        _ => "250 ok",
                    };
                    if write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, taken)
}

fn mail(to: &str) -> Mail {
    let from: Mailbox = "The shop <shop@example.com>".parse().unwrap();
    let letter = Letter { subject: "Your order BS-000001".into(), body: "Dear Ada,\n.\n".into() };
    Mail::write(Uuid::from_u128(7), &from, to, &letter, 1_700_000_000_000).unwrap()
}

#[tokio::test]
async fn a_server_takes_the_mail_with_its_message_id() {
    let (url, mut taken) = server(&[]).await;
    let post = Smtp::new(&url).unwrap();
    post.send(&mail("ada@example.com")).await.unwrap();
    let lines = taken.recv().await.unwrap();
    for expected in [
        "Message-ID: <00000000-0000-0000-0000-000000000007@notification.backstitch>",
        "Subject: Your order BS-000001",
        "To: ada@example.com",
        "Dear Ada,",
        // A lone dot would end the mail; SMTP doubles it on the way.
        "..",
    ] {
        assert!(lines.iter().any(|line| line == expected), "{expected:?} is not in {lines:#?}");
    }
}

#[tokio::test]
async fn only_an_address_that_does_not_exist_is_given_up_for_good() {
    let (url, _taken) = server(&[
        ("gone@", "550 no such mailbox"),
        ("full@", "452 mailbox full"),
        ("spam@", "554 we do not like you"),
    ])
    .await;
    let post = Smtp::new(&url).unwrap();
    assert!(matches!(post.send(&mail("gone@example.com")).await, Err(NotSent::ForGood(_))));
    assert!(matches!(post.send(&mail("full@example.com")).await, Err(NotSent::ForNow(_))));
    assert!(matches!(post.send(&mail("spam@example.com")).await, Err(NotSent::ForNow(_))));
    // A refused mail does not spoil the connection for the next.
    post.send(&mail("ada@example.com")).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_away_is_away_for_now() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    drop(listener);
    let post = Smtp::new(&url).unwrap();
    let sent = post.send(&mail("ada@example.com")).await;
    let Err(NotSent::ForNow(why)) = sent else { panic!("{sent:?}") };
    assert!(why.to_lowercase().contains("refused"), "{why}");
}

#[tokio::test]
async fn a_wrong_url_is_refused_without_repeating_its_password() {
    for url in
        ["http://user:hunter2@example.com", "mail.example.com", "smtp://user:hunter2@example.com?tls=perhaps"]
    {
        let Err(why) = Smtp::new(url) else { panic!("{url} was accepted") };
        assert!(!why.contains("hunter2") && !why.is_empty(), "{why}");
    }
}
